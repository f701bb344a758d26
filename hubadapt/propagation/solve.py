"""The least-squares map that carries base embeddings onto a sibling's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Propagation:
    """A solved map with its diagnostics.

    Attributes:
        matrix: The map M, shape (D, D), float64.
        residual: ‖XM − Y‖ / ‖Y‖ on the rows given.
        shift: ‖Y − X‖ / ‖Y‖: what the plain swap would leave.
        condition: Condition number of the Gram matrix XᵀX, after the ridge.
        rows: How many rows were given.
    """

    matrix: torch.Tensor
    residual: float
    shift: float
    condition: float
    rows: int


def solve_propagation(
    base_rows: Iterable[torch.Tensor], sibling_rows: Iterable[torch.Tensor], *, ridge: float = 0.0
) -> Propagation:
    """Fit the D×D map that carries base embeddings onto a sibling's, by least squares.

    Minimises `||X M - Y||² + ridge · tr(XᵀX)/D · ||M - I||²`: 0 is the paper's conversion, ∞ is the plain swap. The
    rows are read block by block; only D×D matrices are held.

    Args:
        base_rows: Row blocks X of the base table, each of shape (B, D), any float dtype.
        sibling_rows: The same rows of the sibling's table, in blocks of the same shapes.
        ridge: Strength of the pull towards the identity, ≥ 0.

    Raises:
        ValueError: The blocks differ in shape, fewer than D rows were given and `ridge` is 0, or the rows do not
            determine the map.

    Source:
        Tikhomirov & Chernyshev 2024, arXiv 2412.21140, "conversion"; the ridge towards I is ours.
    """
    gram = cross = target = torch.zeros(0, dtype=torch.float64)
    rows = 0
    for x_block, y_block in zip(base_rows, sibling_rows, strict=True):
        if x_block.shape != y_block.shape:
            raise ValueError(f"row blocks differ in shape: {tuple(x_block.shape)} and {tuple(y_block.shape)}")
        x, y = x_block.double(), y_block.double()
        if rows == 0:
            gram, cross, target = (torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64) for _ in range(3))
        gram += x.T @ x
        cross += x.T @ y
        target += y.T @ y
        rows += len(x)
    return _solve(gram, cross, target, rows, ridge)


def _solve(gram: torch.Tensor, cross: torch.Tensor, target: torch.Tensor, rows: int, ridge: float) -> Propagation:
    size = len(gram)
    if rows == 0 or (rows < size and ridge == 0):
        raise ValueError(f"{rows} rows cannot determine a map of {size} × {size} without a ridge")
    identity = torch.eye(size, dtype=torch.float64)
    pull = ridge * gram.trace() / size
    system = gram + pull * identity
    condition = float(torch.linalg.cond(system))
    if not condition < 1e14:
        raise ValueError(f"the rows do not determine the map: the condition number is {condition:.1e}")
    matrix = torch.linalg.solve(system, cross + pull * identity)
    scale = target.trace()
    residual = (matrix.T @ gram @ matrix - 2 * matrix.T @ cross + target).trace()
    shift = (gram - 2 * cross + target).trace()
    return Propagation(matrix, _ratio(residual, scale), _ratio(shift, scale), condition, rows)


def _ratio(square: torch.Tensor, scale: torch.Tensor) -> float:
    return float((square.clamp(min=0) / scale).sqrt())
