"""Rows drawn at random, which know nothing of the token: what the other initialisations are measured against."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from hubadapt.embeddings import Givens, Role, initialisation
from hubadapt.vocab_map import Origin

_BLOCK = 4096
_ROLES: tuple[Role, ...] = ("input", "head", "tied")


@initialisation("gaussian", reference="https://www.cs.columbia.edu/~johnhew/vocab-expansion.html")
def gaussian(givens: Givens, *, scale: float = 1e-9) -> torch.Tensor:
    """Drawn around the mean of all rows, as they are spread; close to that mean by default.

    N(μ, scale · Σ), μ and Σ over the old rows that stand for text (Hewitt 2021). With the default scale it is what
    `resize_token_embeddings(mean_resizing=True)` of transformers does, which takes 1e-9 (and padding and service rows
    too). Mean and covariance are summed in float64 over blocks of rows; the covariance takes 8·D² bytes.
    """
    mean, covariance = _moments(givens)
    width = len(mean)
    # Fewer rows than dimensions leave the covariance singular, equal rows leave it zero.
    ridge = 1e-9 * float(covariance.trace()) / width + 1e-30
    factor = torch.linalg.cholesky(covariance + ridge * torch.eye(width, dtype=torch.float64))
    spread = (scale**0.5 * factor).float().T
    return torch.cat([mean.float() + draw @ spread for draw in _normal(givens)])


@initialisation("random", reference="https://github.com/huggingface/transformers")
def random(givens: Givens, *, std: float = 0.02) -> torch.Tensor:
    """Drawn around zero, as an untrained model begins.

    N(0, std²) for each number; 0.02 is the `initializer_range` that most configurations have, and so what
    `resize_token_embeddings(mean_resizing=False)` of transformers does.
    """
    return torch.cat([std * draw for draw in _normal(givens)])


def _normal(givens: Givens) -> Iterator[torch.Tensor]:
    """Blocks of standard normal rows, one for each composed row; others for each seed and role of the table."""
    generator = torch.Generator().manual_seed(givens.seed * len(_ROLES) + _ROLES.index(givens.role))
    count, width = len(givens.pieces.rows_of(Origin.COMPOSED)), givens.table.shape[1]
    for start in range(0, max(count, 1), _BLOCK):
        yield torch.randn(min(_BLOCK, count - start), width, generator=generator)


def _moments(givens: Givens) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean, shape (D,), and covariance, shape (D, D), of the rows that stand for text, float64."""
    spelled = np.flatnonzero(np.fromiter(map(bool, givens.spellings), dtype=bool, count=len(givens.table)))
    rows = torch.from_numpy(spelled) if len(spelled) else torch.arange(len(givens.table))
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    width = givens.table.shape[1]
    mean = torch.zeros(width, dtype=torch.float64)
    for ids in blocks:
        mean += givens.table[ids].double().sum(dim=0) / len(rows)
    covariance = torch.zeros(width, width, dtype=torch.float64)
    for ids in blocks:
        centred = givens.table[ids].double() - mean
        covariance.addmm_(centred.T, centred, alpha=1 / len(rows))
    return mean, covariance
