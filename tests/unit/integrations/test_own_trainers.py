"""In a user's own trainer: our card survives every push, and each checkpoint becomes a revision that loads."""

from __future__ import annotations

import re
from pathlib import Path

import pico
import pytest
from datasets import Dataset
from huggingface_hub import HfApi, hf_hub_download
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

from hubadapt import HubCardMixin, HubStageCallback
from hubadapt.errors import HubError, ManifestError
from hubadapt.hub.owner_words import BEGIN, END

TEXTS = Dataset.from_dict({"text": pico.russian(12)})
ARGUMENTS = {
    "max_steps": 2, "per_device_train_batch_size": 2, "save_steps": 1, "learning_rate": 0.01, "report_to": "none",
    "disable_tqdm": True, "use_cpu": True, "save_total_limit": 1,
}  # fmt: skip
PAIRS = {"prompt": ["Утро", "Лес"] * 3, "chosen": [" в лесу"] * 6, "rejected": [" нет"] * 6}


def sft(cls, folder, parts, **more):
    return cls(args=SFTConfig(str(folder), max_length=32, **ARGUMENTS, **more), train_dataset=TEXTS, **parts)


def plain(cls, folder, parts, **more):
    ids = [{"input_ids": row, "labels": row} for row in [[1, 2, 3, 4]] * 8]
    return cls(args=TrainingArguments(str(folder), **ARGUMENTS, **more), train_dataset=ids, **parts)


def dpo(cls, folder, parts, **more):
    return cls(args=DPOConfig(str(folder), **ARGUMENTS, **more), train_dataset=Dataset.from_dict(PAIRS), **parts)


def kto(cls, folder, parts, **more):
    rows = {"prompt": PAIRS["prompt"], "completion": PAIRS["chosen"], "label": [True, False] * 3}
    return cls(args=KTOConfig(str(folder), **ARGUMENTS, **more), train_dataset=Dataset.from_dict(rows), **parts)


TRAINERS = {"sft": (SFTTrainer, sft), "plain": (Trainer, plain), "dpo": (DPOTrainer, dpo), "kto": (KTOTrainer, kto)}


@pytest.fixture
def parts(finished):
    folder = finished.out / "3-pretrain" / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    return {"model": AutoModelForCausalLM.from_pretrained(folder), "processing_class": tokenizer}


def with_card(trainer: type, run: Path) -> type:
    return type("Own", (HubCardMixin, trainer), {"hubadapt_run": run})


@pytest.mark.parametrize("kind", TRAINERS)
def test_the_card_that_a_trainer_pushes_is_ours(kind, finished, parts, hub, at_hub, tmp_path):
    trainer_class, build = TRAINERS[kind]
    name = f"local/own-{kind}"
    with at_hub(hub.endpoint, hub.token):
        trainer = build(with_card(trainer_class, finished.out), tmp_path / "out", parts, hub_model_id=name)
        trainer.train()
        trainer.push_to_hub()
        card = Path(hf_hub_download(name, "README.md", cache_dir=tmp_path / "cache")).read_text("utf-8")
        files = {*HfApi(endpoint=hub.endpoint, token=hub.token).list_repo_files(name)}
    assert f"# own-{kind}" in card
    assert "## How to make it again" in card and "learning_rate `0.01`" in card
    assert {path for path in re.findall(r"\]\(([^)#:]+\.(?:md|png))\)", card)} <= files
    assert "2 steps" in card
    assert hub.token not in card and str(tmp_path) not in card


def test_what_the_owner_wrote_into_a_trainers_card_on_the_hub_is_kept(finished, parts, hub, at_hub, tmp_path):
    name, api = "local/own-words", HfApi(endpoint=hub.endpoint, token=hub.token)
    with at_hub(hub.endpoint, hub.token):
        trainer = plain(with_card(Trainer, finished.out), tmp_path / "out", parts, hub_model_id=name)
        trainer.push_to_hub()
        for words in ("Thanks.\n", "Thanks a lot.\n"):
            card = Path(api.hf_hub_download(name, "README.md")).read_text("utf-8")
            edited = re.sub(rf"(?s){BEGIN}\n.*{END}", f"{BEGIN}\n{words}{END}", card)
            api.upload_file(path_or_fileobj=edited.encode(), path_in_repo="README.md", repo_id=name)
            trainer.push_to_hub()
            assert Path(api.hf_hub_download(name, "README.md")).read_text("utf-8") == edited


def test_each_checkpoint_becomes_a_revision_that_loads(finished, parts, hub, at_hub, tmp_path):
    name = "local/own-steps"
    with at_hub(hub.endpoint, hub.token):
        trainer = sft(SFTTrainer, tmp_path / "out", parts)
        trainer.add_callback(HubStageCallback(finished.out, name))
        trainer.train()
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        assert {branch.name for branch in api.list_repo_refs(name).branches} == {"main", "step-1", "step-2"}
        files = api.list_repo_files(name, revision="step-2")
        loaded = AutoModelForCausalLM.from_pretrained(name, revision="step-2", cache_dir=tmp_path / "cache")
        AutoTokenizer.from_pretrained(name, revision="step-1", cache_dir=tmp_path / "cache")
        card = Path(hf_hub_download(name, "README.md", revision="step-1", cache_dir=tmp_path / "cache"))
        assert "1 steps" in card.read_text("utf-8")
    for ours, theirs in zip(trainer.model.parameters(), loaded.parameters(), strict=True):
        assert ours.equal(theirs)
    assert not [file for file in files if file.endswith((".pt", ".bin", ".pth"))]
    assert not list((tmp_path / "out" / ".hub").glob("step-*"))


def test_a_checkpoint_that_could_not_be_published_is_an_error_at_the_end(
    finished, parts, hub, at_hub, tmp_path, monkeypatch
):
    def refused(plan, **options):
        raise HubError(f"no room for {plan.address}.", "Make room.")

    monkeypatch.setattr("hubadapt.integrations.hub_callback.publish_branch", refused)
    with at_hub(hub.endpoint, hub.token):
        trainer = sft(SFTTrainer, tmp_path / "out", parts)
        trainer.add_callback(HubStageCallback(finished.out, "local/full"))
        with pytest.raises(HubError) as caught:
            trainer.train()
    assert caught.value.problem == (
        "2 of 2 checkpoints were not published, the first step-1: no room for local/full@step-1."
    )
    assert trainer.state.global_step == 2


@pytest.mark.parametrize(
    ("token", "problem"), [(None, "there is no token"), ("read_token", "the token may not write local/none")]
)
def test_without_a_token_that_may_write_nothing_is_trained(finished, parts, hub, at_hub, tmp_path, token, problem):
    with at_hub(hub.endpoint, getattr(hub, token) if token else None):
        trainer = sft(SFTTrainer, tmp_path / "out", parts)
        trainer.add_callback(HubStageCallback(finished.out, "local/none"))
        with pytest.raises(HubError, match=problem):
            trainer.train()
    assert trainer.state.global_step == 0


def test_a_folder_that_is_no_run_is_refused_before_the_trainer_is_built(parts, tmp_path):
    with pytest.raises(ManifestError):
        sft(with_card(SFTTrainer, tmp_path), tmp_path / "out", parts)
    with pytest.raises(ManifestError):
        HubStageCallback(tmp_path, "local/none")
