"""The plain mean of a new token's pieces."""

from __future__ import annotations

import numpy as np
import torch

from hubadapt.embeddings import initialisation
from hubadapt.vocab_map import Origin, VocabMap


@initialisation("mean", reference="https://arxiv.org/abs/2412.21140")
def mean(pieces: VocabMap, table: torch.Tensor, scale: float) -> VocabMap:
    """Mean of the pieces' rows, times `scale`."""
    entries_per_row = np.diff(pieces.indptr)
    composed = np.repeat(pieces.origins == Origin.COMPOSED, entries_per_row)
    return pieces.reweighted(np.where(composed, pieces.weights * scale, pieces.weights))
