"""Fits the maps of many siblings in one pass over a table; the work on the base is done once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from hubadapt.propagation.choose import choose, split_rows
from hubadapt.propagation.forms import Form, Transfer
from hubadapt.propagation.rows import BLOCK, blocks_of, composed
from hubadapt.propagation.solve import Propagation, factorise, relative, solved
from hubadapt.propagation.sums import Sums, square_norm
from hubadapt.vocab_map import Origin, VocabMap

Advance = Callable[[int], object]


def fit_maps(
    base: torch.Tensor,
    siblings: Sequence[torch.Tensor],
    vocab_map: VocabMap,
    rows: np.ndarray,
    transfer: Transfer,
    *,
    advance: Advance = lambda _: None,
) -> list[Propagation]:
    """Fit the map of each sibling.

    XᵀX, its factor and its condition are computed once. A further sibling costs its own XᵀR and one solution. Memory
    holds 1 + S matrices of D × D in float64, twice that where a form is chosen, and a few blocks of 4,096 rows; the
    tables are read block by block.

    Args:
        base: Table of the base, shape (V_old, D), any float dtype.
        siblings: The same table of each sibling; rows that `rows` are not made of may be more or fewer.
        vocab_map: T: the plain mean map between the vocabularies, V_new × V_old.
        rows: New ids to fit on, as `usable_rows` gives them.
        transfer: The form, and its ridge.
        advance: Called with the number of rows just read.

    Raises:
        UndeterminedMapError: The rows do not determine the map.
    """
    tables = [base, *siblings]
    if transfer.form is Form.AUTO:
        return choose(
            split_rows(vocab_map, rows),
            base.shape[1],
            len(siblings),
            add=partial(_add, tables, vocab_map, advance),
            read=lambda ids: [composed(vocab_map, table, ids) for table in tables],
        )
    if transfer.form is Form.OVERLAP:
        rows = rows[vocab_map.origins[rows] == Origin.COPIED]
    if transfer.form in (Form.SWAP, Form.DELTA):
        return _unfitted(tables, vocab_map, rows, transfer.form, advance)
    sums = Sums.zero(base.shape[1], len(siblings))
    _add(tables, vocab_map, advance, sums, rows)
    factor = factorise(sums, transfer.ridge)
    return [solved(sums, place, factor, form=transfer.form, ridge=transfer.ridge) for place in range(len(siblings))]


def _add(tables: Sequence[torch.Tensor], vocab_map: VocabMap, advance: Advance, sums: Sums, rows: np.ndarray) -> None:
    width = tables[0].shape[1]
    # Memory that is given back and asked for again at each block takes a tenth of the time.
    base, sibling = torch.empty(2, min(BLOCK, len(rows)), width, dtype=torch.float64)
    scratch = np.empty((width, width))
    for ids in blocks_of(rows):
        own = composed(vocab_map, tables[0], ids, base)
        sums.add(own, (composed(vocab_map, table, ids, sibling) for table in tables[1:]), scratch)
        advance(len(ids))


def _unfitted(
    tables: Sequence[torch.Tensor], vocab_map: VocabMap, rows: np.ndarray, form: Form, advance: Advance
) -> list[Propagation]:
    moved, target = np.zeros(len(tables)), np.zeros(len(tables))
    for ids in blocks_of(rows):
        base = composed(vocab_map, tables[0], ids)
        for place, table in enumerate(tables[1:], 1):
            mine = composed(vocab_map, table, ids)
            target[place] += square_norm(mine)
            moved[place] += square_norm(mine.sub_(base))
        advance(len(ids))
    width = tables[0].shape[1]
    return [
        Propagation(form, None, width, None, relative(moved[place], target[place]), None, len(rows))
        for place in range(1, len(tables))
    ]
