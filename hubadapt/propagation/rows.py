"""Rows of the tables in the new vocabulary's terms, in float64: T E, a few thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from hubadapt.vocab_map import Origin, VocabMap

BLOCK = 4096
"""Rows of a block: its products with a map are large enough for the processor, its float64 copy 128 MiB at D 4,096."""


def usable_rows(vocab_map: VocabMap, tokens: np.ndarray) -> np.ndarray:
    """New ids that a map can be fitted on, ascending: copies of, or made of, old rows that stand for a known token.

    Args:
        vocab_map: T, V_new × V_old.
        tokens: Old ids of tokens that base and siblings share, those of service tokens left out, shape (n,).
    """
    known = np.zeros(vocab_map.old_size + 1, dtype=bool)
    known[tokens] = True
    unknown = np.concatenate([[0], np.cumsum(~known[vocab_map.indices])])
    clean = unknown[vocab_map.indptr[1:]] == unknown[vocab_map.indptr[:-1]]
    return np.flatnonzero(clean & (vocab_map.origins != Origin.FRESH))


def composed(
    vocab_map: VocabMap, table: torch.Tensor, ids: np.ndarray, out: torch.Tensor | None = None
) -> torch.Tensor:
    """T E for some new ids, in float64: each row the weighted sum of its pieces.

    Args:
        vocab_map: T, V_new × V_old.
        table: E, shape (V, D), any float dtype; it has every row that the ids are made of.
        ids: New ids that are made of one old row or more, shape (n,).
        out: Memory for the result, shape (n or more, D), float64.

    Returns:
        Shape (n, D), in `out` where it is given.
    """
    rows = torch.empty(len(ids), table.shape[1], dtype=torch.float64) if out is None else out[: len(ids)]
    starts, lengths = vocab_map.indptr[ids], vocab_map.indptr[ids + 1] - vocab_map.indptr[ids]
    first = np.cumsum(lengths) - lengths
    entries = np.repeat(starts - first, lengths) + np.arange(lengths.sum())
    # A table larger than memory is read from disk as it is touched: each row once, in ascending order.
    old, places = np.unique(vocab_map.indices[entries], return_inverse=True)
    used = _taken(table, old)
    rows.zero_()
    for place in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > place)
        at = first[longer] + place
        parts = used[torch.from_numpy(places[at])].to(torch.float64)
        parts.mul_(torch.from_numpy(vocab_map.weights[entries[at]])[:, None])
        rows.index_add_(0, torch.from_numpy(longer), parts)
    return rows


def blocks_of(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Some ids in blocks, in their order."""
    for start in range(0, len(ids), BLOCK):
        yield ids[start : start + BLOCK]


def _taken(table: torch.Tensor, old: np.ndarray) -> torch.Tensor:
    """Rows of a table, ids ascending; those that stand one after the other are not copied."""
    if len(old) and old[-1] - old[0] == len(old) - 1:
        return table[int(old[0]) : int(old[-1]) + 1]
    return table[torch.from_numpy(old)]
