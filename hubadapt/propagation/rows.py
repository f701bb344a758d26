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


def composed(vocab_map: VocabMap, table: torch.Tensor, ids: np.ndarray) -> torch.Tensor:
    """T E for some new ids, in float64: each row the weighted sum of its pieces.

    Args:
        vocab_map: T, V_new × V_old.
        table: E, shape (V, D), any float dtype; it has every row that the ids are made of.
        ids: New ids that are made of one old row or more, shape (n,).

    Returns:
        Shape (n, D).
    """
    starts, ends = vocab_map.indptr[ids], vocab_map.indptr[ids + 1]
    rows = _scaled(vocab_map, table, starts)
    for place in range(1, int((ends - starts).max(initial=1))):
        longer = np.flatnonzero(starts + place < ends)
        rows.index_add_(0, torch.from_numpy(longer), _scaled(vocab_map, table, starts[longer] + place))
    return rows


def blocks_of(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Some ids in blocks, in their order."""
    for start in range(0, len(ids), BLOCK):
        yield ids[start : start + BLOCK]


def _scaled(vocab_map: VocabMap, table: torch.Tensor, entries: np.ndarray) -> torch.Tensor:
    old = vocab_map.indices[entries]
    straight = len(old) > 0 and old[-1] - old[0] == len(old) - 1 and bool((np.diff(old) == 1).all())
    rows = (table[int(old[0]) : int(old[-1]) + 1] if straight else table[torch.from_numpy(old)]).to(torch.float64)
    if straight and table.dtype == torch.float64:
        rows = rows.clone()
    weights = vocab_map.weights[entries]
    return rows if (weights == 1).all() else rows.mul_(torch.from_numpy(weights)[:, None])
