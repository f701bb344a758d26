"""Counts the words of a language in a corpus, as the tokenizer itself would cut them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

from hubadapt.tokenizer.dialects import Dialect
from hubadapt.tokenizer.scripts import letter_pattern

# No pre-tokenizer looks further back than over one white space that is no line break, so that text can be cut between
# white spaces first: each distinct piece then goes through the slow pre-tokenizer once.
_BETWEEN_SPACES = re.compile(r"[^\S\r\n]?\S{1,4096}")
_MOST = 4_000_000


def count_words(
    texts: Iterable[str],
    dialect: Dialect,
    scripts: tuple[str, ...],
    advance: Callable[[int], object] = lambda _: None,
) -> Counter[str]:
    """Count the pre-tokens that hold a character of some scripts.

    Memory grows with the number of distinct words and has a bound: beyond 4 million of them, those seen once so far are
    forgotten.

    Args:
        texts: Documents.
        dialect: Cuts as the tokenizer does, so that every merge learnt here can be reached.
        scripts: Unicode script names.
        advance: Called with the number of characters just read.

    Returns:
        Pre-token as the vocabulary writes it → occurrences.
    """
    pieces: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text in texts:
        pieces.update(_BETWEEN_SPACES.findall(text))
        if len(pieces) > _MOST // 4:
            _cut(pieces, words, dialect, scripts)
        advance(len(text))
    _cut(pieces, words, dialect, scripts)
    return words


def words_of_lines(texts: Iterable[str], dialect: Dialect, scripts: tuple[str, ...]) -> Iterator[list[set[str]]]:
    """The pre-tokens of each line that hold a character of some scripts.

    Args:
        texts: Documents.
        dialect: As for `count_words`.
        scripts: Unicode script names.

    Returns:
        For each document the distinct pre-tokens of each line that is not blank.
    """
    known: dict[str, Collection[str]] = {}

    def words(piece: str) -> Collection[str]:
        if piece not in known:
            counts: Counter[str] = Counter()
            _cut(Counter([piece]), counts, dialect, scripts)
            known[piece] = counts.keys()
        return known[piece]

    for text in texts:
        lines = (_BETWEEN_SPACES.findall(line) for line in text.splitlines() if line.strip())
        yield [{word for piece in pieces for word in words(piece)} for pieces in lines]
        if len(known) > _MOST // 4:
            known.clear()


def damped(words: Counter[str], power: float) -> Counter[str]:
    """Counts raised to a power, and scaled so that their sum stays: below 1, frequent words decide less.

    What a corpus repeats is often particular to it; docs/log.md has what that gains on other text.

    Args:
        words: Words with their counts.
        power: From 0 (every word counts the same) to 1 (as it occurs).
    """
    raised = {word: count**power for word, count in words.items()}
    scale = sum(words.values()) / max(sum(raised.values()), 1)
    return Counter({word: max(1, round(value * scale)) for word, value in raised.items()})


def _cut(pieces: Counter[str], words: Counter[str], dialect: Dialect, scripts: tuple[str, ...]) -> None:
    """Move what was read from `pieces` to `words`."""
    has_letter = letter_pattern(scripts).search
    outside: set[str] = set()
    for piece, count in pieces.items():
        if has_letter(piece):
            for word in dialect.cut(piece):
                if word in words:
                    words[word] += count
                elif word not in outside:
                    if has_letter(dialect.to_text(word) or ""):
                        words[word] = count
                    else:
                        outside.add(word)
    pieces.clear()
    if len(words) > _MOST:
        for word in [word for word, count in words.items() if count == 1]:
            del words[word]
