"""A sibling of a base: what is read and checked before anything is computed, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from hubadapt.checkpoint import NewTensor, read_tensor, require_finite, write_with_tables
from hubadapt.checkpoint.shards import stored_tensors
from hubadapt.checkpoint.whole import whole_folder
from hubadapt.errors import ModelError
from hubadapt.propagation.apply import PROJECTED, Adaptation, propagated_blocks
from hubadapt.propagation.solve import Propagation
from hubadapt.surgery.adapted import Adapted
from hubadapt.surgery.adapter import Change
from hubadapt.surgery.kinship import require_akin, require_architecture, require_same_ids
from hubadapt.surgery.placement import Placement, place
from hubadapt.surgery.sibling_tokenizer import sibling_content, write_sibling_tokenizer
from hubadapt.tokenizer.families import read_tokenizer_json

_ELEMENTS = 2**24


@dataclass(frozen=True)
class Sibling:
    """A sibling that can be given the vocabulary.

    Attributes:
        folder: Where it lies.
        tables: Its tables by name, each of shape (V_sibling, D).
        placement: Where the rows and tokens go that are its own.
        content: Its new `tokenizer.json`.
    """

    folder: Path
    tables: Mapping[str, torch.Tensor]
    placement: Placement
    content: Mapping[str, Any]


def read_sibling(folder: Path, base: Path, adapted: Adapted) -> Sibling:
    """Read a sibling and check all that can be checked; tables are read from disk as they are used.

    Raises:
        ModelError: It is damaged, not finite, or no tune of the base, or the vocabulary cannot be joined with its own.
    """
    require_architecture(base, folder, "sibling")
    require_same_ids(base, folder)
    tables = {name: read_tensor(folder, name) for name in adapted.roles.names}
    (rows, *others) = (len(table) for table in tables.values())
    if any(other != rows for other in others):
        raise ModelError(
            f"the tables of {folder} have {rows:,} and {others[0]:,} rows.", "Download or copy the model again."
        )
    for name, table in tables.items():
        require_finite(folder, name, table)
    require_akin(base, folder, adapted.roles)
    _require_tensors(folder, adapted.body)
    old = read_tokenizer_json(folder)
    placement = place(adapted.vocabularies, old, rows, folder)
    return Sibling(folder, tables, placement, sibling_content(adapted.vocabularies, old, placement, folder))


def own_rows(sibling: Sibling, adaptation: Adaptation, unmoved: np.ndarray) -> np.ndarray:
    """For each new id the sibling's row that it keeps, or `PROJECTED`: its own tokens, and rows that did not move.

    Args:
        sibling: The sibling.
        adaptation: What happened to the base's table.
        unmoved: As `adaptation.unmoved` gives them.
    """
    own = sibling.placement.own.copy()
    pieces = adaptation.vocab_map
    old = pieces.indices[pieces.indptr[unmoved]]
    there = (old < len(next(iter(sibling.tables.values())))) & (own[unmoved] == PROJECTED)
    own[unmoved[there]] = old[there]
    return own


def new_tables(
    sibling: Sibling,
    adaptations: Mapping[str, Adaptation],
    own: Mapping[str, np.ndarray],
    maps: Mapping[str, Propagation],
) -> dict[str, NewTensor]:
    """The sibling's new tables, made while they are written.

    Args:
        sibling: The sibling.
        adaptations: What happened to each of the base's tables.
        own: As `own_rows` gives them for each.
        maps: The sibling's map for each.
    """
    return {
        name: NewTensor(
            (len(own[name]), table.shape[1]),
            table.dtype,
            partial(propagated_blocks, adaptations[name], table, own[name], maps[name]),
        )
        for name, table in sibling.tables.items()
    }


def new_body(sibling: Sibling, changes: Mapping[str, Change], scale: float) -> dict[str, NewTensor]:
    """The sibling's own body with an adapter's changes added, made while it is written; in float32, with one cast.

    Args:
        sibling: The sibling.
        changes: As `Adapter.changes` gives them.
        scale: Factor on all of them; 0 leaves the body as it is.

    Source:
        Huang et al. 2024, arXiv 2310.04799 ("chat vector"), with the base's change added to the tune's weights.
    """
    if scale == 0:
        return {}
    made = {}
    for name, change in changes.items():
        weight = read_tensor(sibling.folder, name)
        made[name] = NewTensor(tuple(weight.shape), weight.dtype, partial(_changed, weight, change, scale))
    return made


def write_sibling(
    sibling: Sibling,
    target: Path,
    tensors: Mapping[str, NewTensor],
    adapted: Path,
    *,
    body: Literal["copy", "link"],
    advance: Callable[[int], object],
) -> None:
    """Write the sibling with its new tensors and tokenizer; the folder appears whole or not at all.

    Args:
        sibling: The sibling.
        target: Folder to make; replaced if it exists.
        tensors: As `new_tables` and `new_body` give them.
        adapted: Folder of the adapted base.
        body: As in `write_with_tables`.
        advance: Called with the number of bytes just written.
    """
    with whole_folder(target) as folder:
        write_with_tables(
            sibling.folder,
            folder,
            tensors,
            config_changes={"vocab_size": len(sibling.placement.own)},
            moved_ids=sibling.placement.moved_ids,
            body=body,
            advance=advance,
        )
        write_sibling_tokenizer(
            folder,
            adapted=adapted,
            sibling=sibling.folder,
            content=sibling.content,
            placement=sibling.placement,
        )


def _require_tensors(folder: Path, changes: Mapping[str, Change]) -> None:
    known = stored_tensors(folder)
    for name, change in changes.items():
        found = known[name].shape if name in known else "absent"
        if found != change.shape:
            raise ModelError(
                f"the adapter changes {name} of shape {change.shape}, which in {folder} is {found}.",
                "Set `body_scale: 0` to leave the body as it is, or choose another sibling.",
            )


def _changed(weight: torch.Tensor, change: Change, scale: float) -> Iterator[torch.Tensor]:
    step = max(1, _ELEMENTS // max(weight[0].numel(), 1))
    for start in range(0, len(weight), step):
        rows = weight[start : start + step].float() + scale * change.rows(start, start + step)
        yield rows.to(weight.dtype)
