"""The mean of a new token's pieces, brought to the length that rows of the language have."""

from __future__ import annotations

import numpy as np
import torch

from hubadapt.embeddings import Givens, initialisation
from hubadapt.vocab_map import Origin, VocabMap, compose_blocks

_UNDER_TRAINED = 0.01
_BLOCK = 4096


@initialisation("calibrated", reference="https://arxiv.org/abs/2608.03494")
def calibrated(givens: Givens) -> VocabMap:
    """Mean of the pieces' rows, each brought to the median norm of the rows that the language uses.

    e ← e · m / ‖e‖ with e the plain mean, and m the median norm of the rows that new tokens are made of. Of those,
    under-trained ones are left out: rows shorter than all but 1 % of the rows that stand for text, which padding and
    reserved rows are not among (peers find them the same way: Land & Bartolo 2024, arXiv 2405.05417).
    """
    pieces, table = givens.pieces, givens.table
    rows = pieces.rows_of(Origin.COMPOSED)
    if not len(rows):
        return pieces
    norms = torch.cat([block.norm(dim=1) for block in compose_blocks(pieces, table, rows)]).double().numpy()
    factors = np.ones(pieces.new_size)
    factors[rows[norms > 0]] = _language_norm(givens) / norms[norms > 0]
    return pieces.reweighted(pieces.weights * np.repeat(factors, np.diff(pieces.indptr)))


def _language_norm(givens: Givens) -> float:
    pieces = givens.pieces
    composed = np.repeat(pieces.origins == Origin.COMPOSED, np.diff(pieces.indptr))
    starts = range(0, len(givens.table), _BLOCK)
    blocks = (givens.table[start : start + _BLOCK].float() for start in starts)
    norms = torch.cat([block.norm(dim=1) for block in blocks]).double().numpy()
    spelled = np.fromiter(map(bool, givens.spellings), dtype=bool, count=len(norms))
    used = norms[np.unique(pieces.indices[composed])]
    floor = np.quantile(norms[spelled], _UNDER_TRAINED) if spelled.any() else 0.0
    trained = used[used >= floor]
    return float(np.median(trained if len(trained) else used))
