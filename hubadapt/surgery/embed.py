"""Writes a copy of a model with the tables of a new vocabulary, its new rows initialised."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from hubadapt.checkpoint import (
    NewTensor,
    Tables,
    bytes_needed,
    find_tables,
    load_config,
    read_tensor,
    require_finite,
    require_space,
    write_with_tables,
    written_size,
)
from hubadapt.checkpoint.whole import whole_folder
from hubadapt.embeddings import Givens, Initialisation, Rows, find_initialisation
from hubadapt.errors import ModelError, RecipeError
from hubadapt.machine import one_thread
from hubadapt.model import copy_tokenizer, load_model
from hubadapt.portable import make_portable
from hubadapt.surgery.donor import read_donor
from hubadapt.tokenizer.between import map_between
from hubadapt.tokenizer.dialects import spellings
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json
from hubadapt.types import Progress, silent
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap, apply_blocks, compose_blocks

NEW_ROWS_NAME = "new_rows.json"
_BLOCK = 512


@dataclass(frozen=True)
class Start:
    """How new rows begin.

    Attributes:
        method: Initialisation of the input table, and of the head where it is tied.
        head_method: That of an untied head; `method` by default.
        donor: Folder of a donor model, for methods that need one.
        texts: Target-language texts, for methods that need some.
        seed: Where randomness starts.
        body: Whether files without a table are copied, or hard-linked.
    """

    method: str = "length(by=0.9)"
    head_method: str | None = None
    donor: Path | None = None
    texts: Sequence[str] = ()
    seed: int = 0
    body: Literal["copy", "link"] = "copy"


_USUAL = Start()


@dataclass(frozen=True)
class Embedded:
    """What surgery did to one table.

    Attributes:
        method: The initialisation, settings included.
        old_norm: Mean norm of the old rows.
        mean_norms: Norm of each new row as the plain mean of its pieces, shape (n_composed,).
        norms: Norm of each new row as it was written, shape (n_composed,).
    """

    method: str
    old_norm: float
    mean_norms: np.ndarray = field(repr=False)
    norms: np.ndarray = field(repr=False)


def embed(
    base: Path,
    tokenizer: Path,
    target: Path,
    start: Start = _USUAL,
    *,
    progress: Progress = silent,
) -> dict[str, Embedded]:
    """Write `base` to `target` with the vocabulary of `tokenizer`: old rows bit for bit, new rows initialised.

    The body is copied file by file; of the tables a few thousand rows are in memory at a time. Beside the model lies
    `new_rows.json`: for each new token its pieces, and for each table the method and the row's norm before and after.

    Args:
        base: Checkpoint folder.
        tokenizer: Folder with a tokenizer; where it holds no `vocab_map.safetensors`, the map is made of the two
            tokenizers' entries.
        target: Folder to make; replaced if it exists.
        start: How new rows begin.
        progress: Opens progress bars.

    Raises:
        ModelError: The base is damaged, its tables are quantised or hold NaN or infinity, or map and tables disagree.
        RecipeError: A method is not known, or lacks what it needs.
        UserError: The disk is too small, or files cannot be linked.
    """
    read_tokenizer_json(tokenizer)
    tables = find_tables(load_config(base))
    pieces = read_pieces(base, tokenizer, tables)
    methods = chosen_methods(start, tables)
    rows_of = dict.fromkeys(tables.names, pieces.new_size)
    require_space(target, bytes_needed(base, target, rows_of, body=start.body))
    made: dict[str, NewTensor] = {}
    report: dict[str, Embedded] = {}
    for name, method in methods.items():
        givens = replace(_givens(base, tokenizer, name, tables, pieces, start), progress=progress)
        rows = method(givens)
        made[name] = _new_table(givens, rows)
        report[name] = _report(givens, method, rows)
    with whole_folder(target) as folder, progress("writing the model", written_size(base, made)) as advance:
        write_with_tables(
            base,
            folder,
            made,
            config_changes={"vocab_size": pieces.new_size},
            moved_ids=pieces.moved_ids(),
            body=start.body,
            advance=advance,
        )
        copy_tokenizer(tokenizer, folder)
        make_portable(folder)
        _write_new_rows(base, folder, pieces, report)
    return report


def read_pieces(base: Path, tokenizer: Path, tables: Tables) -> VocabMap:
    """The map of a new tokenizer, as it lies beside it or else made of the two tokenizers' entries."""
    if (tokenizer / VOCAB_MAP_NAME).is_file():
        return VocabMap.load(tokenizer / VOCAB_MAP_NAME)
    old, new = read_tokenizer_json(base), read_tokenizer_json(tokenizer)
    return map_between(old, new, old_rows=len(read_tensor(base, tables.embedding)))


