"""Puts the steps of a vocabulary change together: take entries out, then learn new ones on top of what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from hubadapt.errors import CorpusError
from hubadapt.tokenizer.additions import Additions
from hubadapt.tokenizer.characters import missing_characters
from hubadapt.tokenizer.extend import segmenter, splits
from hubadapt.tokenizer.families import Family, all_entries, family_of
from hubadapt.tokenizer.learn import Lesson, learn_merges
from hubadapt.tokenizer.protect import Protected, pairs_apart
from hubadapt.tokenizer.reduce import keep_first, keep_without, reduce
from hubadapt.tokenizer.sweep import Sweep, knee, sweep_sizes
from hubadapt.tokenizer.trim import trim
from hubadapt.tokenizer.unigram import learn_pieces
from hubadapt.tokenizer.vocabulary import NewVocabulary, stacked

SWEEP = tuple(2**power for power in range(7, 17))
"""Numbers of new tokens tried where the size is left open."""

# What a size that is asked for is divided by, to see how density grows up to it: each costs a tokenizer.
_PARTS = (16, 4, 2, 1)

_USUAL_OCCURRENCES = 100
_WORDS_FOR_ONE = 20_000


def unchanged(content: dict[str, Any], old_rows: int) -> NewVocabulary:
    """The base's own vocabulary, as the start of a change."""
    return NewVocabulary(content, range(old_rows), (), (), old_rows)


def reduced(vocabulary: NewVocabulary, *, first: int | None, without: tuple[str, ...]) -> NewVocabulary:
    """A vocabulary without the entries past the first few, and without those of unwanted scripts."""
    if first is not None:
        keep = keep_first(first)
        vocabulary = stacked(vocabulary, reduce(vocabulary.content, keep, old_rows=len(vocabulary.copied)))
    if without:
        keep = keep_without(vocabulary.content, without)
        vocabulary = stacked(vocabulary, reduce(vocabulary.content, keep, old_rows=len(vocabulary.copied)))
    return vocabulary


def usual_occurrences(words: Mapping[str, int]) -> int:
    """How often a pair must occur to be merged: 100 times, less where the corpus has fewer than 2 million words."""
    return max(2, min(_USUAL_OCCURRENCES, sum(words.values()) // _WORDS_FOR_ONE))


def learn(
    vocabulary: NewVocabulary,
    words: Mapping[str, int],
    lesson: Lesson,
    *,
    protected: Protected | None = None,
    least_uses: int = 0,
) -> Additions:
    """Learn what to add to a vocabulary.

    Args:
        vocabulary: What to start from.
        words: Pre-tokens with their counts, as its dialect cuts them.
        lesson: How much to learn, and what is allowed; its `apart` is set here.
        protected: English text, for a language that shares its script.
        least_uses: See `trim`.
    """
    content, protected = vocabulary.content, protected or Protected()
    if family_of(content) is Family.UNIGRAM:
        used = replace(lesson, min_occurrences=max(lesson.min_occurrences, least_uses))
        return Additions(pieces=learn_pieces(words, content, used, protected))
    lesson = _careful(lesson, words, content, protected)
    characters = missing_characters(words, content, lesson)
    segment, known = segmenter(content, characters), {*all_entries(content), *characters}
    merges = learn_merges(words, known, segment, replace(lesson, new_tokens=lesson.new_tokens - len(characters)))
    if least_uses:
        merges = trim(merges, known, words, segment, least_uses=least_uses)
    return Additions(characters, merges)


def _careful(lesson: Lesson, words: Mapping[str, int], content: dict[str, Any], protected: Protected) -> Lesson:
    """The lesson that leaves out what protected text would feel."""
    apart, known = pairs_apart(protected, words, content), all_entries(content)
    if family_of(content) is Family.BYTE_LEVEL_BPE:
        return replace(lesson, apart=apart)
    # SentencePiece joins any two entries whose sum is one, whichever way it was learnt.
    return replace(
        lesson, apart=apart, allow=lambda entry: lesson.allow(entry) and apart.isdisjoint(splits(entry, known))
    )


def choose_size(
    vocabulary: NewVocabulary, additions: Additions, texts: Sequence[str], *, first_id: int, asked: int | None
) -> tuple[int, Sweep]:
    """How many of the additions to take, and how dense vocabularies of several sizes are, that one among them.

    Args:
        vocabulary: What to start from.
        additions: As `learn` gives them.
        texts: Texts that were not learnt from.
        first_id: Id of the first new token.
        asked: So many, or all where there are fewer; sizes up to it are measured. None takes the knee of all sizes.

    Raises:
        CorpusError: Not even the first new tokens gain anything worth their rows, or the corpus gives too few.
    """
    found = additions.count(all_entries(vocabulary.content))
    measure = partial(sweep_sizes, vocabulary.content, additions, texts, old_rows=first_id)
    if asked is not None:
        most = min(asked, found)
        return most, measure([size for part in _PARTS if (size := most // part)])
    sweep = measure([*(size for size in SWEEP if size < found), found])
    size = knee(sweep)
    if size == 0:
        density = sweep.points[0].characters_per_token.value
        raise CorpusError(
            f"no number of new tokens is worth their rows: the corpus gives {found:,}, and the base writes "
            f"{density:.2f} characters per token.",
            "Use the model as it is, set `new_tokens` to a number, or give the corpus more text.",
        )
    return size, sweep if size in [point.new_tokens for point in sweep.points] else sweep.joined(measure([size]))


def added(vocabulary: NewVocabulary, additions: Additions, *, new_tokens: int, first_id: int) -> NewVocabulary:
    """The vocabulary with the first of what was learnt.

    Args:
        vocabulary: What to start from.
        additions: As `learn` gives them.
        new_tokens: How many new tokens at the most.
        first_id: Id of the first.
    """
    rows = len(vocabulary.copied)
    grown = additions.first(vocabulary.content, new_tokens, first_id=first_id, old_rows=rows)
    return stacked(vocabulary, grown)


def require_size(vocabulary: NewVocabulary, asked: int, occurrences: int, *, careful: bool) -> None:
    """Stop where fewer new tokens were found than asked.

    Args:
        vocabulary: With the new tokens.
        asked: How many there should be.
        occurrences: How often a pair had to occur.
        careful: Whether English was protected.

    Raises:
        CorpusError: There are fewer; it says what would help.
    """
    found = len(vocabulary.tokens)
    if found < asked:
        limit = f"at {occurrences} occurrences or more" + (" and with English left as it is" if careful else "")
        raise CorpusError(
            f"the corpus gives {found:,} new tokens of the {asked:,} asked, {limit}.",
            f"Set `new_tokens: {found}`, lower `min_occurrences`, or give it more text."
            if found
            else "The vocabulary covers this text already, or the text is too short: give it more.",
        )
