"""The largest eigenvalue of a symmetric matrix that is known by its products with vectors."""

from __future__ import annotations

from collections.abc import Callable

import torch

_STEPS = 32


def largest_eigenvalue(product: Callable[[torch.Tensor], torch.Tensor], size: int) -> float:
    """By Lanczos' method with full reorthogonalisation, 32 steps, from a start that is always the same.

    Args:
        product: Gives A v, shape (D,), for v of shape (D,), float64; A is positive semi-definite.
        size: D.

    Returns:
        A lower bound, exact where D is at most 32.

    Source:
        Golub & Van Loan, Matrix Computations, 4th ed., §10.1.
    """
    steps = min(size, _STEPS)
    basis = torch.zeros(steps, size, dtype=torch.float64)
    inner = torch.zeros(steps, steps, dtype=torch.float64)
    vector = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for step in range(steps):
        basis[step] = vector / vector.norm()
        vector = product(basis[step])
        known = basis[: step + 1]
        inner[step, : step + 1] = known @ vector
        scale = float(vector.norm())
        for _ in range(2):
            vector = vector - known.T @ (known @ vector)
        if not float(vector.norm()) > 1e-14 * scale:
            inner = inner[: step + 1, : step + 1]
            break
    return float(torch.linalg.eigvalsh(inner)[-1])
