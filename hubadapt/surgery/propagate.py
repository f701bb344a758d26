"""Carries a vocabulary that a base learnt into its siblings by LEP: folders in, folders out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hubadapt.checkpoint import bytes_needed, require_space, written_size
from hubadapt.errors import ModelError, RecipeError
from hubadapt.propagation.apply import PROJECTED, Adaptation
from hubadapt.propagation.fit import fit_maps
from hubadapt.propagation.forms import Form, Transfer
from hubadapt.propagation.rows import usable_rows
from hubadapt.propagation.solve import Propagation, UndeterminedMapError
from hubadapt.surgery.adapted import Adapted, read_adapted
from hubadapt.surgery.sibling import Sibling, new_body, new_tables, own_rows, read_sibling, write_sibling
from hubadapt.types import Progress, silent

_MATRICES = 3 * 2**29
"""Bytes that the D × D matrices of the siblings of one pass may take: 1.5 GiB."""


@dataclass(frozen=True)
class Lep:
    """How to propagate.

    Attributes:
        form: What the new rows are made of: see `Form`.
        ridge: Strength of the pull towards the identity, for the forms overlap, conversion and ridge.
        body_scale: Where the adapted base is a LoRA adapter: factor on its change to the body, 0 to leave the body as
            it is.
        vocab_map: The map between the vocabularies; by default the one in the adapted folder, or one that is made of
            the two tokenizers.
        body: Whether files without a new tensor are copied, or hard-linked.
    """

    form: str = Form.CONVERSION
    ridge: float = 0.0
    body_scale: float = 1.0
    vocab_map: Path | None = None
    body: Literal["copy", "link"] = "copy"

    @property
    def transfer(self) -> Transfer:
        """What the maps are to be.

        Raises:
            RecipeError: There is no such form, or ridge and form do not go together.
        """
        if self.form not in [*Form]:
            raise RecipeError(f"there is no form {self.form!r} of propagation.", f"Choose one of: {', '.join(Form)}.")
        transfer = Transfer(Form(self.form), self.ridge)
        for problem, hint in transfer.problems():
            raise RecipeError(f"{problem}.", hint)
        return transfer


@dataclass(frozen=True)
class Propagated:
    """What was done to a sibling.

    Attributes:
        maps: The map of each table by name.
        kept: How many rows of each are the sibling's own, bit for bit.
        projected: How many rows of each are made of the adapted base's.
        own_tokens: How many added tokens it has that the base lacks.
        appended: How many of them got another id, since theirs was taken.
        body_tensors: How many tensors of its body changed.
    """

    maps: Mapping[str, Propagation]
    kept: Mapping[str, int]
    projected: Mapping[str, int]
    own_tokens: int
    appended: int
    body_tensors: int

    def facts(self) -> dict[str, Any]:
        """All of it but the maps, as plain data."""
        tables = {}
        for name, found in self.maps.items():
            figures = {
                "form": str(found.form),
                "ridge": found.ridge,
                "residual": found.residual,
                "shift": found.shift,
                "condition": found.condition,
                "distance": found.distance,
                "rows": found.rows,
                "kept": self.kept[name],
                "projected": self.projected[name],
                "held_out": dict(found.held_out),
            }
            tables[name] = {key: value for key, value in figures.items() if value is not None and value != {}}
        return {
            "tables": tables,
            "own_tokens": self.own_tokens,
            "appended": self.appended,
            "body_tensors": self.body_tensors,
        }


def propagate(
    base: Path,
    adapted: Path,
    siblings: Mapping[str, Path],
    out: Path,
    lep: Lep | None = None,
    *,
    progress: Progress = silent,
) -> dict[str, Propagated]:
    """Write each sibling with the vocabulary that the adapted base has, its body as it was.

    All is checked before anything is computed, and computed before anything is written. No body is ever loaded, tables
    are read a few thousand rows at a time, and the work on the base is done once for as many siblings as their D × D
    matrices fit into 1.5 GiB.

    Args:
        base: Folder of the base.
        adapted: Folder of the adapted base: a model, or a LoRA adapter of it that holds the tables.
        siblings: Folders of the siblings by name.
        out: Each sibling is written to the folder of its name in here.
        lep: How; by conversion where it is left out.
        progress: Opens progress bars.

    Returns:
        What was done to each sibling.

    Raises:
        ModelError: A model is damaged or not finite, a sibling is no tune of the base, or a map is not determined.
        RecipeError: The parameters do not go together.
        UserError: The disk is too small.

    Source:
        Tikhomirov & Chernyshev 2024, arXiv 2412.21140.
    """
    lep = lep or Lep()
    transfer = lep.transfer
    read = read_adapted(base, adapted, lep.vocab_map)
    known = {name: read_sibling(folder, base, read) for name, folder in siblings.items()}
    _require_room(out, known, read, lep)
    rows = usable_rows(read.vocabularies.vocab_map, read.vocabularies.shared_ids())
    steps = {
        name: Adaptation(read.before[name], table, read.vocabularies.vocab_map, rows)
        for name, table in read.tables.items()
    }
    unmoved = {name: step.unmoved() for name, step in steps.items()}
    done: dict[str, Propagated] = {}
    for names in _passes(list(known), read, transfer):
        group = {name: known[name] for name in names}
        maps = _fitted(steps, group, transfer, progress)
        for name, sibling in group.items():
            own = {table: own_rows(sibling, step, unmoved[table]) for table, step in steps.items()}
            body = new_body(sibling, read.body, lep.body_scale)
            tensors = new_tables(sibling, steps, own, maps[name]) | body
            with progress(f"writing {name}", written_size(sibling.folder, tensors)) as advance:
                write_sibling(sibling, out / name, tensors, adapted, body=lep.body, advance=advance)
            done[name] = _report(sibling, read, maps.pop(name), own, len(body))
    return done


def _passes(names: list[str], adapted: Adapted, transfer: Transfer) -> Iterator[list[str]]:
    """Siblings in groups whose matrices fit into memory: the maps of all tables, and the sums of one."""
    width = next(iter(adapted.tables.values())).shape[1]
    sums = 2 if transfer.form is Form.AUTO else 1
    most = max(1, _MATRICES // (8 * width * width * (len(adapted.tables) + sums)))
    for start in range(0, len(names), most):
        yield names[start : start + most]


def _fitted(
    steps: Mapping[str, Adaptation], siblings: Mapping[str, Sibling], transfer: Transfer, progress: Progress
) -> dict[str, dict[str, Propagation]]:
    """The map of each table, by sibling."""
    maps: dict[str, dict[str, Propagation]] = {name: {} for name in siblings}
    with progress("fitting maps", sum(len(step.rows) for step in steps.values())) as advance:
        for table, step in steps.items():
            rows = [sibling.tables[table] for sibling in siblings.values()]
            try:
                found = fit_maps(step.base, rows, step.vocab_map, step.rows, transfer, advance=advance)
            except UndeterminedMapError as error:
                raise ModelError(
                    f"LEP into {', '.join(siblings)} is not defined for {table}: {error}.",
                    "Set `form: ridge` with `ridge: 0.01`, or `form: swap`.",
                ) from error
            for name, one in zip(siblings, found, strict=True):
                maps[name][table] = one
    return maps


def _report(
    sibling: Sibling,
    adapted: Adapted,
    maps: Mapping[str, Propagation],
    own: Mapping[str, np.ndarray],
    body_tensors: int,
) -> Propagated:
    kept = {table: int((rows != PROJECTED).sum()) for table, rows in own.items()}
    return Propagated(
        maps=maps,
        kept=kept,
        projected={table: len(own[table]) - count for table, count in kept.items()},
        own_tokens=len(set(sibling.placement.added) - set(adapted.vocabularies.added_by_base())),
        appended=sibling.placement.appended,
        body_tensors=body_tensors,
    )


def _require_room(out: Path, siblings: Mapping[str, Sibling], adapted: Adapted, lep: Lep) -> None:
    """Stop where the disk is too small for all of them."""
    body = {name: change.shape[0] for name, change in adapted.body.items()} if lep.body_scale else {}
    needed = 0
    for name, sibling in siblings.items():
        rows = body | dict.fromkeys(sibling.tables, len(sibling.placement.own))
        needed += bytes_needed(sibling.folder, out / name, rows, body=lep.body)
    require_space(out, needed)
