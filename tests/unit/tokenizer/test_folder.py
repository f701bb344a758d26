"""What comes along into the folder of a changed tokenizer, what is left out, and that the card says so."""

from __future__ import annotations

import json

import pico
import pytest
import sentencepieces
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.card import model_card
from hubadapt.lineage import Names
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.folder import write_folder

OTHER_FORMATS = ("added_tokens.json", "merges.txt", "qwen.tiktoken", "tekken.json", "tokenizer.model.v3", "vocab.json")


def extension(base):
    content = json.loads((base / "tokenizer.json").read_text("utf-8"))
    rows = max(all_entries(content).values()) + 1
    return sentencepieces.learnt(content, pico.russian()).first(content, 20, first_id=rows, old_rows=rows)


def extended(base, folder):
    return write_folder(base, folder, extension(base))


def test_nothing_is_left_out_of_a_base_whose_files_all_come_along(tmp_path):
    assert extended(pico.write_tokenizer(tmp_path / "base"), tmp_path / "new") == {}
    assert extended(sentencepieces.write_folder(tmp_path / "spelled", "bpe"), tmp_path / "other") == {}
    assert (tmp_path / "other" / "tokenizer.model").is_file()


@given(st.sets(st.sampled_from(OTHER_FORMATS)))
def test_files_with_the_old_vocabulary_are_left_out_and_named(tmp_path_factory, names):
    place = tmp_path_factory.mktemp("folder")
    base = pico.write_tokenizer(place / "base")
    for name in (*names, "README.md", "config.json"):
        (base / name).write_text("{}")
    left_out = extended(base, place / "new")
    assert left_out == dict.fromkeys(sorted(names), "it holds the vocabulary as it was")
    assert not {path.name for path in (place / "new").iterdir()} & {*OTHER_FORMATS}


def test_a_model_file_of_another_format_is_left_out_with_the_reason(tmp_path):
    base = pico.write_tokenizer(tmp_path / "base")
    (base / "tokenizer.model").write_bytes(b"IQ== 0\n")
    left_out = extended(base, tmp_path / "new")
    assert left_out == {"tokenizer.model": "beside a byte-level BPE it is a file of another format"}
    assert not (tmp_path / "new" / "tokenizer.model").exists()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("bpe without a space before", "has no piece '"),
        ("unigram with bytes", "has no piece '"),
    ],
)
def test_a_sentencepiece_model_that_cannot_be_kept_in_step_is_left_out_with_the_reason(tmp_path, other, reason):
    base = sentencepieces.write_folder(tmp_path / "base", "bpe")
    (base / "tokenizer.model").write_bytes(sentencepieces.trained(other))
    left_out = extended(base, tmp_path / "new")
    assert reason in left_out["tokenizer.model"]
    assert not (tmp_path / "new" / "tokenizer.model").exists()


def test_a_model_that_would_give_other_ids_is_left_out_with_a_text_that_shows_it(tmp_path):
    base = sentencepieces.write_folder(tmp_path / "base", "bpe")
    vocabulary = extension(base)
    # SentencePiece joins by the order of ids, which these merges no longer follow.
    vocabulary.content["model"]["merges"].reverse()
    left_out = write_folder(base, tmp_path / "new", vocabulary)
    assert "it would give other ids than tokenizer.json, first for '" in left_out["tokenizer.model"]
    assert not (tmp_path / "new" / "tokenizer.model").exists()


def test_the_card_says_what_is_left_out_and_why(workshop):
    (workshop.folder / "base" / "merges.txt").write_text("#version: 0.2\n")
    (workshop.folder / "base" / "tokenizer.model").write_bytes(b"IQ== 0\n")
    workshop.content["stages"] = workshop.content["stages"][:3]
    workshop.write()
    workshop.run()
    manifest = workshop.manifest
    embedded = next(made for made in manifest.artifacts() if made.name == "embed")
    card = model_card(manifest, embedded, Names(manifest, "me"))
    assert "* `merges.txt`: it holds the vocabulary as it was\n" in card
    assert "* `tokenizer.model`: beside a byte-level BPE it is a file of another format\n" in card
