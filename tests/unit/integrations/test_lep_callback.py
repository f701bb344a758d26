"""One training, and every sibling alive at each of its checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pico
import pytest
import torch
from huggingface_hub import HfApi, hf_hub_download
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from hubadapt import LEPCallback, RowTraining, VocabMap, bits_per_byte, propagate
from hubadapt.errors import HubError, ModelError, RecipeError
from hubadapt.manifest import read_manifest, write_manifest
from hubadapt.surgery.propagate import Lep
from hubadapt.vocab_map import VOCAB_MAP_NAME

TEXTS = {"ru": pico.russian(3), "en": pico.english(3)}


@pytest.fixture
def run(finished):
    return finished.out


def trainer_of(model, tokenizer, out: Path, callback, *, steps: int = 2) -> Trainer:
    rows = [{"input_ids": ids, "labels": ids} for ids in [[1, 2, 3, 300], [4, 310, 5, 6]] * 4]
    arguments = TrainingArguments(
        str(out), max_steps=steps, save_steps=1, save_total_limit=1, learning_rate=0.05, report_to="none",
        per_device_train_batch_size=2, disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    return Trainer(model, arguments, train_dataset=rows, processing_class=tokenizer, callbacks=[callback])


def parts(run: Path):
    folder = run / "3-pretrain" / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    return AutoModelForCausalLM.from_pretrained(folder), tokenizer


def vocab_map(run: Path) -> Path:
    return run / "1-tokenizer" / "tokenizer" / VOCAB_MAP_NAME


def propagated(finished, checkpoint: Path, out: Path, lep: Lep):
    propagate(finished.folder / "base", checkpoint, {"instruct": finished.folder / "sibling"}, out, lep)
    return AutoModelForCausalLM.from_pretrained(out / "instruct")


def equal(one, other) -> bool:
    return all(a.equal(b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_each_checkpoint_gives_every_sibling_what_lep_makes_of_it(finished, run, tmp_path):
    model, tokenizer = parts(run)
    trainer_of(model, tokenizer, tmp_path, LEPCallback(run, texts=TEXTS)).train()
    made = [tmp_path / "siblings" / f"step-{step}" / "instruct" for step in (1, 2)]
    first, last = (AutoModelForCausalLM.from_pretrained(folder) for folder in made)
    expected = propagated(finished, tmp_path / "checkpoint-2", tmp_path / "by-hand", Lep(vocab_map=vocab_map(run)))
    assert equal(last, expected) and not equal(first, last)
    assert len(AutoTokenizer.from_pretrained(made[1])) == len(tokenizer)
    assert not list((tmp_path / ".lep").glob("step-*"))
    measured = json.loads((made[1].parent / "measured.json").read_text("utf-8"))
    assert [(each["model"], each["language"]) for each in measured] == [
        ("instruct", "ru"), ("instruct", "en"), ("lep-instruct", "ru"), ("lep-instruct", "en"),
    ]  # fmt: skip
    bits = bits_per_byte(expected.eval(), tokenizer, TEXTS["ru"])
    assert (measured[2]["value"], measured[2]["n"]) == (pytest.approx(bits.value, rel=1e-5), 3)


def test_a_sibling_with_a_repository_is_published_as_a_revision_whose_card_tells_of_both(run, hub, at_hub, tmp_path):
    name, (model, tokenizer) = "local/lep-steps", parts(run)
    with at_hub(hub.endpoint, hub.token):
        callback = LEPCallback(run, texts=TEXTS, repositories={"instruct": name})
        trainer_of(model, tokenizer, tmp_path, callback).train()
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        assert {branch.name for branch in api.list_repo_refs(name).branches} == {"main", "step-1", "step-2"}
        AutoModelForCausalLM.from_pretrained(name, revision="step-2", cache_dir=tmp_path / "cache")
        card = Path(hf_hub_download(name, "README.md", revision="step-1", cache_dir=tmp_path / "cache"))
    text = card.read_text("utf-8")
    assert "1 steps" in text and "relative residual" in text
    measured = json.loads((tmp_path / "siblings" / "step-1" / "measured.json").read_text("utf-8"))
    before, after = (next(each for each in measured[at:] if each["language"] == "ru") for at in (0, 2))
    assert f"| bits per byte (lower is better) | ru | 3 | {before['value']:.4g}" in text
    assert f"| {after['value']:.4g}" in text
    assert str(tmp_path) not in text and hub.token not in text
    assert not (tmp_path / "siblings" / "step-2" / "instruct").exists()


def test_only_every_other_checkpoint_is_carried_on_if_so_asked(run, tmp_path):
    trainer_of(*parts(run), tmp_path, LEPCallback(run, every=2), steps=3).train()
    assert [folder.name for folder in (tmp_path / "siblings").iterdir()] == ["step-2"]


def test_a_lora_adapter_that_holds_the_tables_will_do(finished, run, tmp_path):
    model, tokenizer = parts(run)
    config = LoraConfig(
        r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"], ensure_weight_tying=True
    )
    trainer_of(get_peft_model(model, config), tokenizer, tmp_path, LEPCallback(run), steps=1).train()
    made = AutoModelForCausalLM.from_pretrained(tmp_path / "siblings" / "step-1" / "instruct")
    lep = Lep(vocab_map=vocab_map(run))
    assert equal(made, propagated(finished, tmp_path / "checkpoint-1", tmp_path / "by-hand", lep))


def test_a_run_without_siblings_and_a_repository_for_none_of_them_are_refused(finished_copy):
    with pytest.raises(RecipeError, match="has no such sibling"):
        LEPCallback(finished_copy.out, repositories={"chat": "local/chat"})
    manifest = read_manifest(finished_copy.out)
    write_manifest(finished_copy.out, manifest.model_copy(update={"siblings": {}}))
    with pytest.raises(RecipeError, match="names no sibling"):
        LEPCallback(finished_copy.out)


def test_a_model_with_another_vocabulary_is_refused_before_it_trains(finished, run, tmp_path):
    old = AutoModelForCausalLM.from_pretrained(finished.folder / "base")
    trainer = trainer_of(old, None, tmp_path, LEPCallback(run))
    with pytest.raises(ModelError, match="the run's vocabulary needs"):
        trainer.train()
    assert trainer.state.global_step == 0


def test_checkpoints_that_hold_rows_alone_are_refused_before_training(run, tmp_path):
    model, _ = parts(run)
    learner = RowTraining(model, VocabMap.load(vocab_map(run)), 300, range(300))
    with pytest.raises(ModelError, match="the trainer's checkpoints will hold a table of 0 rows"):
        trainer_of(learner, None, tmp_path, LEPCallback(run)).train()


def test_without_a_token_nothing_is_trained(run, hub, at_hub, tmp_path):
    with at_hub(hub.endpoint):
        trainer = trainer_of(*parts(run), tmp_path, LEPCallback(run, repositories={"instruct": "local/none"}))
        with pytest.raises(HubError, match="there is no token"):
            trainer.train()
    assert trainer.state.global_step == 0


def test_a_checkpoint_that_cannot_be_carried_is_an_error_at_the_end_and_is_kept(run, tmp_path):
    model, tokenizer = parts(run)
    trainer = trainer_of(model, tokenizer, tmp_path, LEPCallback(run))
    with torch.no_grad():
        model.get_input_embeddings().weight[-1] = float("nan")
    with pytest.raises(ModelError) as caught:
        trainer.train()
    assert caught.value.problem.startswith("2 of 2 checkpoints did not reach every sibling, the first step-1: ")
    assert trainer.state.global_step == 2
    assert (tmp_path / ".lep" / "step-1" / "model.safetensors").is_file()
