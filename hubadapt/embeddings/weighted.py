"""Means of a new token's pieces in which some pieces count more than others."""

from __future__ import annotations

import numpy as np

from hubadapt.embeddings import Givens, initialisation
from hubadapt.vocab_map import Origin, VocabMap


@initialisation("first", reference="https://arxiv.org/abs/2402.14714")
def first(givens: Givens, *, by: float = 1.0) -> VocabMap:
    """Row of the first piece.

    w₁ = by, all others 0. EEVE-Korean (Kim et al. 2024) begins the rows of its head so.
    """
    places, _ = _places(givens.pieces)
    return _weighted(givens.pieces, (places == 0).astype(np.float64), by)


@initialisation("last", reference="https://github.com/arcee-ai/mergekit")
def last(givens: Givens, *, by: float = 1.0) -> VocabMap:
    """Row of the last piece.

    wₙ = by, all others 0. mergekit-tokensurgeon's `first_last` begins input tables so, and heads with the first piece.
    """
    places, lengths = _places(givens.pieces)
    return _weighted(givens.pieces, (places == lengths - 1).astype(np.float64), by)


@initialisation("position", reference="https://arxiv.org/abs/2503.19693")
def position(givens: Givens, *, rate: float = 1.0, by: float = 1.0) -> VocabMap:
    """Mean of the pieces' rows, later pieces counting more (rate > 0) or less (rate < 0).

    wᵢ = by · e^(rate·i) / Σⱼ e^(rate·j). AdaptiVocab (Nakash et al. 2025) takes a rate of 2 for input tables and of -2
    for heads; ruadapt takes -1 for both. A rate of 0 is the plain mean.
    """
    places, lengths = _places(givens.pieces)
    # Counted from the piece that weighs most, so that no exponential overflows.
    distance = lengths - 1 - places if rate > 0 else places
    return _weighted(givens.pieces, np.exp(-abs(rate) * distance), by)


@initialisation("length", reference="https://arxiv.org/abs/2608.03494")
def length(givens: Givens, *, by: float = 1.0) -> VocabMap:
    """Mean of the pieces' rows, each counting as many times as it has characters.

    wᵢ = by · ℓ(pᵢ) / Σⱼ ℓ(pⱼ), where ℓ is the number of characters of the decoded piece, of bytes where those are no
    whole characters, and at least 1.
    """
    lengths = np.array([_characters(spelling) for spelling in givens.spellings], dtype=np.float64)
    return _weighted(givens.pieces, lengths[givens.pieces.indices], by)


def _characters(spelling: bytes) -> int:
    try:
        return max(1, len(spelling.decode("utf-8")))
    except UnicodeDecodeError:
        return len(spelling)


def _places(pieces: VocabMap) -> tuple[np.ndarray, np.ndarray]:
    """For each entry its place in its row, from 0, and the number of entries in that row; shapes (entries,)."""
    lengths = np.diff(pieces.indptr)
    return np.arange(len(pieces.indices)) - np.repeat(pieces.indptr[:-1], lengths), np.repeat(lengths, lengths)


def _weighted(pieces: VocabMap, raw: np.ndarray, by: float) -> VocabMap:
    """The map whose composed rows have weights in proportion to `raw`, shape (entries,), with the sum `by`."""
    rows = np.repeat(np.arange(pieces.new_size), np.diff(pieces.indptr))
    sums = np.bincount(rows, raw, pieces.new_size)
    composed = pieces.origins[rows] == Origin.COMPOSED
    return pieces.reweighted(np.where(composed, by * raw / sums[rows], pieces.weights))
