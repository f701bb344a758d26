"""An adapted base on disk, a model or a LoRA adapter: its tables, its vocabulary, and what it changed in the body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from hubadapt.checkpoint import Tables, find_tables, load_config, read_tensor, require_finite
from hubadapt.errors import ModelError
from hubadapt.surgery.adapter import Adapter, Change, is_adapter, read_adapter
from hubadapt.surgery.kinship import require_architecture
from hubadapt.surgery.placement import Vocabularies
from hubadapt.tokenizer.between import map_between
from hubadapt.tokenizer.families import read_tokenizer_json
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap

_SAVE = "Train it with the tables in modules_to_save, or merge it and save the whole model."


@dataclass(frozen=True)
class Adapted:
    """An adapted base.

    Attributes:
        folder: Where it lies.
        roles: Which tensors are tables.
        before: The base's tables by name, each of shape (V_old, D).
        tables: Its own, each of shape (V_new, D).
        vocabularies: The tokenizers, and the map between their rows.
        body: How it changed the base's body, by tensor; nothing where it is a whole model, whose body is not looked at.
    """

    folder: Path
    roles: Tables
    before: Mapping[str, torch.Tensor]
    tables: Mapping[str, torch.Tensor]
    vocabularies: Vocabularies
    body: Mapping[str, Change] = field(default_factory=dict)


def read_adapted(base: Path, folder: Path, vocab_map: Path | None = None) -> Adapted:
    """Read an adapted base; tables are read from disk as they are used.

    Args:
        base: The base's folder.
        folder: The adapted base's: a model, or a LoRA adapter that holds the tables.
        vocab_map: The map between the vocabularies; by default the `vocab_map.safetensors` in `folder`, or else one
            that is made of the two tokenizers.

    Raises:
        ModelError: They do not belong together, or a file is missing, damaged or not finite.
    """
    if is_adapter(folder):
        roles = find_tables(load_config(base))
        adapter = read_adapter(folder, base)
        tables, body = _adapter_tables(folder, adapter, roles), adapter.changes(base, roles)
    else:
        roles, body = require_architecture(base, folder, "the adapted base"), {}
        tables = {name: read_tensor(folder, name) for name in roles.names}
    before = {name: read_tensor(base, name) for name in roles.names}
    for place, found in ((base, before), (folder, tables)):
        for name, table in found.items():
            require_finite(place, name, table)
    vocabularies = _vocabularies(base, folder, before, tables, vocab_map)
    return Adapted(folder, roles, before, tables, vocabularies, body)


def _adapter_tables(folder: Path, adapter: Adapter, roles: Tables) -> dict[str, torch.Tensor]:
    tables = {}
    for name in roles.names:
        names = [name, *([roles.tied_head] if roles.tied_head else [])]
        found = [adapter.saved[other] for other in names if other in adapter.saved]
        if not found or any(other in adapter.low_rank for other in names):
            raise ModelError(f"the adapter {folder} does not hold the table {name} whole.", _SAVE)
        parted = not torch.equal(*found) if len(found) > 1 else len(names) > 1 and not adapter.kept_tied
        if parted:
            raise ModelError(
                f"the base ties {' and '.join(names)}, but in the adapter {folder} they were trained apart.",
                "Train it with ensure_weight_tying=True; if your own training kept them tied, set "
                '"ensure_weight_tying": true in its adapter_config.json.',
            )
        tables[name] = found[0]
    return tables


def _vocabularies(
    base: Path,
    folder: Path,
    before: Mapping[str, torch.Tensor],
    tables: Mapping[str, torch.Tensor],
    vocab_map: Path | None,
) -> Vocabularies:
    old, new = read_tokenizer_json(base), read_tokenizer_json(folder)
    ((name, table), *_), rows = before.items(), len(next(iter(tables.values())))
    path = vocab_map or folder / VOCAB_MAP_NAME
    if vocab_map is not None or path.is_file():
        pieces = VocabMap.load(path)
    else:
        pieces = map_between(old, new, old_rows=len(table))
    if pieces.old_size != len(table):
        raise ModelError(
            f"{name} of {base} has {len(table):,} rows, the vocabulary map expects {pieces.old_size:,}.",
            "Use the base that the vocabulary was made for.",
        )
    for name, other in tables.items():
        if len(other) != rows or len(other) < pieces.new_size or other.shape[1] != before[name].shape[1]:
            raise ModelError(
                f"{name} of {folder} has the shape {tuple(other.shape)}, expected was "
                f"{(pieces.new_size, before[name].shape[1])}.",
                "Use the model that was adapted with this vocabulary.",
            )
    return Vocabularies(old, new, _padded(pieces, rows))


def _padded(pieces: VocabMap, rows: int) -> VocabMap:
    """The map with rows for padding at the end of the adapted table."""
    extra = rows - pieces.new_size
    return VocabMap(
        np.concatenate([pieces.indptr, np.full(extra, pieces.indptr[-1])]),
        pieces.indices,
        pieces.weights,
        np.concatenate([pieces.origins, np.full(extra, Origin.FRESH, dtype=np.uint8)]),
        pieces.old_size,
    )
