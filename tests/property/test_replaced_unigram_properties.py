"""A Unigram trained anew: equal text gives equal bytes, nothing the base can write is lost, every piece is reached."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pico
import pytest
import sentencepieces
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from strategies import mixed_text
from tokenizers import Tokenizer

from hubadapt.tokenizer.families import Family, all_entries, family_of, unknown_entry
from hubadapt.tokenizer.folder import write_folder
from hubadapt.tokenizer.gates.lossless import loses_no_more
from hubadapt.tokenizer.replace import at_ratios, replace
from hubadapt.tokenizer.vocabulary import NewVocabulary

SIZES = {"unigram": 150, "unigram with bytes": 420}
TEXTS = {"ru": pico.russian(80), "en": pico.english(80)}


def trained(base: Path, size: int, texts=None) -> NewVocabulary:
    content = json.loads((base / "tokenizer.json").read_text("utf-8"))
    rows = max(all_entries(content).values()) + 1
    return replace(content, at_ratios(texts or TEXTS, {"ru": 1, "en": 1}), size=size, old_rows=rows)


@pytest.fixture(scope="module", params=SIZES)
def replaced(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("replaced")
    base = sentencepieces.write_folder(place / "base", request.param)
    vocabulary = trained(base, SIZES[request.param])
    assert write_folder(base, place / "new", vocabulary) == {}
    return base, place / "new", vocabulary


@pytest.fixture(scope="module")
def loaded(replaced):
    """Tokenizers and SentencePiece models of the base's folder and of the new one."""
    places = replaced[:2]
    return (
        [Tokenizer.from_file(str(place / "tokenizer.json")) for place in places],
        [SentencePieceProcessor(model_file=str(place / "tokenizer.model")) for place in places],
    )


def test_it_is_of_the_same_family_and_of_the_size_asked(replaced):
    _, folder, vocabulary = replaced
    size = len(all_entries(vocabulary.content))
    assert family_of(vocabulary.content) is Family.UNIGRAM
    assert size in SIZES.values() and size == len(vocabulary.copied) + len(vocabulary.tokens)
    assert len(SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))) == size


def test_equal_text_in_any_order_gives_equal_bytes(replaced):
    base, _, vocabulary = replaced
    content = json.loads((base / "tokenizer.json").read_text("utf-8"))
    mixed, size = [*at_ratios(TEXTS, {"ru": 1, "en": 1})], len(all_entries(vocabulary.content))
    for texts in (mixed, mixed[::-1]):
        again = replace(content, texts, size=size, old_rows=vocabulary.old_rows)
        assert json.dumps(again.content) == json.dumps(vocabulary.content)
        assert (again.copied, again.pieces) == (vocabulary.copied, vocabulary.pieces)


def test_special_tokens_stay_by_content_and_role(replaced, loaded):
    (old, new), (_, model) = loaded
    assert [token.content for token in new.get_added_tokens_decoder().values()] == [
        token.content for token in old.get_added_tokens_decoder().values()
    ]
    assert unknown_entry(replaced[2].content) == "<unk>"
    assert [new.id_to_token(index) for index in (model.unk_id(), model.bos_id(), model.eos_id())] == [
        "<unk>", "<s>", "</s>",
    ]  # fmt: skip


@settings(max_examples=100)
@given(text=mixed_text)
def test_no_text_is_lost_that_the_base_keeps(loaded, text):
    before, after = (one.decode(one.encode(text).ids, skip_special_tokens=False) for one in loaded[0])
    assert loses_no_more(before, after, "<unk>")


@settings(max_examples=100)
@given(text=st.text(st.sampled_from("абвгдежзиклмнопрстуыья abcdefghijklmnoprstuvwy.,!123"), max_size=60))
def test_the_model_beside_it_gives_the_same_ids(loaded, text):
    tokenizers, models = loaded
    old, new = (model.encode(text) == one.encode(text).ids for one, model in zip(tokenizers, models, strict=True))
    assert new or not old


def test_every_new_piece_is_written_as_itself_and_made_of_old_ones(replaced):
    base, _, vocabulary = replaced
    old = Tokenizer.from_file(str(base / "tokenizer.json"))
    unknown = old.token_to_id("<unk>")
    assert len(vocabulary.tokens) > 20
    for token, pieces in zip(vocabulary.tokens, vocabulary.pieces, strict=True):
        assert [part.value for part in vocabulary.tokenizer.model.tokenize(token)] == [token]
        if unknown not in pieces and not any(old.id_to_token(piece).startswith("<0x") for piece in pieces):
            assert "".join(old.id_to_token(piece) for piece in pieces) == token


def test_scores_are_those_of_one_distribution(replaced):
    scores = [score for entry, score in replaced[2].content["model"]["vocab"] if not entry.startswith("<")]
    assert 0.5 < sum(map(math.exp, scores)) < 1.01


def test_without_byte_pieces_characters_that_only_the_base_has_stay(tmp_path):
    base = sentencepieces.write_folder(tmp_path / "base", "unigram")
    vocabulary = trained(base, 110, {"ru": pico.russian(80), "en": ["the"] * 40})
    old = json.loads((base / "tokenizer.json").read_text("utf-8"))
    assert {entry for entry in all_entries(old) if len(entry) == 1} <= all_entries(vocabulary.content).keys()
    assert len(all_entries(vocabulary.content)) == 110


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        (3, "3 entries leave no room"),
        (20, "cannot train 17 pieces"),
        (60, "no room beside the"),
        (9000, "the texts give"),
    ],
)
def test_a_size_that_cannot_be_is_refused(tmp_path, size, problem):
    base = sentencepieces.write_folder(tmp_path / "base", "unigram")
    with pytest.raises(ValueError, match=problem):
        trained(base, size, {"ru": pico.russian(80), "en": ["the"] * 40} if size == 60 else TEXTS)
