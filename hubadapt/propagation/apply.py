"""Assembles a sibling's new table from an adapted base's, through a solved map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hubadapt.propagation.solve import Propagation, solve_propagation
from hubadapt.vocab_map import Origin, VocabMap, compose_blocks

_BLOCK = 4096


@dataclass(frozen=True)
class PropagatedTable:
    """A sibling's new table.

    Attributes:
        table: Shape (V_new, D), in the dtype of the sibling's table.
        solution: The map and its diagnostics.
        kept: How many rows are the sibling's own, bit for bit.
        projected: How many rows went through the map.
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
    ridge: float = 0.0,
) -> PropagatedTable:
    """LEP by conversion: fit M on (T E_base, T E_sibling) and give the sibling E_adapted M.

    Two kinds of rows stay the sibling's own, bit for bit: service tokens, as in the paper, and copied rows that the
    adaptation did not move, for which the sibling's row is the exact answer and the map only an estimate (ours).

    Args:
        base: Table of the base, shape (V_old, D).
        sibling: Table of the sibling, shape (V_old, D).
        adapted: Table of the adapted base, shape (V_new, D).
        vocab_map: T: the plain mean map between the vocabularies, V_new × V_old.
        service: New ids of service tokens (turn marks and other added tokens), shape (n,).
        ridge: As in `solve_propagation`.

    Raises:
        ValueError: Shapes disagree, or the rows do not determine the map.

    Source:
        Tikhomirov & Chernyshev 2024, arXiv 2412.21140, eqs. 3–14.
    """
    if base.shape != sibling.shape or adapted.shape != (vocab_map.new_size, base.shape[1]):
        raise ValueError(
            f"tables of shapes {tuple(base.shape)}, {tuple(sibling.shape)} and {tuple(adapted.shape)} do not fit"
        )
    rows = np.setdiff1d(np.flatnonzero(vocab_map.origins != Origin.FRESH), service)
    solution = solve_propagation(
        compose_blocks(vocab_map, base, rows), compose_blocks(vocab_map, sibling, rows), ridge=ridge
    )
    kept = _kept_rows(base, adapted, vocab_map, service)
    table = torch.empty(adapted.shape, dtype=sibling.dtype)
    for start in range(0, len(adapted), _BLOCK):
        block = adapted[start : start + _BLOCK].double() @ solution.matrix
        table[start : start + _BLOCK] = block.to(sibling.dtype)
    table[torch.from_numpy(kept)] = sibling[torch.from_numpy(vocab_map.indices[vocab_map.indptr[kept]])]
    return PropagatedTable(table, solution, len(kept), len(adapted) - len(kept))


def _kept_rows(base: torch.Tensor, adapted: torch.Tensor, vocab_map: VocabMap, service: np.ndarray) -> np.ndarray:
    copied = vocab_map.rows_of(Origin.COPIED)
    old = torch.from_numpy(vocab_map.indices[vocab_map.indptr[copied]])
    unmoved = (adapted[torch.from_numpy(copied)] == base[old].to(adapted.dtype)).all(dim=1).numpy()
    return np.union1d(copied[unmoved], np.intersect1d(copied, service))
