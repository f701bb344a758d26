"""An extended `tokenizer.model` and `tokenizer.json` give equal ids; other text keeps its own; for BPE and Unigram."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pico
import pytest
import sentencepieces
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from strategies import mixed_text, other_text, russian_text
from tokenizers import Tokenizer

from hubadapt.model import load_tokenizer
from hubadapt.tokenizer.build import learn, unchanged
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.extend import extend
from hubadapt.tokenizer.families import Family, all_entries, family_of, read_merges
from hubadapt.tokenizer.gates.lossless import loses_no_more
from hubadapt.tokenizer.learn import Lesson, Merge
from hubadapt.tokenizer.protect import Protected
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import letter_pattern
from hubadapt.tokenizer.sentencepiece_model import (
    CONTROL,
    NORMAL,
    UNUSED,
    USER_DEFINED,
    keep_in_step,
    processor_of,
    read_model,
)
from hubadapt.tokenizer.sources import read_source
from hubadapt.tokenizer.unigram import extend_unigram
from hubadapt.tokenizer.vocabulary import NewVocabulary

CYRILLIC = sentencepieces.CYRILLIC
GAP = 5


@dataclass(frozen=True)
class Pair:
    """A base and what it was extended to, each as both files."""

    base: Path
    folder: Path
    vocabulary: NewVocabulary
    old: Tokenizer
    new: Tokenizer
    old_model: SentencePieceProcessor
    new_model: SentencePieceProcessor


def content_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "tokenizer.json").read_text("utf-8"))


def extended(base: Path, folder: Path, new_tokens: int = 60) -> Pair:
    content = content_of(base)
    rows = max(all_entries(content).values()) + 1
    additions = sentencepieces.learnt(content, pico.russian())
    vocabulary = additions.first(content, new_tokens, first_id=rows + GAP, old_rows=rows + GAP)
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(vocabulary.content), "utf-8")
    assert keep_in_step(base, folder, vocabulary) == {}
    tokenizers = [Tokenizer.from_file(str(place / "tokenizer.json")) for place in (base, folder)]
    models = [processor_of(read_model(place / "tokenizer.model")) for place in (base, folder)]
    return Pair(base, folder, vocabulary, *tokenizers, *models)


@pytest.fixture(scope="module", params=sentencepieces.KINDS)
def pair(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("pair")
    return extended(sentencepieces.write_folder(place / "base", request.param), place / "new")


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def base(request, tmp_path_factory):
    return sentencepieces.write_folder(tmp_path_factory.mktemp("base"), request.param)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


plain_text = st.lists(
    st.one_of(russian_text, st.text("abcdefghijklmnopqrstuvwxyz ABC,.!?'é中🙂-0123", max_size=30)), max_size=5
).map("".join)


@settings(max_examples=150)
@given(text=plain_text)
@example(text="  два  пробела ")
@example(text="щука, эхо и ёж")
def test_both_files_give_equal_ids(pair, text):
    assert pair.old_model.encode(text) == ids(pair.old, text)
    assert pair.new_model.encode(text) == ids(pair.new, text)


@settings(max_examples=150)
@given(text=mixed_text)
def test_both_files_give_equal_ids_wherever_those_of_the_base_do(pair, text):
    assume(pair.old_model.encode(text) == ids(pair.old, text))
    assert pair.new_model.encode(text) == ids(pair.new, text)


@settings(max_examples=150)
@given(text=other_text)
@example(text="<unused row 461> naïve Ω ≈ 中文  \n\n\t 🙂👩‍🚀 e\u0301")
def test_text_without_the_script_keeps_its_ids_in_both(pair, text):
    assume(not letter_pattern(CYRILLIC).search(pair.old.normalizer.normalize_str(text)))
    assert ids(pair.new, text) == ids(pair.old, text)
    assert pair.new_model.encode(text) == pair.old_model.encode(text)


@given(text=russian_text)
def test_new_tokens_taken_apart_are_a_segmentation_of_the_same_text(pair, text):
    first = pair.vocabulary.first_new
    apart = [part for index in ids(pair.new, text) for part in (
        pair.vocabulary.pieces[index - first] if index >= first else (index,)
    )]  # fmt: skip
    assert max(apart, default=0) < first - GAP
    if family_of(pair.vocabulary.content) is Family.BYTE_FALLBACK_BPE:
        assert pair.old.decode(apart, skip_special_tokens=False) == pair.new.decode(ids(pair.new, text))


def test_the_model_has_a_piece_for_every_id(pair):
    model = read_model(pair.folder / "tokenizer.model")
    entries = {index: entry for entry, index in pair.new.get_vocab().items()}
    kinds = [piece.type for piece in model.pieces]
    first, old = pair.vocabulary.first_new, len(pair.old_model)
    assert {index: piece.piece for index, piece in enumerate(model.pieces)}.items() >= entries.items()
    assert kinds[old:first] == [UNUSED] * GAP
    assert kinds[first:] == [NORMAL] * len(pair.vocabulary.tokens)
    assert list(model.pieces[:old]) == list(read_model(pair.base / "tokenizer.model").pieces)
    assert model.trainer_spec.vocab_size == len(model.pieces)


def test_every_new_token_is_reached_and_old_ids_stay(pair):
    vocab = pair.new.get_vocab()
    assert pair.old.get_vocab().items() <= vocab.items()
    assert len(pair.vocabulary.tokens) > 30
    for place, token in enumerate(pair.vocabulary.tokens):
        assert vocab[token] == pair.vocabulary.first_new + place
        assert [part.value for part in pair.new.model.tokenize(token)] == [token]


def test_characters_that_the_base_lacks_are_added(pair):
    missing = {character for text in pico.russian() for character in text.lower()} - pair.old.get_vocab().keys() - {" "}
    assert {*"юяё"} <= missing
    assert {*"юяё"} <= {*pair.vocabulary.tokens}
    russian = " ".join(pico.russian(30))
    assert len(ids(pair.new, russian)) < 0.8 * len(ids(pair.old, russian))
    assert pair.new.decode(ids(pair.new, russian)) == russian


def test_the_folder_loads_as_downstream_users_load_it(pair, tmp_path):
    for name in ("tokenizer.json", "tokenizer.model"):
        (tmp_path / name).write_bytes((pair.folder / name).read_bytes())
    (tmp_path / "tokenizer_config.json").write_bytes((pair.base / "tokenizer_config.json").read_bytes())
    text = "Утро, the river: щука."
    assert load_tokenizer(tmp_path).encode(text, add_special_tokens=False) == pair.new_model.encode(text)


def test_scores_of_new_pieces_fall_even_where_the_lowest_old_one_is_a_billion_below_zero(tmp_path):
    base = sentencepieces.write_folder(tmp_path / "base", "bpe")
    model = read_model(base / "tokenizer.model")
    model.pieces[len(model.pieces) - 1].score = -1e9
    (base / "tokenizer.model").write_bytes(model.SerializeToString())
    vocabulary = extended(base, tmp_path / "new").vocabulary
    new = read_model(tmp_path / "new" / "tokenizer.model").pieces[vocabulary.first_new :]
    scores = [-1e9, *(piece.score for piece in new)]
    assert all(later < earlier for earlier, later in pairwise(scores))


def test_added_tokens_that_only_the_json_has_become_pieces(base, tmp_path):
    content = content_of(base)
    last = max(all_entries(content).values())
    for place, special in enumerate((True, False)):
        token = {**content["added_tokens"][0], "id": last + 1 + place, "content": f"<|tool_{place}|>"}
        content["added_tokens"].append({**token, "special": special})
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    (tmp_path / "base" / "tokenizer.model").write_bytes((base / "tokenizer.model").read_bytes())
    pair = extended(tmp_path / "base", tmp_path / "new")
    pieces = read_model(tmp_path / "new" / "tokenizer.model").pieces
    assert [(piece.piece, piece.type) for piece in pieces[last + 1 : last + 3]] == [
        ("<|tool_0|>", CONTROL), ("<|tool_1|>", USER_DEFINED),
    ]  # fmt: skip
    assert pair.new.token_to_id("<|tool_1|>") == last + 2
    assert pair.new_model.encode("река и дом") == ids(pair.new, "река и дом")


def test_a_model_of_another_vocabulary_is_left_out(base, tmp_path):
    content = content_of(base)
    rows = max(all_entries(content).values()) + 1
    vocabulary = sentencepieces.learnt(content, pico.russian()).first(content, 20, first_id=rows, old_rows=rows)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    other = "unigram with bytes" if family_of(content) is Family.UNIGRAM else "bpe without a space before"
    (tmp_path / "base" / "tokenizer.model").write_bytes(sentencepieces.trained(other))
    (tmp_path / "tokenizer.model").write_bytes(b"copied")
    reason = keep_in_step(tmp_path / "base", tmp_path, vocabulary)["tokenizer.model"]
    assert "has no piece" in reason or "does not load" in reason
    assert not (tmp_path / "tokenizer.model").exists()


def test_a_base_without_a_model_gets_none(base, tmp_path):
    content = content_of(base)
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    vocabulary = NewVocabulary(content, range(10), (), (), 10)
    assert keep_in_step(tmp_path, tmp_path, vocabulary) == {}
    assert not (tmp_path / "tokenizer.model").exists()


def test_the_same_words_in_another_order_give_the_same_bytes(pair, tmp_path):
    content = content_of(pair.base)
    rows = pair.vocabulary.first_new
    again = sentencepieces.learnt(content, pico.russian()[::-1]).first(content, 60, first_id=rows, old_rows=rows)
    assert again.content == pair.vocabulary.content
    assert keep_in_step(pair.base, tmp_path, again) == {}
    assert (tmp_path / "tokenizer.model").read_bytes() == (pair.folder / "tokenizer.model").read_bytes()


def test_an_old_entry_is_made_of_new_ones_where_it_always_was_in_rank():
    content = json.loads(pico.byte_fallback_tokenizer().to_str())
    for entry in ("а", "б", "в", "бв", "абв"):
        content["model"]["vocab"][entry] = len(content["model"]["vocab"])
    content["model"]["merges"] = [["б", "в"], ["а", "бв"], *content["model"]["merges"]]
    first_id = len(content["model"]["vocab"])
    merges = read_merges(extend(content, [Merge("а", "б")], first_id=first_id).content)
    assert merges[:3] == [("б", "в"), ("а", "бв"), ("аб", "в")]
    assert merges[-1] == ("а", "б")


def test_unigram_scores_of_old_pieces_stay_and_no_new_one_is_lower(tmp_path):
    content = content_of(sentencepieces.write_folder(tmp_path, "unigram"))
    old = content["model"]["vocab"]
    additions = sentencepieces.learnt(content, pico.russian())
    new = additions.first(content, 60, first_id=len(old) + 2, old_rows=len(old)).content["model"]["vocab"]
    assert new[: len(old)] == old
    scores = [score for _, score in new[len(old) :]]
    assert min(scores) >= min(score for _, score in old)
    assert all(score == float(np.float32(score)) for score in scores)
    assert sum(math.exp(score) for score in additions.pieces.values()) < 1


def test_unigram_pieces_of_a_latin_language_leave_protected_words_alone(tmp_path):
    content = content_of(sentencepieces.write_folder(tmp_path, "unigram"))
    latin = ("Latin",)
    dialect, rules = dialect_of(content, latin), Rules(latin)
    old = Tokenizer.from_str(json.dumps(content))
    shared = next(word for text in pico.english() for word in text.split() if len(ids(old, word)) > 2)
    words = count_words([f"la rivière verte et {shared} la ville"] * 40, dialect, latin)
    protected = Protected.of_texts(pico.english(), dialect, latin)
    lesson = Lesson(40, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    base = unchanged(content, 1)
    free, careful = (learn(base, words, lesson, protected=some).pieces for some in (None, protected))
    assert careful and len(careful) < len(free)
    rows = max(all_entries(content).values()) + 1
    new = extend_unigram(content, careful, first_id=rows).tokenizer
    for text in pico.english():
        assert ids(new, text) == ids(old, text)


def test_a_taken_id_is_refused(base):
    content = content_of(base)
    with pytest.raises(ValueError, match="is taken"):
        sentencepieces.learnt(content, pico.russian()).first(content, 5, first_id=3, old_rows=3)


@given(
    st.lists(st.text("ab ", max_size=4), min_size=1, max_size=6),
    st.lists(st.text("ab", max_size=3), min_size=5, max_size=5),
)
def test_a_text_in_which_unknown_tokens_became_known_loses_no_more(parts, known):
    before = "<unk>".join(parts)
    after = parts[0] + "".join(word + part for word, part in zip(known, parts[1:], strict=False))
    assert loses_no_more(before, after, "<unk>")
    assert loses_no_more(before, before, "<unk>") and loses_no_more(before, before, None)
    assert loses_no_more(before, after, None) == (before == after)


@pytest.mark.parametrize("after", ["", "a", "ba c", "a cb", "axc", "a b x"])
def test_a_text_that_lost_what_the_base_kept_loses_more(after):
    assert not loses_no_more("a <unk>b<unk> c", after, "<unk>")


@pytest.mark.parametrize("style", ["llama3"])
@settings(max_examples=100)
@given(text=mixed_text)
def test_a_tekken_file_gives_the_ids_of_its_ranks(style, tmp_path_factory, text):
    tokenizer = tekken(style, tmp_path_factory)
    reference = pico.tokenizer_of(style)
    reference_ids = [index + 6 for index in ids(reference, text)]
    assume(not any(token in text for token in pico.SPECIALS))
    assert ids(tokenizer, text) == reference_ids


_TEKKEN: dict[str, Tokenizer] = {}


def tekken(style: str, factory: pytest.TempPathFactory) -> Tokenizer:
    if style not in _TEKKEN:
        path = sentencepieces.write_tekken(factory.mktemp("tekken") / "tekken.json", pico.tokenizer_of(style))
        _TEKKEN[style] = Tokenizer.from_str(json.dumps(read_source(path)))
    return _TEKKEN[style]


def test_a_tekken_file_of_the_first_format_has_the_special_tokens_of_then(tmp_path):
    path = sentencepieces.write_tekken(tmp_path / "tekken.json", pico.tokenizer_of("llama3"))
    content = json.loads(path.read_text("utf-8"))
    del content["special_tokens"]
    content["config"] |= {"default_num_special_tokens": 22, "default_vocab_size": len(content["vocab"]) + 22}
    path.write_text(json.dumps(content), "utf-8")
    tokenizer = Tokenizer.from_str(json.dumps(read_source(path)))
    assert [tokenizer.id_to_token(index) for index in (0, 2, 4, 11, 21)] == [
        "<unk>", "</s>", "[/INST]", "<pad>", "<SPECIAL_21>",
    ]  # fmt: skip
    assert ids(tokenizer, "The river") == [index + 22 for index in ids(pico.tokenizer_of("llama3"), "The river")]


def test_versions_of_mistrals_models_are_known_by_their_names(tmp_path):
    (tmp_path / "tokenizer.model.v3").write_bytes(sentencepieces.trained("bpe"))
    assert read_source(tmp_path) == read_source(tmp_path / "tokenizer.model.v3")
