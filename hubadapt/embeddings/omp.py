"""New rows in the place that a donor model gives them among the tokens that both models know."""

from __future__ import annotations

import numpy as np
import torch

from hubadapt.embeddings import Donor, Givens, initialisation
from hubadapt.embeddings.pursuit import pursue
from hubadapt.errors import ModelError, RecipeError
from hubadapt.vocab_map import Origin, VocabMap


@initialisation("omp", reference="https://arxiv.org/abs/2506.06607", needs=("donor",))
def omp(givens: Givens, *, k: int = 64) -> VocabMap:
    """Combination of k rows that a donor model makes of tokens that both models know.

    The donor's row of a new token is written by orthogonal matching pursuit as Σ cⱼ d(aⱼ) over k anchors, tokens of
    the old vocabulary that the donor has too; the new row is Σ cⱼ e(aⱼ), of the old table's rows of the same tokens
    (Goddard & Fernandes Neto 2025). Weights have no bounds, and rows no given length: compare the norms in the record.
    New tokens that the donor lacks, or has no row for but zeros, keep the mean of their pieces. Under-trained anchors
    are not left out.

    Raises:
        RecipeError: k is less than 1.
        ModelError: Donor and base have fewer than k tokens in common, or the donor has none of the new tokens.
    """
    if givens.donor is None:
        raise ValueError("omp needs a donor")
    if k < 1:
        raise RecipeError(f"the initialisation omp cannot combine {k} rows.", "Set k to at least 1: omp(k=64)")
    anchors = np.flatnonzero(np.asarray(givens.donor.old_ids) >= 0)
    rows = _known(givens, givens.donor)
    if not len(rows):
        return givens.pieces
    if len(anchors) < k:
        raise ModelError(
            f"the donor has {len(anchors):,} tokens of the old vocabulary, but omp(k={k}) combines {k}.",
            "Choose a donor whose vocabulary is more like that of the base, or a smaller k.",
        )
    table, ids, old_ids = givens.donor.table, np.asarray(givens.donor.ids), np.asarray(givens.donor.old_ids)
    targets, atoms = (table[torch.from_numpy(which)] for which in (ids[rows], old_ids[anchors]))
    chosen, weights = pursue(targets, atoms, k)
    return givens.pieces.recomposed(
        rows, np.full(len(rows), k), anchors[chosen.numpy().ravel()], weights.numpy().ravel()
    )


def _known(givens: Givens, donor: Donor) -> np.ndarray:
    """New ids to be composed that the donor has a row for."""
    composed = givens.pieces.rows_of(Origin.COMPOSED)
    ids = np.asarray(donor.ids)[composed]
    known = composed[ids >= 0]
    if len(composed) and not len(known):
        raise ModelError(
            f"the donor has none of the {len(composed):,} new tokens.",
            "Choose a donor that writes the language with tokens of its own, such as the model a vocabulary came from.",
        )
    alive: np.ndarray = donor.table[torch.from_numpy(ids[ids >= 0])].any(dim=1).numpy()
    return np.compress(alive, known)
