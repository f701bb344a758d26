"""The stage `continue`: all weights learn, English is replayed, files load as before, siblings keep their bodies."""

from __future__ import annotations

from pathlib import Path

import pico
import pytest
import torch
from safetensors.torch import load_file

from hubadapt.card import model_card
from hubadapt.lineage import Names
from hubadapt.model import load_model, load_tokenizer
from hubadapt.runner import InterruptedRunError

SMALL = {"steps": 4, "batch_size": 2, "block_size": 32, "learning_rate": 0.01, "warmup_steps": 0, "save_every": 2}


def prepared(folder: Path, *, sibling: bool = False, **model) -> pico.Workshop:
    workshop = pico.Workshop.build(folder, sibling=sibling, without=("pretrain", "evaluate", "sample"), **model)
    workshop.stage("corpus")["also_split"] = ["en"]
    at = next(number for number, item in enumerate(workshop.content["stages"]) if "embed" in item) + 1
    workshop.content["stages"].insert(at, {"continue": dict(SMALL)})
    workshop.write()
    return workshop


def folder_of(workshop: pico.Workshop, name: str) -> Path:
    return next(workshop.out / made.folder for made in workshop.manifest.artifacts() if made.name == name)


@pytest.fixture(scope="module", params=[(True, torch.float32), (False, torch.bfloat16)], ids=str)
def done(request, tmp_path_factory):
    tied, dtype = request.param
    workshop = prepared(tmp_path_factory.mktemp("continued") / "work", sibling=True, tied=tied, dtype=dtype)
    workshop.run()
    return workshop


def test_every_tensor_learns_and_keeps_its_type(done):
    before, after = (load_file(folder_of(done, name) / "model.safetensors") for name in ("embed", "continue"))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.dtype == after[name].dtype and not tensor.equal(after[name]), name


def test_the_result_loads_with_the_vocabulary_it_had(done):
    folders = [folder_of(done, name) for name in ("embed", "continue")]
    texts = [*pico.russian(5), *pico.english(5)]
    first, second = ([load_tokenizer(folder)(text)["input_ids"] for text in texts] for folder in folders)
    assert first == second
    assert load_model(folders[1]).config.vocab_size == load_model(folders[0]).config.vocab_size


def test_a_sibling_gets_the_rows_and_keeps_its_body(done):
    own, made = load_file(done.folder / "sibling" / "model.safetensors"), folder_of(done, "propagate-instruct")
    after = load_file(made / "model.safetensors")
    bodies = [name for name in own if "embed_tokens" not in name and "lm_head" not in name]
    assert bodies and all(own[name].equal(after[name]) for name in bodies)


def test_the_card_says_that_everything_learnt_and_that_of_a_sibling_does_not(done):
    cards = {
        made.name: model_card(done.manifest, made, Names(done.manifest, "me"))
        for made in done.manifest.artifacts()
        if made.kind == "model"
    }
    alone = "Only rows of the embedding tables were made or trained"
    assert alone not in cards["continue"] and alone in cards["propagate-instruct"] and alone in cards["embed"]
    assert "A LoRA adapter of" not in cards["continue"]
    assert "All weights learnt" in cards["continue"] and "25 % of the blocks were English" in cards["continue"]
    assert "What these stages read is not part of the table" not in cards["continue"]


def test_a_share_of_what_is_read_is_english_evenly_spread(done):
    facts = next(record.facts for record in done.manifest.stages if record.kind == "continue")
    assert facts["tokens"] == 4 * 2 * 32
    assert 0 < facts["share_of_new_tokens"] < 0.75
    assert facts["distance"] > 0 and len(facts["losses"]) == 4


@pytest.mark.parametrize("more", [{"anchor": "l2", "anchor_weight": 1e4}, {"mix_back": 0.9}], ids=str)
def test_an_anchor_or_mixing_back_ends_closer_to_the_start(tmp_path, more):
    distances = []
    for change in ({}, more):
        workshop = prepared(tmp_path / str(len(distances)))
        workshop.stage("continue").update(change)
        workshop.write()
        workshop.run()
        distances.append(workshop.manifest.stages[-1].facts["distance"])
    assert distances[1] < 0.7 * distances[0]


def test_an_interrupted_training_ends_in_the_same_weights(tmp_path):
    whole, cut = prepared(tmp_path / "whole"), prepared(tmp_path / "cut")
    for workshop in (whole, cut):
        workshop.stage("continue")["anchor"] = "kl"
        workshop.write()
    whole.run()
    with pico.stopped_after(3), pytest.raises(InterruptedRunError):
        cut.run()
    cut.run()
    assert [made.files for made in whole.manifest.artifacts()] == [made.files for made in cut.manifest.artifacts()]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"replay": 0.25}, "a share of 0.25 of what is read shall be English, but the corpus keeps none to train on"),
        ({"replay": 0, "anchor": "kl"}, "`anchor: kl` compares with the source model on replayed English"),
    ],
)
def test_what_cannot_be_replayed_is_told_before_anything_runs(tmp_path, cli, change, problem):
    workshop = prepared(tmp_path / "work")
    del workshop.stage("corpus")["also_split"]
    workshop.stage("continue").update(change)
    workshop.write()
    outcome = cli("check", workshop.recipe)
    assert outcome.code == 1 and problem in outcome.err
    assert not workshop.out.exists()


def test_weights_that_learn_are_counted_once(done):
    facts = next(record.facts for record in done.manifest.stages if record.kind == "continue")
    model = load_model(folder_of(done, "continue"))
    assert facts["trained_parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
