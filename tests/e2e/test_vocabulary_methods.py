"""The pipeline with every way to change a vocabulary, up to a sibling that loads with transformers alone."""

from __future__ import annotations

import json
from pathlib import Path

import pico
import pytest
import torch
from tokenizers import pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer

from hubadapt.card import model_card
from hubadapt.checkpoint import find_tables, load_config, read_tensor
from hubadapt.corpus.dataset import read_split
from hubadapt.lineage import Names
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap

METHODS = {
    "auto": {"new_tokens": "auto", "min_occurrences": 2},
    "donor": {"method": "donor", "donor": "donor", "new_tokens": 500},
    "replace": {"method": "replace", "new_tokens": 420, "ratios": {"ru": 1, "en": 1}},
    "keep first": {"keep_first": 320, "new_tokens": 40, "min_occurrences": 2},
    "drop and extend": {"drop_scripts": ["Latin"], "new_tokens": 40, "min_occurrences": 2, "allow": ["english"]},
    "reuse padding": {"reuse_padding": True, "new_tokens": 40, "min_occurrences": 2},
    "trim": {"new_tokens": 60, "min_occurrences": 2, "least_uses": 10},
}


def write_donor(folder: Path) -> None:
    """A vocabulary of Russian words."""
    donor = pico.byte_level_tokenizer()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=380, show_progress=False, initial_alphabet=alphabet)
    donor.train_from_iterator(pico.russian(), trainer)
    folder.mkdir()
    donor.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module", params=METHODS.values(), ids=METHODS)
def adapted(request, tmp_path_factory) -> pico.Workshop:
    workshop = pico.Workshop.build(
        tmp_path_factory.mktemp("method") / "work", sibling=True, without=("evaluate", "sample"), spare_rows=12
    )
    write_donor(workshop.folder / "donor")
    generation = workshop.folder / "base" / "generation_config.json"
    end = json.loads((workshop.folder / "base" / "tokenizer.json").read_text("utf-8"))["added_tokens"][0]["id"]
    for folder in (generation.parent, workshop.folder / "sibling"):
        (folder / generation.name).write_text(json.dumps({"eos_token_id": [end], "bos_token_id": end}), "utf-8")
    workshop.stage("corpus").update(also_split=["en"] if "ratios" in request.param else [])
    stage = workshop.stage("tokenizer")
    stage.clear()
    stage.update(request.param)
    workshop.stage("pretrain").update(steps=2)
    workshop.write()
    workshop.run()
    return workshop


def folder_of(workshop: pico.Workshop, name: str):
    return workshop.out / next(made.folder for made in workshop.manifest.artifacts() if made.name == name)


def map_of(workshop: pico.Workshop) -> VocabMap:
    return VocabMap.load(folder_of(workshop, "tokenizer") / VOCAB_MAP_NAME)


@pytest.mark.parametrize("name", ["embed", "pretrain", "propagate-instruct"])
def test_what_was_made_loads_with_transformers_alone_and_writes_both_languages(adapted, name):
    folder = folder_of(adapted, name)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.config.vocab_size == len(model.get_input_embeddings().weight) > max(tokenizer.get_vocab().values())
    for text in (*pico.russian(3), *pico.english(3), "naïve 中文 🙂\n\t 12"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert torch.isfinite(model(input_ids=torch.tensor([tokenizer.encode("Утро, the river.")])).logits).all()


@pytest.mark.parametrize("name", ["embed", "propagate-instruct"])
def test_special_tokens_have_the_rows_and_roles_they_had(adapted, name):
    source = adapted.folder / ("base" if name == "embed" else "sibling")
    folder, (table,) = folder_of(adapted, name), find_tables(load_config(source)).names
    before, after = read_tensor(source, table), read_tensor(folder, table)
    old, new = AutoTokenizer.from_pretrained(source), AutoTokenizer.from_pretrained(folder)
    for token in pico.SPECIALS:
        assert torch.equal(before[old.convert_tokens_to_ids(token)], after[new.convert_tokens_to_ids(token)]), token
    assert (new.eos_token, new.chat_template) == (old.eos_token, old.chat_template)
    generation = json.loads((folder / "generation_config.json").read_text("utf-8"))
    assert generation["eos_token_id"] == [new.eos_token_id] and generation["bos_token_id"] == new.bos_token_id


def test_rows_of_tokens_that_stay_keep_every_bit(adapted):
    (table,) = find_tables(load_config(adapted.folder / "base")).names
    vocab_map = map_of(adapted)
    copied = vocab_map.rows_of(Origin.COPIED)
    before, after = read_tensor(adapted.folder / "base", table), read_tensor(folder_of(adapted, "pretrain"), table)
    assert torch.equal(after[copied], before[vocab_map.indices[vocab_map.indptr[copied]]])


def test_russian_takes_fewer_tokens_than_with_the_base(adapted):
    texts = " ".join(pico.russian(20))
    old, new = (
        AutoTokenizer.from_pretrained(folder) for folder in (adapted.folder / "base", folder_of(adapted, "tokenizer"))
    )
    assert len(new.encode(texts)) < 0.9 * len(old.encode(texts))


def test_no_text_that_is_measured_on_was_learnt_from(adapted):
    dataset = folder_of(adapted, "corpus")
    learnt = {text for language in ("ru", "en") for text in read_split(dataset, "train", language)}
    facts = next(record.facts for record in adapted.manifest.stages if record.kind == "tokenizer")
    for language in ("ru", "en"):
        assert read_split(dataset, "test", language) and not learnt & {*read_split(dataset, "test", language)}
        assert bool(read_split(dataset, "train", language)) == (language == "ru" or facts["method"] == "replace")


def test_the_card_speaks_of_ids_only_where_they_stay(adapted):
    made = next(made for made in adapted.manifest.artifacts() if made.name == "embed")
    card = model_card(adapted.manifest, made, Names(adapted.manifest, "me"))
    facts = next(record.facts for record in adapted.manifest.stages if record.kind == "tokenizer")
    moved = facts["method"] == "replace" or facts["dropped"]
    assert ("old tokens keep their ids" in card) == (not moved)
    assert ("merges make every token |" in card) == (facts["method"] == "replace")
    assert (f"{facts['dropped']} old tokens were taken out" in card) == bool(facts["dropped"])


def test_the_second_run_does_nothing(adapted):
    assert {event for _, event in adapted.run()} == {"skipped"}
