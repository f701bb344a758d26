"""`VocabMap`: which old rows each row of a new vocabulary is made of, and the one function that applies it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from hubadapt.errors import ManifestError
from hubadapt.machine import one_thread

VOCAB_MAP_NAME = "vocab_map.safetensors"
_BLOCK = 512  # larger blocks leave what malloc reuses, and are several times slower


class Origin(IntEnum):
    """Where a row comes from: an old row unchanged, a combination of old rows, or nowhere (to be learnt)."""

    COPIED = 0
    COMPOSED = 1
    FRESH = 2


@dataclass(frozen=True)
class VocabMap:
    """A sparse real matrix, new vocabulary × old vocabulary, in compressed rows, with the origin of each row.

    Attributes:
        indptr: Where each row's entries begin, shape (V_new + 1,), int64.
        indices: Old ids, shape (entries,), int64.
        weights: Their weights, shape (entries,), float64.
        origins: An `Origin` for each row, shape (V_new,), uint8.
        old_size: V_old, the number of rows of the old table.
    """

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    origins: np.ndarray
    old_size: int

    def __post_init__(self) -> None:
        if len(self.indptr) != len(self.origins) + 1 or self.indptr[-1] != len(self.indices):
            raise ValueError("indptr, indices and origins disagree about the number of rows or entries")
        if len(self.indices) and not 0 <= self.indices.min() <= self.indices.max() < self.old_size:
            raise ValueError(f"an index lies outside the old table of {self.old_size} rows")

    @property
    def new_size(self) -> int:
        """V_new, the number of rows of the new table."""
        return len(self.origins)

    def rows_of(self, origin: Origin) -> np.ndarray:
        """New ids of one origin, ascending, int64."""
        return np.flatnonzero(self.origins == origin)

    def moved_ids(self) -> dict[int, int] | None:
        """Old id → new id of the copied rows; None where every old row kept its place."""
        copied = self.rows_of(Origin.COPIED)
        old = self.indices[self.indptr[copied]]
        if len(copied) >= self.old_size and np.array_equal(old, copied):
            return None
        return dict(zip(old.tolist(), copied.tolist(), strict=True))

    def reweighted(self, weights: np.ndarray) -> VocabMap:
        """The same map with other weights, shape (entries,)."""
        return VocabMap(self.indptr, self.indices, weights.astype(np.float64), self.origins, self.old_size)

    def recomposed(self, rows: np.ndarray, lengths: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> VocabMap:
        """The same map with other entries in some rows.

        Args:
            rows: New ids, shape (n,).
            lengths: Entries of each, shape (n,).
            indices: Their old ids, one row after the other, shape (sum of lengths,).
            weights: Their weights, shape (sum of lengths,).
        """
        owners = np.repeat(np.arange(self.new_size), np.diff(self.indptr))
        kept = ~np.isin(owners, rows)
        owners = np.concatenate([owners[kept], np.repeat(rows, lengths)])
        order = np.argsort(owners, kind="stable")
        return VocabMap(
            np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=self.new_size))]),
            np.concatenate([self.indices[kept], indices])[order],
            np.concatenate([self.weights[kept], weights]).astype(np.float64)[order],
            self.origins,
            self.old_size,
        )

    def save(self, path: Path) -> None:
        """Write the map as one safetensors file; equal maps give equal bytes."""
        tensors = {
            "indptr": self.indptr,
            "indices": self.indices,
            "weights": self.weights,
            "origins": self.origins,
            "old_size": np.array([self.old_size], dtype=np.int64),
        }
        path.write_bytes(save(tensors))

    @staticmethod
    def load(path: Path) -> VocabMap:
        """Read a map that `save` wrote.

        Raises:
            ManifestError: The file is missing or damaged.
        """
        try:
            tensors = load_file(path)
            return VocabMap(
                tensors["indptr"],
                tensors["indices"],
                tensors["weights"],
                tensors["origins"],
                int(tensors["old_size"][0]),
            )
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ManifestError(
                f"{path} is no readable vocabulary map: {error}.", "Delete the stage's folder and run the recipe again."
            ) from error


def from_pieces(old_size: int, pieces: Sequence[Sequence[int]], *, copied: Sequence[int] | None = None) -> VocabMap:
    """The map of a changed vocabulary: rows copied from the old table first, then new ones, the mean of their pieces.

    Args:
        old_size: V_old.
        pieces: For each new row its old ids, in order; an empty list leaves the row fresh.
        copied: Old id of each row before those, -1 for one that stays fresh; all old rows in order by default.

    Source:
        Tikhomirov & Chernyshev 2024, arXiv 2412.21140, eq. 1.
    """
    first = np.arange(old_size) if copied is None else np.asarray(copied, dtype=np.int64)
    lengths = np.array([*(first >= 0), *map(len, pieces)], dtype=np.int64)
    flat = np.array([piece for row in pieces for piece in row], dtype=np.int64)
    origins = np.full(len(lengths), Origin.COMPOSED, dtype=np.uint8)
    origins[: len(first)] = Origin.COPIED
    origins[lengths == 0] = Origin.FRESH
    return VocabMap(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([first[first >= 0], flat]),
        np.repeat(1.0 / np.maximum(lengths, 1), lengths),
        origins,
        old_size,
    )


def compose_blocks(vocab_map: VocabMap, table: torch.Tensor, rows: np.ndarray) -> Iterator[torch.Tensor]:
    """Composed rows in float32 blocks of at most 512, for the new ids `rows`, in their order.

    Args:
        vocab_map: The map to apply.
        table: Old table, shape (V_old, D), any float dtype.
        rows: New ids, shape (n,).
    """
    for start in range(0, len(rows), _BLOCK):
        yield _composed(vocab_map, table, rows[start : start + _BLOCK])


@one_thread()
def _composed(vocab_map: VocabMap, table: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
    lengths = vocab_map.indptr[rows + 1] - vocab_map.indptr[rows]
    # Long rows first, so that those with a further entry are always the first ones.
    order = np.argsort(-lengths, kind="stable")
    first, count = vocab_map.indptr[rows[order]], lengths[order]
    sums = torch.zeros(len(rows), table.shape[1])
    for place in range(count[0]):
        entries = first[count > place] + place
        weights = torch.from_numpy(vocab_map.weights[entries]).to(torch.float32)
        values = table[torch.from_numpy(vocab_map.indices[entries])].to(torch.float32)
        sums[: len(entries)] += values.mul_(weights[:, None])
    return sums[torch.from_numpy(np.argsort(order))]


def apply_blocks(
    vocab_map: VocabMap, table: torch.Tensor, learnt: torch.Tensor | None = None
) -> Iterator[torch.Tensor]:
    """The new table from the first row on, in blocks of at most 512 rows and the dtype of `table`.

    Copied rows keep every bit, composed ones are summed in float32 and cast once, fresh ones are zero.

    Args:
        vocab_map: The map, V_new × V_old.
        table: Old table, shape (V_old, D), any float dtype.
        learnt: Rows to use in place of the composed ones, shape (n_composed, D), in order of id.

    Raises:
        ValueError: The table has another number of rows than the map's old vocabulary, or `learnt` another than it has
            composed rows.
    """
    composed = vocab_map.rows_of(Origin.COMPOSED)
    if table.shape[0] != vocab_map.old_size:
        raise ValueError(f"the table has {table.shape[0]} rows, the map expects {vocab_map.old_size}")
    if learnt is not None and len(learnt) != len(composed):
        raise ValueError(f"{len(learnt)} rows were learnt, the map composes {len(composed)}")
    for start in range(0, vocab_map.new_size, _BLOCK):
        ids = np.arange(start, min(start + _BLOCK, vocab_map.new_size))
        made = ids[vocab_map.origins[ids] == Origin.COMPOSED]
        first = int(np.searchsorted(composed, start))
        rows = None if learnt is None else learnt[first : first + len(made)]
        yield _applied(vocab_map, table, ids, rows)


@one_thread()
def _applied(vocab_map: VocabMap, table: torch.Tensor, ids: np.ndarray, learnt: torch.Tensor | None) -> torch.Tensor:
    origins = vocab_map.origins[ids]
    block = torch.zeros(len(ids), table.shape[1], dtype=table.dtype)
    copied = origins == Origin.COPIED
    old = vocab_map.indices[vocab_map.indptr[ids[copied]]]
    block[torch.from_numpy(np.flatnonzero(copied))] = table[torch.from_numpy(old)]
    made = np.flatnonzero(origins == Origin.COMPOSED)
    if len(made):
        rows = _composed(vocab_map, table, ids[made]) if learnt is None else learnt
        block[torch.from_numpy(made)] = rows.to(table.dtype)
    return block


def apply(vocab_map: VocabMap, table: torch.Tensor) -> torch.Tensor:
    """The new table in one piece, shape (V_new, D): see `apply_blocks`."""
    return torch.cat(list(apply_blocks(vocab_map, table)))
