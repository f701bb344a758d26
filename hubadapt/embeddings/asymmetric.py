"""Input table and head each by the rule that suits it."""

from __future__ import annotations

from hubadapt.embeddings import Givens, Rows, initialisation
from hubadapt.embeddings.calibrated import calibrated
from hubadapt.embeddings.weighted import length


@initialisation("asymmetric", reference="https://arxiv.org/abs/2608.03494")
def asymmetric(givens: Givens) -> Rows:
    """Input table: mean brought to the norm of the language's rows; head: mean weighted by length.

    Both as published for untied tables: `calibrated` for the input table, `length` for the head. A tied table can have
    one rule only and gets that of the input table, for which nothing is published; on a small tied model it was
    measured to be among the worst right after surgery (docs/log.md).
    """
    return length(givens) if givens.role == "head" else calibrated(givens)
