"""The whole pipeline on every kind of base: three byte-level tokenizers, tied and untied, one file and several."""

from __future__ import annotations

import pico
import pytest
import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hubadapt.checkpoint import find_tables, load_config, read_tensor, shard_map

KINDS = {
    "gpt2 llama untied sharded": {"style": "gpt2", "tied": False, "sharded": True},
    "llama3 llama untied spare rows": {"style": "llama3", "tied": False, "spare_rows": 13},
    "llama3 llama tied": {"style": "llama3", "tied": True},
    "qwen qwen2 tied bfloat16": {"style": "qwen", "architecture": "qwen2", "dtype": torch.bfloat16},
    "gpt2 gpt_neox untied": {"style": "gpt2", "architecture": "gpt_neox", "tied": False},
}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def adapted(request, tmp_path_factory) -> pico.Workshop:
    workshop = pico.Workshop.build(
        tmp_path_factory.mktemp("family") / "work", sibling=True, without=("evaluate", "sample"), **request.param
    )
    workshop.stage("pretrain").update(steps=2)
    workshop.write()
    workshop.run()
    return workshop


def folder_of(workshop: pico.Workshop, name: str):
    return workshop.out / next(made.folder for made in workshop.manifest.artifacts() if made.name == name)


def fact(workshop: pico.Workshop, kind: str):
    return next(record for record in workshop.manifest.stages if record.kind == kind).facts


def test_every_stage_ran_and_a_second_run_does_nothing(adapted):
    assert [record.kind for record in adapted.manifest.stages] == [
        "corpus", "tokenizer", "embed", "pretrain", "propagate",
    ]  # fmt: skip
    assert {event for _, event in adapted.run()} == {"skipped"}


def test_old_rows_and_the_body_keep_every_bit_and_new_rows_moved(adapted):
    base, embedded, trained = adapted.folder / "base", folder_of(adapted, "embed"), folder_of(adapted, "pretrain")
    tables = find_tables(load_config(base)).names
    first = fact(adapted, "tokenizer")["old_size"]
    for name in shard_map(base):
        old, new, learnt = (read_tensor(folder, name) for folder in (base, embedded, trained))
        if name not in tables:
            assert torch.equal(old, new) and torch.equal(old, learnt), name
            continue
        assert torch.equal(old, new[:first]) and torch.equal(old, learnt[:first])
        assert len(new) == len(learnt) == first + fact(adapted, "tokenizer")["new_tokens"]
        assert not torch.equal(new[first:], learnt[first:])


def test_the_siblings_body_keeps_every_bit(adapted):
    sibling, made = adapted.folder / "sibling", folder_of(adapted, "propagate-instruct")
    tables = find_tables(load_config(sibling)).names
    for name in shard_map(sibling):
        if name not in tables:
            assert torch.equal(read_tensor(sibling, name), read_tensor(made, name)), name


def test_siblings_rows_of_old_tokens_and_service_tokens_are_its_own(adapted):
    sibling, made = adapted.folder / "sibling", folder_of(adapted, "propagate-instruct")
    first = fact(adapted, "tokenizer")["old_size"]
    for name in find_tables(load_config(sibling)).names:
        assert torch.equal(read_tensor(made, name)[:first], read_tensor(sibling, name))


@pytest.mark.parametrize("name", ["embed", "pretrain", "propagate-instruct"])
def test_adapted_models_load_with_transformers_alone(adapted, name):
    folder = folder_of(adapted, name)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    source = load_config(adapted.folder / "base").get_text_config()
    same = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert same == source.tie_word_embeddings
    assert model.config.vocab_size == len(model.get_input_embeddings().weight) > max(tokenizer.get_vocab().values())
    assert model.dtype == AutoModelForCausalLM.from_pretrained(adapted.folder / "base").dtype
    ids = torch.tensor([tokenizer.encode("Утро, the river.")])
    assert torch.isfinite(model(input_ids=ids).logits).all()


def test_the_tokenizer_writes_the_language_in_fewer_tokens_and_english_as_before(adapted):
    old = Tokenizer.from_file(str(adapted.folder / "base" / "tokenizer.json"))
    new = AutoTokenizer.from_pretrained(folder_of(adapted, "pretrain"))
    russian, english = " ".join(pico.russian(20)), " ".join(pico.english(20))
    assert len(new.encode(russian)) < 0.9 * len(old.encode(russian).ids)
    assert new.encode(english) == old.encode(english).ids
    assert new.decode(new.encode(russian)) == russian
    assert new.chat_template == pico.CHAT_TEMPLATE


def test_published_files_name_no_path_of_this_machine(adapted):
    for name in ("embed", "pretrain", "propagate-instruct"):
        for path in folder_of(adapted, name).glob("*.json"):
            assert str(adapted.folder) not in path.read_text("utf-8"), path


def test_shards_without_a_table_are_copied_byte_for_byte(adapted):
    base, made = adapted.folder / "base", folder_of(adapted, "embed")
    shards, tables = shard_map(base), find_tables(load_config(base)).names
    assert shard_map(made) == shards
    for shard in set(shards.values()) - {shards[name] for name in tables}:
        assert (base / shard).read_bytes() == (made / shard).read_bytes()
    for shard in set(shards.values()):
        with safe_open(made / shard, "pt") as file:
            assert file.metadata() == {"format": "pt"}
