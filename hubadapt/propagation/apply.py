"""Assembles a sibling's new table from an adapted base's, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from hubadapt.propagation.fit import fit_maps
from hubadapt.propagation.forms import Form, Transfer
from hubadapt.propagation.rows import blocks_of, composed, usable_rows
from hubadapt.propagation.solve import Propagation
from hubadapt.vocab_map import Origin, VocabMap

PROJECTED = -1
"""In place of a sibling's row: the new row is made of the adapted base's."""


@dataclass(frozen=True)
class Adaptation:
    """What happened to one table of the base.

    Attributes:
        base: Before, shape (V_old, D).
        adapted: After, shape (V_new, D).
        vocab_map: T: the plain mean map between the vocabularies, V_new × V_old.
        rows: New ids that T makes of rows that every sibling has too, ascending.
    """

    base: torch.Tensor
    adapted: torch.Tensor
    vocab_map: VocabMap
    rows: np.ndarray

    def unmoved(self) -> np.ndarray:
        """New ids of copied rows that the adaptation left as they were, ascending."""
        copied = self.vocab_map.rows_of(Origin.COPIED)
        found = [np.empty(0, dtype=np.int64)]
        for ids in blocks_of(copied):
            old = torch.from_numpy(self.vocab_map.indices[self.vocab_map.indptr[ids]])
            same = self.adapted[torch.from_numpy(ids)] == self.base[old].to(self.adapted.dtype)
            found.append(ids[same.all(dim=1).numpy()])
        return np.concatenate(found)


def propagated_blocks(
    adaptation: Adaptation, sibling: torch.Tensor, own: np.ndarray, propagation: Propagation
) -> Iterator[torch.Tensor]:
    """A sibling's new table from the first row on, in blocks of at most 4,096 rows.

    The sum E_A + E_A Δ is computed in float64 and cast once, so that a map that is the identity gives the adapted
    base's rows bit for bit. Ids past the adapted table that are not the sibling's own get zeros.

    Args:
        adaptation: What happened to the base's table.
        sibling: The sibling's table, shape (V_sibling, D).
        own: For each new id the sibling's row that it keeps bit for bit, or `PROJECTED`, shape (V,).
        propagation: The sibling's map, or its form where that is delta.

    Yields:
        Shape (B, D), in the dtype of the sibling's table.
    """
    usable = np.zeros(len(own), dtype=bool)
    usable[adaptation.rows] = propagation.form == Form.DELTA
    for ids in blocks_of(np.arange(len(own))):
        block = torch.zeros(len(ids), sibling.shape[1], dtype=sibling.dtype)
        kept = own[ids] != PROJECTED
        block[torch.from_numpy(kept)] = sibling[torch.from_numpy(own[ids[kept]])]
        made = ~kept & (ids < len(adaptation.adapted))
        if made.any():
            rows = adaptation.adapted[torch.from_numpy(ids[made])].to(torch.float64)
            if propagation.delta is not None:
                rows = rows.addmm(rows, propagation.delta)
            moving = ids[made & usable[ids]]
            if len(moving):
                here = torch.from_numpy(np.searchsorted(ids[made], moving))
                rows[here] += composed(adaptation.vocab_map, sibling, moving) - composed(
                    adaptation.vocab_map, adaptation.base, moving
                )
            block[torch.from_numpy(made)] = rows.to(sibling.dtype)
        yield block


@dataclass(frozen=True)
class PropagatedTable:
    """A sibling's new table.

    Attributes:
        table: Shape (V_new, D), in the dtype of the sibling's table.
        solution: The map and its diagnostics.
        kept: How many rows are the sibling's own, bit for bit.
        projected: How many rows are made of the adapted base's.
    """

    table: torch.Tensor
    solution: Propagation
    kept: int
    projected: int


def propagate_table(
    base: torch.Tensor,
    sibling: torch.Tensor,
    adapted: torch.Tensor,
    vocab_map: VocabMap,
    *,
    service: np.ndarray,
    transfer: Transfer | None = None,
) -> PropagatedTable:
    """LEP of one table in memory: fit M on (T E_base, T E_sibling) and give the sibling E_adapted M.

    Two kinds of rows stay the sibling's own, bit for bit: service tokens, as in the paper, and copied rows that the
    adaptation did not move, for which the sibling's row is the exact answer and the map only an estimate (ours).

    Args:
        base: Table of the base, shape (V_old, D).
        sibling: Table of the sibling, shape (V_old, D).
        adapted: Table of the adapted base, shape (V_new, D).
        vocab_map: T: the plain mean map between the vocabularies, V_new × V_old.
        service: New ids of service tokens (turn marks and other added tokens), shape (n,).
        transfer: The form and its ridge; conversion by default.

    Raises:
        ValueError: Shapes disagree, or the rows do not determine the map.

    Source:
        Tikhomirov & Chernyshev 2024, arXiv 2412.21140, eqs. 3–14.
    """
    if base.shape != sibling.shape or adapted.shape != (vocab_map.new_size, base.shape[1]):
        raise ValueError(
            f"tables of shapes {tuple(base.shape)}, {tuple(sibling.shape)} and {tuple(adapted.shape)} do not fit"
        )
    rows = np.setdiff1d(usable_rows(vocab_map, np.arange(vocab_map.old_size)), service)
    adaptation = Adaptation(base, adapted, vocab_map, rows)
    own = np.full(vocab_map.new_size, PROJECTED)
    copied = vocab_map.rows_of(Origin.COPIED)
    kept = np.union1d(adaptation.unmoved(), np.intersect1d(copied, service))
    own[kept] = vocab_map.indices[vocab_map.indptr[kept]]
    (solution,) = fit_maps(base, [sibling], vocab_map, rows, transfer or Transfer())
    table = torch.cat(list(propagated_blocks(adaptation, sibling, own, solution)))
    return PropagatedTable(table, solution, len(kept), len(own) - len(kept))
