"""What least squares needs to know of the rows: D × D sums, gathered block by block in float64."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass
class Sums:
    """Sums over row blocks X of the base and R = Y − X of each sibling, whose rows are Y.

    The map is written M = I + Δ. What Δ needs is XᵀR, not XᵀY: a sibling that did not move then has sums of exactly
    zero, and small moves lose no digits beside XᵀX.

    Attributes:
        gram: XᵀX, shape (D, D), float64. It does not depend on the siblings.
        cross: XᵀR of each sibling, shape (D, D), float64.
        moved: ‖R‖² of each sibling, shape (S,), float64.
        target: ‖Y‖² of each sibling, shape (S,), float64.
        rows: How many rows were added.
    """

    gram: torch.Tensor
    cross: tuple[torch.Tensor, ...]
    moved: torch.Tensor
    target: torch.Tensor
    rows: int = 0

    @staticmethod
    def zero(width: int, siblings: int) -> Sums:
        """Sums over no rows yet."""
        square = [torch.zeros(width, width, dtype=torch.float64) for _ in range(1 + siblings)]
        numbers = torch.zeros(2, siblings, dtype=torch.float64)
        return Sums(square[0], tuple(square[1:]), numbers[0], numbers[1])

    def add(self, base: torch.Tensor, siblings: Iterable[torch.Tensor], scratch: np.ndarray | None = None) -> None:
        """Add a block of rows.

        Args:
            base: X, shape (B, D), float64.
            siblings: Y of each sibling, of the same shape; overwritten. They may share their memory: each is used
                before the next is asked for.
            scratch: Memory for a product, shape (D, D), float64, where many blocks are added.
        """
        x = base.numpy()
        # NumPy sees that this is symmetric and computes one half of it; it is also a little faster than torch.
        self.gram += torch.from_numpy(np.matmul(x.T, x, out=scratch))
        for place, rows in enumerate(siblings):
            self.target[place] += square_norm(rows)
            moved = square_norm(rows.sub_(base))
            if moved:
                self.cross[place].add_(torch.from_numpy(np.matmul(x.T, rows.numpy(), out=scratch)))
            self.moved[place] += moved
        self.rows += len(base)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.gram + other.gram,
            tuple(mine + theirs for mine, theirs in zip(self.cross, other.cross, strict=True)),
            self.moved + other.moved,
            self.target + other.target,
            self.rows + other.rows,
        )


def square_norm(rows: torch.Tensor) -> float:
    """Sum of the squares of a float64 tensor."""
    flat = rows.reshape(-1)
    return float(flat @ flat)