def chosen_methods(start: Start, tables: Tables) -> dict[str, Initialisation]:
    """The initialisation of each table by its name.

    Raises:
        RecipeError: A method is not known, or lacks what it needs.
    """
    names = (start.method, start.head_method or start.method)
    methods = dict(zip(tables.names, map(find_initialisation, names), strict=False))
    for method in methods.values():
        for need in method.needs:
            if not getattr(start, need):
                what, hint = _NEEDS[need]
                raise RecipeError(f"the initialisation {method.name} needs {what}, but none is given.", hint)
    return methods


_NEEDS = {
    "donor": ("a donor", "Name a model that has tokens in common with both vocabularies: `donor: FOLDER`."),
    "texts": ("texts", "Give it target-language text: a stage corpus in the recipe, or --text FILE."),
}


def _givens(base: Path, tokenizer: Path, name: str, tables: Tables, pieces: VocabMap, start: Start) -> Givens:
    table = read_tensor(base, name)
    require_finite(base, name, table)
    if len(table) != pieces.old_size:
        raise ModelError(
            f"{name} of {base} has {len(table)} rows, the vocabulary map of {tokenizer} expects {pieces.old_size}.",
            "Use the model that the vocabulary was made for.",
        )
    return Givens(
        pieces=pieces,
        table=table,
        role="tied" if tables.head is None else "head" if name == tables.head else "input",
        spellings=spellings(read_tokenizer_json(base), pieces.old_size),
        seed=start.seed,
        donor=read_donor(start.donor, base, tokenizer, pieces, head=name == tables.head) if start.donor else None,
        texts=start.texts,
        encoders=_encoders(base, tokenizer) if start.texts else None,
        model=partial(load_model, base),
    )


def _encoders(base: Path, tokenizer: Path) -> tuple[Any, Any]:
    from tokenizers import Tokenizer

    old, new = (Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (base, tokenizer))
    return old, new


def _new_table(givens: Givens, rows: Rows) -> NewTensor:
    return NewTensor(
        (givens.pieces.new_size, givens.table.shape[1]), givens.table.dtype, partial(_blocks, givens, rows)
    )


def _blocks(givens: Givens, rows: Rows) -> Iterator[torch.Tensor]:
    if isinstance(rows, VocabMap):
        return apply_blocks(rows, givens.table)
    return apply_blocks(givens.pieces, givens.table, learnt=rows)


def _report(givens: Givens, method: Initialisation, rows: Rows) -> Embedded:
    new = givens.pieces.rows_of(Origin.COMPOSED)
    old_norm = float(_norms(torch.split(givens.table, _BLOCK), len(givens.table)).mean())
    mean_norms = _norms(compose_blocks(givens.pieces, givens.table, new), len(new))
    if rows is givens.pieces:
        return Embedded(str(method), old_norm, mean_norms, mean_norms)
    written = compose_blocks(rows, givens.table, new) if isinstance(rows, VocabMap) else torch.split(rows, _BLOCK)
    return Embedded(str(method), old_norm, mean_norms, _norms(written, len(new)))


def _norms(blocks: Iterable[torch.Tensor], count: int) -> np.ndarray:
    # Small results kept between large blocks would hold the heap apart: it grew by each block that was freed.
    norms = np.empty(count, dtype=np.float32)
    first = 0
    for block in blocks:
        with one_thread():
            norms[first : first + len(block)] = torch.linalg.vector_norm(block, dim=1, dtype=torch.float32)
        first += len(block)
    return norms


def _write_new_rows(base: Path, target: Path, pieces: VocabMap, report: dict[str, Embedded]) -> None:
    old = {index: entry for entry, index in all_entries(read_tokenizer_json(base)).items()}
    new = {index: entry for entry, index in all_entries(read_tokenizer_json(target)).items()}
    with (target / NEW_ROWS_NAME).open("w", encoding="utf-8") as file:
        file.write('{"methods": ' + json.dumps({name: table.method for name, table in report.items()}) + ', "rows": [')
        for at, row in enumerate(pieces.rows_of(Origin.COMPOSED)):
            record = {
                "id": int(row),
                "token": new.get(int(row)),
                "pieces": [old.get(int(i)) for i in pieces.indices[pieces.indptr[row] : pieces.indptr[row + 1]]],
                "norms": {
                    name: [round(float(table.mean_norms[at]), 4), round(float(table.norms[at]), 4)]
                    for name, table in report.items()
                },
            }
            file.write(("," if at else "") + "\n" + json.dumps(record, ensure_ascii=False))
        file.write("\n]}\n")
