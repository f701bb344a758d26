"""The mean of a new token's pieces, brought to the length that rows of the language have."""

from __future__ import annotations

import numpy as np
import torch

from hubadapt.embeddings import initialisation
from hubadapt.vocab_map import Origin, VocabMap, apply


@initialisation("mean-normed", reference="https://arxiv.org/abs/2608.03494")
def mean_normed(pieces: VocabMap, table: torch.Tensor, scale: float) -> VocabMap:
    """Mean of the pieces' rows, each brought to the median norm of the rows used, times `scale`."""
    rows = pieces.rows_of(Origin.COMPOSED)
    entries_per_row = np.diff(pieces.indptr)
    composed = np.repeat(pieces.origins == Origin.COMPOSED, entries_per_row)
    used = torch.from_numpy(np.unique(pieces.indices[composed]))
    target = table[used].float().norm(dim=1).median().item()
    norms = apply(pieces, table)[torch.from_numpy(rows)].float().norm(dim=1).numpy()
    factors = np.ones(pieces.new_size)
    factors[rows] = scale * target / np.maximum(norms, 1e-12)
    return pieces.reweighted(pieces.weights * np.repeat(factors, entries_per_row))
