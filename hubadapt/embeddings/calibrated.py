"""The mean of a new token's pieces, brought to the length that rows of the language have."""

from __future__ import annotations

import numpy as np
import torch

from hubadapt.embeddings import Givens, initialisation
from hubadapt.vocab_map import Origin, VocabMap, compose_blocks


@initialisation("calibrated", reference="https://arxiv.org/abs/2608.03494")
def calibrated(givens: Givens) -> VocabMap:
    """Mean of the pieces' rows, each brought to the median norm of the rows that the language uses."""
    pieces, table = givens.pieces, givens.table
    rows = pieces.rows_of(Origin.COMPOSED)
    entries_per_row = np.diff(pieces.indptr)
    composed = np.repeat(pieces.origins == Origin.COMPOSED, entries_per_row)
    used = torch.from_numpy(np.unique(pieces.indices[composed]))
    if not len(used):
        return pieces
    target = table[used].float().norm(dim=1).median().item()
    norms = torch.cat([block.norm(dim=1) for block in compose_blocks(pieces, table, rows)]).numpy()
    factors = np.ones(pieces.new_size)
    factors[rows] = target / np.maximum(norms, 1e-12)
    return pieces.reweighted(pieces.weights * np.repeat(factors, entries_per_row))
