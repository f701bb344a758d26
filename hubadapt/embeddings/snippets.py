"""Pieces of text in two tokenizations at once, with the places where both have read the same characters."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_WINDOW = 2000


@dataclass(frozen=True)
class Snippet:
    """The same characters as the old and the new tokenizer write them.

    Attributes:
        old: Old ids, shape (T_old,), int64.
        new: New ids, shape (T_new,), int64.
        old_ends: Places in `old` of the tokens after which both tokenizations have read the same characters,
            ascending, shape (n,); the last is T_old - 1.
        new_ends: The same places in `new`, shape (n,); the last is T_new - 1.
    """

    old: np.ndarray
    new: np.ndarray
    old_ends: np.ndarray
    new_ends: np.ndarray


def draw_snippets(
    texts: Sequence[str], encoders: tuple[Tokenizer, Tokenizer], *, length: int, seed: int
) -> Iterator[Snippet]:
    """Snippets of at most `length` new tokens, out of all texts in random order, each character once at the most.

    Args:
        texts: The texts.
        encoders: The old and the new tokenizer.
        length: New tokens in a snippet at the most; what is left of a longer text may be lost.
        seed: Decides the order.
    """
    windows = [(text, start) for text in texts for start in range(0, len(text), _WINDOW)]
    random.Random(seed).shuffle(windows)
    for text, start in windows:
        yield from cut(text[start : start + _WINDOW], encoders, length)


def cut(text: str, encoders: tuple[Tokenizer, Tokenizer], length: int) -> Iterator[Snippet]:
    """Cut a text where both tokenizations have a boundary, into snippets of at most `length` new tokens."""
    old, new = (encoder.encode(text, add_special_tokens=False) for encoder in encoders)
    (old_at, old_read), (new_at, new_read) = _ends(old), _ends(new)
    _, in_old, in_new = np.intersect1d(old_read, new_read, return_indices=True)
    old_ends, new_ends = old_at[in_old], new_at[in_new]
    old_ids, new_ids = np.array(old.ids), np.array(new.ids)
    first = 0
    while first < len(new_ends):
        begin = 0 if first == 0 else new_ends[first - 1] + 1
        last = int(np.searchsorted(new_ends, begin + length, side="left")) - 1
        if last < first:
            # A stretch without a common boundary is longer than a snippet.
            first += 1
            continue
        old_begin = 0 if first == 0 else old_ends[first - 1] + 1
        if first == 0 or new_ends[last] + 1 - begin >= length // 2:
            yield Snippet(
                old_ids[old_begin : old_ends[last] + 1],
                new_ids[begin : new_ends[last] + 1],
                old_ends[first : last + 1] - old_begin,
                new_ends[first : last + 1] - begin,
            )
        first = last + 1


def _ends(encoding: Encoding) -> tuple[np.ndarray, np.ndarray]:
    """Places of the tokens that complete a character, and the number of characters read by then."""
    begun, read = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2).T
    # A character's bytes may be spread over several tokens, each of which begins where it does.
    at = np.flatnonzero(np.append(begun[1:], np.iinfo(np.int64).max) >= read)
    return at, read[at]
