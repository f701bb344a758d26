"""The least-squares map that carries base embeddings onto a sibling's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch

from hubadapt.propagation.lanczos import largest_eigenvalue
from hubadapt.propagation.sums import Sums, square_norm

_WORST = 1e14


class UndeterminedMapError(ValueError):
    """The rows do not determine a map."""


@dataclass(frozen=True)
class Propagation:
    """A map M = I + Δ with its diagnostics.

    Attributes:
        form: How it came about, such as `conversion`.
        delta: Δ, shape (D, D), float64; None where it is zero, as in a swap.
        width: D.
        residual: ‖XM − Y‖ / ‖Y‖ on the rows it was fitted on; None where nothing was fitted.
        shift: ‖X − Y‖ / ‖Y‖ on the same rows: what the plain swap would leave.
        condition: Condition number of the Gram matrix XᵀX, after the ridge; None where nothing was fitted.
        rows: How many rows there were.
        ridge: Strength of the pull towards the identity.
        held_out: Where the form was chosen: ‖XM − Y‖ / ‖Y‖ of each candidate on rows it was not fitted on.
    """

    form: str
    delta: torch.Tensor | None = field(repr=False)
    width: int
    residual: float | None
    shift: float
    condition: float | None
    rows: int
    ridge: float = 0.0
    held_out: Mapping[str, float] = field(default_factory=dict)

    @property
    def matrix(self) -> torch.Tensor:
        """M, shape (D, D), float64."""
        identity = torch.eye(self.width, dtype=torch.float64)
        return identity if self.delta is None else identity + self.delta

    @property
    def distance(self) -> float:
        """‖M − I‖ / √D, Frobenius norm: 0 is the plain swap, about 1 a map that turns rows by 60 degrees."""
        return 0.0 if self.delta is None else (square_norm(self.delta) / self.width) ** 0.5


@dataclass(frozen=True)
class Factor:
    """The factorised system XᵀX + pull · I, which all siblings share.

    Attributes:
        lower: Its Cholesky factor, shape (D, D), float64.
        gram: XᵀX.
        pull: What was added to the diagonal.
    """

    lower: torch.Tensor
    gram: torch.Tensor
    pull: float

    @cached_property
    def condition(self) -> float:
        """Condition number of the system: the largest eigenvalues of it and of its inverse, each by Lanczos.

        A full eigendecomposition takes a minute at D 4,096. Lanczos approaches both from below, within about a
        percent.
        """
        size = len(self.lower)
        highest = largest_eigenvalue(lambda vector: self.gram @ vector, size) + self.pull
        inverse = largest_eigenvalue(lambda vector: torch.cholesky_solve(vector[:, None], self.lower)[:, 0], size)
        return highest * inverse

    def solve(self, cross: torch.Tensor) -> torch.Tensor:
        """Δ for one sibling's XᵀR."""
        return torch.cholesky_solve(cross, self.lower)


def factorise(sums: Sums, ridge: float) -> Factor:
    """Factorise the normal equations of `min ‖XΔ − R‖² + ridge · tr(XᵀX)/D · ‖Δ‖²`.

    Raises:
        UndeterminedMapError: There are fewer than D rows and `ridge` is 0, or the rows leave directions open.
    """
    size = len(sums.gram)
    if sums.rows == 0 or (sums.rows < size and ridge == 0):
        raise UndeterminedMapError(f"{sums.rows:,} rows cannot determine a map of {size:,} × {size:,} without a ridge")
    pull = ridge * float(sums.gram.trace()) / size
    system = sums.gram.clone()
    system.diagonal().add_(pull)
    lower, failed = torch.linalg.cholesky_ex(system)
    if failed:
        raise UndeterminedMapError("the rows do not determine the map: its equations are singular")
    factor = Factor(lower, sums.gram, pull)
    if not factor.condition < _WORST:
        raise UndeterminedMapError(f"the rows do not determine the map: the condition number is {factor.condition:.1e}")
    return factor


def solved(sums: Sums, sibling: int, factor: Factor, *, form: str, ridge: float) -> Propagation:
    """The map of one sibling."""
    cross = sums.cross[sibling]
    moved, target = float(sums.moved[sibling]), float(sums.target[sibling])
    delta = factor.solve(cross) if moved else None
    # XᵀXΔ is XᵀR − pull · Δ, which saves a product of D × D matrices.
    left = 0.0 if delta is None else moved - float(delta.flatten() @ cross.flatten()) - factor.pull * square_norm(delta)
    return Propagation(
        form=form,
        delta=delta,
        width=len(sums.gram),
        residual=relative(left, target),
        shift=relative(moved, target),
        condition=factor.condition,
        rows=sums.rows,
        ridge=ridge,
    )


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
    sums = Sums.zero(0, 1)
    for x_block, y_block in zip(base_rows, sibling_rows, strict=True):
        if x_block.shape != y_block.shape:
            raise ValueError(f"row blocks differ in shape: {tuple(x_block.shape)} and {tuple(y_block.shape)}")
        if sums.rows == 0:
            sums = Sums.zero(x_block.shape[1], 1)
        sums.add(x_block.double(), [y_block.to(torch.float64, copy=True)])
    return solved(sums, 0, factorise(sums, ridge), form="conversion", ridge=ridge)


def relative(square: float, target: float) -> float:
    """A norm relative to another, of their squares; 0 where both are."""
    return (max(square, 0.0) / target) ** 0.5 if target else 0.0
