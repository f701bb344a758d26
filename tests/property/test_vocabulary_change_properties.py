"""Vocabularies that shrink, are replaced, or take a donor's words: ids move together, rows stay with their tokens."""

from __future__ import annotations

import json

import pico
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import mixed_text, other_text
from tokenizers import Tokenizer

from hubadapt.tokenizer.build import added, learn, reduced, unchanged
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.donor import donor_words
from hubadapt.tokenizer.extend import segmenter
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.replace import at_ratios, replace
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import letter_pattern, occurs_in_scripts_alone
from hubadapt.tokenizer.trim import trim
from hubadapt.tokenizer.vocabulary import NewVocabulary, stacked
from hubadapt.vocab_map import Origin

CYRILLIC, LATIN = ("Cyrillic",), ("Latin",)
STYLES = (*pico.BYTE_LEVEL_STYLES, "byte-fallback")


def content_of(style: str) -> dict:
    return json.loads(pico.tokenizer_of(style).to_str())


def rows_of(content: dict) -> int:
    return max(all_entries(content).values()) + 1


def grown(content: dict, *, new_tokens: int = 60, first: int | None = None, without: tuple[str, ...] = ()):
    """A vocabulary reduced and then extended with Russian, with what it was learnt on."""
    start = reduced(unchanged(content, rows_of(content)), first=first, without=without)
    dialect, rules = dialect_of(start.content, CYRILLIC), Rules(CYRILLIC)
    words = count_words(pico.russian(), dialect, CYRILLIC)
    lesson = Lesson(new_tokens, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    additions = learn(start, words, lesson)
    return added(start, additions, new_tokens=new_tokens, first_id=len(start.copied)), words, lesson


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def apart(vocabulary: NewVocabulary, text: str) -> list[int]:
    """The old ids that a text's new ones stand for."""
    return [
        old
        for token in ids(vocabulary.tokenizer, text)
        for old in (
            vocabulary.pieces[token - vocabulary.first_new]
            if token >= vocabulary.first_new
            else (vocabulary.copied[token],)
        )
    ]


def has_russian(style: str) -> NewVocabulary:
    """A base that knows Russian, for taking it away again."""
    return grown(content_of(style))[0]


@pytest.fixture(scope="module", params=STYLES)
def style(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def without_russian(style) -> tuple[dict, NewVocabulary]:
    base = has_russian(style).content
    return base, reduced(unchanged(base, rows_of(base)), first=None, without=CYRILLIC)


def test_dropping_a_script_takes_all_its_tokens_and_no_other(without_russian):
    base, smaller = without_russian
    to_bytes = dialect_of(base).to_bytes
    service = {token["content"] for token in base["added_tokens"]}
    gone = set(all_entries(base)) - set(smaller.content["model"]["vocab"])
    assert gone == {
        entry for entry in base["model"]["vocab"]
        if entry not in service and occurs_in_scripts_alone(to_bytes(entry), CYRILLIC)
        and not (len(to_bytes(entry)) == 1 and entry not in {a + b for a, b in base["model"]["merges"]})
    }  # fmt: skip
    assert gone


@given(text=other_text)
def test_text_without_the_dropped_script_keeps_its_tokens(without_russian, text):
    base, smaller = without_russian
    if not letter_pattern(CYRILLIC).search(text):
        assert apart(smaller, text) == ids(Tokenizer.from_str(json.dumps(base)), text)


@given(text=mixed_text)
def test_text_in_the_dropped_script_survives_in_smaller_pieces(without_russian, text):
    base, smaller = without_russian
    old = Tokenizer.from_str(json.dumps(base))
    assert smaller.tokenizer.decode(ids(smaller.tokenizer, text)) == old.decode(ids(old, text))


def test_service_tokens_keep_text_and_flags_and_their_rows(without_russian):
    base, smaller = without_russian
    for before, after in zip(base["added_tokens"], smaller.content["added_tokens"], strict=True):
        assert {**after, "id": None} == {**before, "id": None}
        assert smaller.copied[after["id"]] == before["id"]


def test_ids_have_no_gap_and_rows_follow_their_tokens(without_russian):
    base, smaller = without_russian
    entries, old = all_entries(smaller.content), all_entries(base)
    assert sorted(entries.values()) == list(range(len(smaller.copied)))
    assert all(old[entry] == smaller.copied[index] for entry, index in entries.items())
    moved = smaller.vocab_map().moved_ids()
    assert moved == {old_id: new_id for new_id, old_id in enumerate(smaller.copied)}


def test_keeping_the_first_entries_keeps_merges_whose_parts_stay():
    base = content_of("gpt2")
    smaller = reduced(unchanged(base, rows_of(base)), first=300, without=())
    vocab = smaller.content["model"]["vocab"]
    for left, right in smaller.content["model"]["merges"]:
        assert {left, right, left + right} <= set(vocab)
    assert len(smaller.copied) < rows_of(base)
    assert all(old < 300 or old >= rows_of(base) - len(pico.SPECIALS) for old in smaller.copied)


def test_a_reduced_vocabulary_that_was_extended_still_comes_apart_into_tokens_of_the_base(style):
    base = has_russian(style).content
    old = Tokenizer.from_str(json.dumps(base))
    vocabulary, _, _ = grown(base, without=CYRILLIC)
    for text in [*pico.russian(20), *pico.english(5)]:
        assert old.decode(apart(vocabulary, text)) == old.decode(ids(old, text))
    vocab_map = vocabulary.vocab_map()
    assert vocab_map.new_size == len(vocabulary.copied) + len(vocabulary.tokens)
    assert (vocab_map.origins[: vocabulary.first_new] == Origin.COPIED).all()


def test_a_replaced_vocabulary_loses_no_text(style):
    base = content_of(style)
    texts = {"ru": pico.russian(80), "en": pico.english(80)}
    mixed = at_ratios(texts, {"ru": 1, "en": 1})
    vocabulary = replace(base, mixed, size=520, old_rows=rows_of(base))
    old, new = Tokenizer.from_str(json.dumps(base)), vocabulary.tokenizer
    for text in [*texts["ru"][:20], "naïve Ω 中文 🙂\n\t <0x41> x", "".join(map(chr, range(1, 256)))]:
        assert new.decode(ids(new, text), skip_special_tokens=False) == old.decode(
            ids(old, text), skip_special_tokens=False
        )


def test_a_replaced_vocabulary_copies_what_both_have_and_composes_the_rest(style):
    base = content_of(style)
    vocabulary = replace(base, pico.russian(80), size=460, old_rows=rows_of(base))
    entries, old = all_entries(vocabulary.content), all_entries(base)
    to_bytes, names = dialect_of(base).to_bytes, {index: entry for entry, index in old.items()}
    assert len(entries) == 460
    for entry, index in entries.items():
        if index < vocabulary.first_new:
            assert old[entry] == vocabulary.copied[index]
        else:
            pieces = vocabulary.pieces[index - vocabulary.first_new]
            assert b"".join(to_bytes(names[piece]) for piece in pieces) == to_bytes(entry)


def test_a_text_that_gives_fewer_entries_than_asked_says_how_many():
    base = content_of("gpt2")
    with pytest.raises(ValueError, match=r"the texts give [34]\d\d entries of the 9,000 asked"):
        replace(base, pico.russian(5), size=9000, old_rows=rows_of(base))


def test_a_replaced_vocabulary_needs_room_for_bytes_and_service_tokens():
    base = content_of("gpt2")
    with pytest.raises(ValueError, match="250 entries leave no room beside 3 added tokens and the bytes"):
        replace(base, pico.russian(5), size=250, old_rows=rows_of(base))


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_texts_stand_in_the_ratios_asked(first, second):
    texts = {"ru": pico.russian(200), "en": pico.english(200)}
    mixed = list(at_ratios(texts, {"ru": first, "en": second}))
    sizes = [
        sum(len(text) for text in mixed if bool(letter_pattern(CYRILLIC).search(text)) is ru) for ru in (True, False)
    ]
    assert sizes[0] / sum(sizes) == pytest.approx(first / (first + second), abs=0.02)
    assert sum(sizes) == pytest.approx(sum(len(text) for chosen in texts.values() for text in chosen), rel=0.02)


def test_a_ratio_without_text_is_named():
    with pytest.raises(ValueError, match="there is no text in fr"):
        list(at_ratios({"ru": ["да"]}, {"ru": 1, "fr": 1}))


def unigram(content: dict) -> dict:
    """A Unigram with the entries of a byte-level BPE, the first the likeliest."""
    vocab = content["model"]["vocab"]
    scores = [[entry, -1 - 0.02 * place] for place, entry in enumerate(sorted(vocab, key=vocab.__getitem__))]
    return {**content, "model": {"type": "Unigram", "unk_id": None, "vocab": scores}}


@pytest.mark.parametrize("make", [dict, unigram], ids=["bpe", "unigram"])
def test_every_word_of_a_donor_becomes_one_token(style, make):
    donor = make(replace(content_of("gpt2"), pico.russian(100), size=400, old_rows=340).content)
    base = content_of(style)
    dialect, rules = dialect_of(base, CYRILLIC), Rules(CYRILLIC)
    words = donor_words(donor, dialect, rules, name="donor")
    lesson = Lesson(10_000, 1, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    start = unchanged(base, rows_of(base))
    additions = learn(start, words, lesson)
    vocabulary = added(start, additions, new_tokens=10_000, first_id=rows_of(base))
    segment = vocabulary.tokenizer.model.tokenize
    assert words
    assert [word for word in words if len(segment(word)) > 1] == []


def test_trimmed_tokens_are_those_hardly_used_and_not_built_on(style):
    content = content_of(style)
    _, words, lesson = grown(content, new_tokens=80)
    start = unchanged(content, rows_of(content))
    additions = learn(start, words, lesson)
    known = {*all_entries(content), *additions.characters}
    kept = trim(additions.merges, known, words, segmenter(content, additions.characters), least_uses=70)
    assert set(kept) < set(additions.merges)
    sides = {side for merge in kept for side in (merge.left, merge.right)}
    segment = segmenter(content, additions.characters)(kept)
    uses = {merge.token: 0 for merge in kept}
    for word, count in words.items():
        for entry in segment(word):
            if entry in uses:
                uses[entry] += count
    assert all(count >= 70 or token in sides or token in known for token, count in uses.items())


def test_two_changes_stacked_are_one(style):
    content = has_russian(style).content
    once = reduced(unchanged(content, rows_of(content)), first=None, without=CYRILLIC)
    twice = stacked(once, reduced(unchanged(once.content, len(once.copied)), first=None, without=LATIN))
    names = {index: entry for entry, index in all_entries(content).items()}
    assert all(names[twice.copied[index]] == entry for entry, index in all_entries(twice.content).items())


@settings(max_examples=30)
@given(text=mixed_text)
def test_an_empty_change_changes_nothing(style, text):
    content = content_of(style)
    same = reduced(unchanged(content, rows_of(content)), first=None, without=())
    assert same.content == content and same.vocab_map().moved_ids() is None
