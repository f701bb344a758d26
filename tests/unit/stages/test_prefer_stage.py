"""The stage `prefer`: what is preferred becomes likelier, files load as before, pairs are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pico
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from hubadapt.card import model_card
from hubadapt.corpus.preferences import Preference, read_preferences, without_length_bias
from hubadapt.lineage import Names
from hubadapt.model import load_model, load_tokenizer
from hubadapt.runner import InterruptedRunError

SMALL = {"steps": 8, "batch_size": 4, "max_length": 96, "learning_rate": 0.02, "warmup_steps": 0, "save_every": 4}
PAIRS = [(f"Вопрос {n}", "Да, река течёт.", "Нет, лес стоит.") for n in range(8)]


def write_pairs(path: Path, pairs: list) -> None:
    rows = [dict(zip(("prompt", "chosen", "rejected"), pair, strict=True)) for pair in pairs]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def prepared(folder: Path, **more) -> pico.Workshop:
    workshop = pico.Workshop.build(folder, sibling=True, without=("pretrain", "evaluate", "sample"))
    write_pairs(workshop.folder / "pairs.jsonl", PAIRS)
    sources = [{"path": "pairs.jsonl", "license": "mit"}]
    workshop.content["stages"].append({"prefer": {**SMALL, "sources": sources, "model": "instruct", **more}})
    workshop.write()
    return workshop


def folder_of(workshop: pico.Workshop, name: str) -> Path:
    return next(workshop.out / made.folder for made in workshop.manifest.artifacts() if made.name == name)


@pytest.fixture(
    scope="module",
    params=[("dpo", 2), ("dpo", None), ("kto", 2), ("simpo", 2)],
    ids=lambda value: f"{value[0]}-{value[1]}",
)
def done(request, tmp_path_factory):
    method, rank = request.param
    workshop = prepared(tmp_path_factory.mktemp("preferred") / "work", method=method, rank=rank)
    workshop.run()
    return workshop


def log_likelihood(folder: Path, question: str, answer: str) -> float:
    """Of an answer to a question, in nats a token."""
    tokenizer, model = load_tokenizer(folder), load_model(folder)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
    )
    start, ids = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (asked, asked + answer))
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return float(torch.stack([logits[at - 1, ids[at]] for at in range(len(start), len(ids))]).mean())


def test_what_is_preferred_gains_on_what_is_not(done):
    def lead(name: str) -> float:
        question, chosen, rejected = PAIRS[0]
        folder = folder_of(done, name)
        return log_likelihood(folder, question, chosen) - log_likelihood(folder, question, rejected)

    assert lead("prefer-instruct") > lead("propagate-instruct") + 0.05


def test_weights_keep_names_types_and_shapes_and_the_configuration_stays(done):
    folders = [folder_of(done, name) for name in ("propagate-instruct", "prefer-instruct")]
    before, after = (load_file(folder / "model.safetensors") for folder in folders)
    assert {name: (each.shape, each.dtype) for name, each in before.items()} == {
        name: (each.shape, each.dtype) for name, each in after.items()
    }
    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_the_card_tells_of_method_and_licences(done):
    link = next(link for link in done.manifest.licences if "pairs.jsonl" in link.names)
    assert (link.role, link.license) == ("trained on", "mit")
    made = next(made for made in done.manifest.artifacts() if made.name == "prefer-instruct")
    card = model_card(done.manifest, made, Names(done.manifest, "me"))
    name = {"dpo": "DPO", "kto": "KTO", "simpo": "SimPO"}[done.stage("prefer")["method"]]
    assert f"instruct was tuned to 8 preferences by {name}." in card and "| pairs.jsonl | mit | 8 |" in card
    assert "Only rows of the embedding tables" not in card


def test_an_interrupted_tuning_ends_in_the_same_weights(tmp_path):
    whole, cut = (prepared(tmp_path / name, rank=2, steps=4, save_every=2) for name in ("whole", "cut"))
    whole.run()
    with pico.stopped_after(3), pytest.raises(InterruptedRunError):
        cut.run()
    cut.run()
    assert [made.files for made in cut.manifest.artifacts()] == [made.files for made in whole.manifest.artifacts()]


def test_texts_and_messages_say_the_same(tmp_path):
    question, chosen, rejected = PAIRS[0]
    write_pairs(tmp_path / "a.jsonl", [PAIRS[0]])
    asked = [{"role": "user", "content": question}]
    answers = [[{"role": "assistant", "content": answer}] for answer in (chosen, rejected)]
    write_pairs(tmp_path / "b.jsonl", [(asked, *answers)])
    one, other = (next(read_preferences(tmp_path / f"{name}.jsonl", license="mit")) for name in "ab")
    assert (one.prompt, one.chosen, one.rejected) == (other.prompt, other.chosen, other.rejected)


@given(lengths=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 20)), max_size=40), keep=st.floats(0, 1))
def test_only_pairs_with_far_longer_chosen_answers_are_left_out(lengths, keep):
    pairs = [Preference((), "a" * chosen, "b" * rejected, "s", "mit") for chosen, rejected in lengths]
    kept = without_length_bias(pairs, 1.5, keep, seed=0)
    usual = [pair for pair in pairs if len(pair.chosen) <= 1.5 * len(pair.rejected)]
    assert [pair for pair in kept if pair in usual] == usual
    assert (
        without_length_bias(pairs, 1.5, 1.0, seed=0) == pairs and without_length_bias(pairs, 1.5, 0.0, seed=0) == usual
    )


USER = {"role": "user", "content": "А?"}


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (("А?", "Б.", "Б."), "pairs.jsonl line 1 has two equal answers: 'Б.'"),
        (("А?", "Б.", " "), "pairs.jsonl line 1, rejected of the assistant is empty"),
        (([USER, USER], "Б.", "В."), "pairs.jsonl line 1 is out of order: user, user, assistant"),
        (("А?", [USER, USER], "В."), "pairs.jsonl line 1, chosen holds 2 messages"),
    ],
)
def test_a_pair_that_cannot_be_learnt_is_told_before_anything_runs(tmp_path, cli, pair, problem):
    workshop = prepared(tmp_path / "work")
    write_pairs(workshop.folder / "pairs.jsonl", [pair])
    outcome = cli("check", workshop.recipe)
    assert outcome.code == 1 and problem in outcome.err
    assert not workshop.out.exists()
