"""Chooses a form for each sibling by what it says of rows it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from hubadapt.propagation.forms import Form
from hubadapt.propagation.solve import Factor, Propagation, UndeterminedMapError, factorise, relative, solved
from hubadapt.propagation.sums import Sums, square_norm
from hubadapt.vocab_map import Origin, VocabMap

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_SHARE = 10
_MOST = 2048

Add = Callable[[Sums, np.ndarray], None]
"""Adds the rows of some new ids to sums."""
Read = Callable[[np.ndarray], list[torch.Tensor]]
"""Rows of some new ids in float64: those of the base, then those of each sibling."""


@dataclass(frozen=True)
class Split:
    """New ids by what they serve for while a form is chosen, each ascending.

    Attributes:
        held_out: Copied rows to judge on: a tenth of them all over the vocabulary, 2,048 at the most.
        copied: The other copied rows.
        composed: Composed rows without a piece that is held out.
        touched: Composed rows with one. They join when the chosen form is fitted on all rows.
    """

    held_out: np.ndarray
    copied: np.ndarray
    composed: np.ndarray
    touched: np.ndarray


def split_rows(vocab_map: VocabMap, rows: np.ndarray) -> Split:
    """Split rows that a map can be fitted on.

    Args:
        vocab_map: T, V_new × V_old.
        rows: As `usable_rows` gives them.
    """
    copied = rows[vocab_map.origins[rows] == Origin.COPIED]
    composed = rows[vocab_map.origins[rows] == Origin.COMPOSED]
    held_out = copied[:: max(_SHARE, -(-len(copied) // _MOST))]
    secret = np.zeros(vocab_map.old_size, dtype=bool)
    secret[vocab_map.indices[vocab_map.indptr[held_out]]] = True
    seen = np.concatenate([[0], np.cumsum(secret[vocab_map.indices])])
    touched = seen[vocab_map.indptr[composed + 1]] > seen[vocab_map.indptr[composed]]
    return Split(held_out, np.setdiff1d(copied, held_out), composed[~touched], composed[touched])


def choose(split: Split, width: int, siblings: int, *, add: Add, read: Read) -> list[Propagation]:
    """Fit every candidate on the rows that are not held out, and the best one again on all rows, for each sibling.

    Args:
        split: The rows.
        width: D.
        siblings: How many there are.
        add: Adds rows to sums.
        read: Reads rows.

    Raises:
        UndeterminedMapError: There are no rows to judge on.
    """
    if len(split.held_out) == 0:
        raise UndeterminedMapError("no row is shared, so there is none to choose a form by")
    copied, composed = Sums.zero(width, siblings), Sums.zero(width, siblings)
    add(copied, split.copied)
    add(composed, split.composed)
    scores: list[dict[tuple[Form, float], float]] = _judged(copied, copied + composed, read(split.held_out))
    add(copied, split.held_out)
    add(composed, split.touched)
    best = [min(mine, key=mine.__getitem__) for mine in scores]
    made: list[Propagation | None] = [None] * siblings
    for form, ridge in dict.fromkeys(best):
        sums = copied if form is Form.OVERLAP else copied + composed
        factor = None if form is Form.SWAP else factorise(sums, ridge)
        for sibling in [place for place in range(siblings) if best[place] == (form, ridge)]:
            found = _solution(sums, sibling, factor, form, ridge)
            made[sibling] = replace(found, held_out={_name(*key): value for key, value in scores[sibling].items()})
    return [result for result in made if result is not None]


def swapped(sums: Sums, sibling: int) -> Propagation:
    """The swap, with what it leaves on the rows that were added."""
    shift = relative(float(sums.moved[sibling]), float(sums.target[sibling]))
    return Propagation(Form.SWAP, None, len(sums.gram), None, shift, None, sums.rows)


def _judged(copied: Sums, everything: Sums, held_out: Sequence[torch.Tensor]) -> list[dict[tuple[Form, float], float]]:
    """‖XM − Y‖ / ‖Y‖ on the held-out rows, for each sibling and candidate."""
    base, *siblings = held_out
    candidates = [(Form.SWAP, 0.0), (Form.OVERLAP, 0.0), (Form.CONVERSION, 0.0), *((Form.RIDGE, r) for r in RIDGES)]
    scores: list[dict[tuple[Form, float], float]] = [{} for _ in siblings]
    for form, ridge in candidates:
        sums = copied if form is Form.OVERLAP else everything
        try:
            factor = None if form is Form.SWAP else factorise(sums, ridge)
        except UndeterminedMapError:
            continue
        for place, rows in enumerate(siblings):
            delta = _solution(sums, place, factor, form, ridge).delta
            left = base - rows
            if delta is not None:
                left.addmm_(base, delta)
            scores[place][form, ridge] = relative(square_norm(left), square_norm(rows))
    return scores


def _solution(sums: Sums, sibling: int, factor: Factor | None, form: Form, ridge: float) -> Propagation:
    return swapped(sums, sibling) if factor is None else solved(sums, sibling, factor, form=form, ridge=ridge)


def _name(form: Form, ridge: float) -> str:
    return f"{form} {ridge:g}" if ridge else str(form)
