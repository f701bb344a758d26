"""New rows of the old tokens that stand where a new one does, in a corpus that both tokenizers write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from tokenizers import Tokenizer

from hubadapt.embeddings import Givens, initialisation
from hubadapt.tokenizer.dialects import spellings
from hubadapt.vocab_map import Origin, VocabMap

_LINES = 10_000


@initialisation("align", reference="https://arxiv.org/abs/2406.11477", needs=("texts",))
def align(givens: Givens, *, by: float = 1.0) -> VocabMap:
    """Mean of the old tokens that stand where the new one does in a corpus, times a factor.

    Both tokenizers write the same lines. An occurrence of a new token counts where both its ends are ends of old tokens
    too, by bytes; the row is by · the mean over occurrences of the mean of the old rows there (Yamaguchi et al. 2024).
    Where each word is cut into the same old tokens everywhere, as after an extension, that is the mean of the pieces; a
    replaced vocabulary cuts across the old tokens, which this follows. Tokens that do not occur so keep the mean of
    their pieces. Lines that the two write with different numbers of bytes are left out: in one of them is a character
    that a vocabulary lacks.
    """
    if givens.encoders is None:
        raise ValueError("align needs the old and the new tokenizer")
    pieces, composed = givens.pieces, givens.pieces.rows_of(Origin.COMPOSED)
    old, new = (_Reader(*each) for each in zip(givens.encoders, (pieces.old_size, pieces.new_size), strict=True))
    wanted = pieces.origins == Origin.COMPOSED
    keys: np.ndarray = np.empty(0, dtype=np.int64)
    sums: np.ndarray = np.empty(0)
    for lines in _lines(givens.texts):
        pairs = [_pairs(*each, wanted) for each in zip(old.read(lines), new.read(lines), strict=True)]
        rows, ids, shares = (np.concatenate(each) for each in zip(*pairs, strict=True))
        keys, places = np.unique(np.concatenate([keys, rows * pieces.old_size + ids]), return_inverse=True)
        sums = np.bincount(places, np.concatenate([sums, shares]))
    rows, ids = np.divmod(keys, pieces.old_size)
    totals = np.bincount(rows, sums, pieces.new_size)
    seen = composed[totals[composed] > 0]
    lengths = np.bincount(rows, minlength=pieces.new_size)[seen]
    aligned = pieces.recomposed(seen, lengths, ids, sums / totals[rows])
    scaled = np.repeat(wanted, np.diff(aligned.indptr))
    return aligned.reweighted(np.where(scaled, by * aligned.weights, aligned.weights))


class _Reader:
    """A tokenizer, with the number of bytes that each id stands for."""

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        self._tokenizer = tokenizer
        self._lengths = np.array([len(data) for data in spellings(json.loads(tokenizer.to_str()), size)])

    def read(self, lines: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each line its ids, shape (n,), and where they begin and end in bytes, shape (n + 1,)."""
        for encoding in self._tokenizer.encode_batch_fast(lines, add_special_tokens=False):
            ids = np.array(encoding.ids, dtype=np.int64)
            yield ids, np.concatenate([[0], np.cumsum(self._lengths[ids])])


def _pairs(
    old: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray], wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New ids of one line with the old ids in their place and the share of each, shapes (m,)."""
    (old_ids, old_ends), (new_ids, new_ends) = old, new
    # Tokens of no bytes stand at neither end of an occurrence.
    first = np.searchsorted(old_ends, new_ends[:-1], side="right") - 1
    last = np.searchsorted(old_ends, new_ends[1:])
    fits = wanted[new_ids] & (first < last) & (old_ends[-1] == new_ends[-1])
    if fits.any():
        fits &= (old_ends[first] == new_ends[:-1]) & (old_ends[last] == new_ends[1:])
    counts = (last - first)[fits]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ids = old_ids[np.repeat(first[fits], counts) + within]
    return np.repeat(new_ids[fits], counts), ids, np.repeat(1 / counts, counts)


def _lines(texts: Sequence[str]) -> Iterator[list[str]]:
    lines = (line for text in texts for line in text.splitlines() if line)
    while batch := [*islice(lines, _LINES)]:
        yield batch
