"""Writes a copy of a checkpoint with other tables, the rest of it byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from hubadapt.checkpoint.checks import find_tensor, read_tensor
from hubadapt.checkpoint.configs import changed_configs
from hubadapt.checkpoint.new_tensor import AnyTensor, NewTensor, header, widest_first, write_shard
from hubadapt.checkpoint.shards import INDEX_NAME, Shard, read_shards, stored_tensors
from hubadapt.checkpoint.tables import Tables, find_tables, load_config
from hubadapt.checkpoint.transfer import can_reflink, copy_file, hard_link, reflink, require_linkable
from hubadapt.checkpoint.whole import require_space, whole_folder
from hubadapt.errors import ModelError
from hubadapt.manifest import write_atomic

_ROWS = 512


@dataclass(frozen=True)
class Written:
    """Where the bytes of a new checkpoint's weights come from.

    Attributes:
        made: Bytes of tensors that were made while they were written.
        copied: Bytes copied from the source, headers included.
        reflinked: Bytes of files that share their blocks on disk with the source's until one of the two is changed.
        linked: Bytes of files that are the source's own (hard links).
    """

    made: int = 0
    copied: int = 0
    reflinked: int = 0
    linked: int = 0


@dataclass(frozen=True)
class _File:
    """A file to be written: the whole of the source's, or tensor by tensor."""

    shard: Shard
    tensors: Mapping[str, AnyTensor]

    @property
    def whole(self) -> bool:
        return self.tensors == self.shard.tensors

    @property
    def size(self) -> int:
        if self.whole:
            return self.shard.size
        data = sum(tensor.size for tensor in self.tensors.values())
        return len(header(self.tensors, self.shard.metadata)) + data


def write_with_tables(
    source: Path,
    target: Path,
    tables: Mapping[str, NewTensor],
    *,
    config_changes: Mapping[str, Any],
    moved_ids: Mapping[int, int] | None = None,
    body: Literal["copy", "link"] = "copy",
    advance: Callable[[int], object] = lambda _: None,
) -> Written:
    """Write `source`'s model to `target` with some tensors replaced; all others keep every byte.

    Files without a replaced tensor are reflinked where the file system can and copied where it cannot; the others are
    written tensor by tensor, so that a block of rows is all that is in memory. Configuration files come along,
    tokenizer files do not. The folder appears whole or not at all, flushed to the disk, and is read again before it
    does. A copy of a tied table, which some files hold under the head's name, is left out when the table is replaced.

    Args:
        source: Checkpoint folder.
        target: Folder to make; replaced if it exists.
        tables: New tensors by name.
        config_changes: Keys to set in `config.json`.
        moved_ids: Old id → new id, where ids moved: bos, eos, pad and their like follow.
        body: Whether files without a replaced tensor are copied, or hard-linked: then a change in one is a change in
            both.
        advance: Called with the number of bytes just written.

    Raises:
        ModelError: The source is damaged, lacks one of the tensors or has it quantised, or its configuration names an
            id that is gone.
        UserError: The disk is too small, or files cannot be linked.
    """
    roles = find_tables(load_config(source)) if tables else None
    files = _planned(source, tables, roles)
    configs = changed_configs(source, config_changes, moved_ids)
    with whole_folder(target) as partial:
        placed = _place_whole(source, partial, files, body)
        rest = {name: file for name, file in files.items() if name not in placed}
        require_space(target, sum(file.size for file in rest.values()))
        for name in placed:
            advance(files[name].size)
        for name, file in rest.items():
            if file.whole:
                copy_file(source / name, partial / name, advance)
            else:
                write_shard(partial / name, file.tensors, file.shard.metadata, source=source / name, advance=advance)
        if (source / INDEX_NAME).is_file():
            _write_index(partial, files)
        for name, text in configs.items():
            write_atomic(partial / name, text)
        _require_as_planned(partial, files)
        if roles is not None:
            _require_vocabulary(partial, roles, tables)
    return _account(files, placed, body)


def written_size(source: Path, tables: Mapping[str, NewTensor]) -> int:
    """Bytes that `write_with_tables` calls `advance` with in all.

    Raises:
        ModelError: As `write_with_tables`.
    """
    return sum(file.size for file in _planned(source, tables, find_tables(load_config(source))).values())


def bytes_needed(source: Path, target: Path, rows: Mapping[str, int], *, body: Literal["copy", "link"]) -> int:
    """Bytes of disk that `write_with_tables` will need, to be asked for before tables are made.

    Args:
        source: Checkpoint folder.
        target: Folder to make.
        rows: How many rows each tensor that is to be replaced will have, by name.
        body: As for `write_with_tables`.

    Raises:
        ModelError: The source is damaged.
    """
    needed = 0
    for name, shard in read_shards(source).items():
        new = [(tensor, rows[table]) for table, tensor in shard.tensors.items() if table in rows]
        if new or not (body == "link" or can_reflink(source / name, target)):
            needed += shard.size
        needed += sum(count * (tensor.size // max(tensor.shape[0], 1)) - tensor.size for tensor, count in new)
    return needed


def _planned(source: Path, tables: Mapping[str, NewTensor], roles: Tables | None) -> dict[str, _File]:
    shards = read_shards(source)
    stored = {name: tensor for shard in shards.values() for name, tensor in shard.tensors.items()}
    for name in tables:
        find_tensor(source, name, stored)
    dropped = _second_copy(source, stored, tables, roles) if roles else None
    files = {}
    for file, shard in shards.items():
        tensors = {name: tables.get(name, tensor) for name, tensor in shard.tensors.items() if name != dropped}
        if tensors:
            files[file] = _File(shard, widest_first(tensors))
    return files


def _second_copy(
    source: Path, stored: Mapping[str, AnyTensor], tables: Mapping[str, NewTensor], roles: Tables
) -> str | None:
    """The tensor that repeats a tied table that is replaced, and would keep its old size."""
    name = roles.tied_head
    if name is None or name not in stored or name in tables or roles.embedding not in tables:
        return None
    pairs = zip(*(torch.split(read_tensor(source, table), _ROWS) for table in (name, roles.embedding)), strict=False)
    if stored[name].shape != stored[roles.embedding].shape or not all(torch.equal(*pair) for pair in pairs):
        raise ModelError(
            f"{source} ties its head to {roles.embedding} by its configuration, but holds another table as {name}: "
            "transformers 5 uses that one, 4 does not.",
            f'Set "tie_word_embeddings": false in config.json if {name} was trained, or delete the tensor.',
        )
    return name


def _place_whole(
    source: Path, partial: Path, files: Mapping[str, _File], body: Literal["copy", "link"]
) -> dict[str, _File]:
    """Links or reflinks files that stay as they are; which ones."""
    whole = {name: file for name, file in files.items() if file.whole}
    if body == "link":
        for name in whole:
            require_linkable(source / name)
        for name in whole:
            hard_link(source / name, partial / name)
        return whole
    return {name: file for name, file in whole.items() if reflink(source / name, partial / name)}


def _account(files: Mapping[str, _File], placed: Mapping[str, _File], body: Literal["copy", "link"]) -> Written:
    kept = sum(file.size for file in placed.values())
    total = sum(file.size for file in files.values())
    made = sum(
        tensor.size for file in files.values() for tensor in file.tensors.values() if isinstance(tensor, NewTensor)
    )
    return Written(
        made=made,
        copied=total - kept - made,
        reflinked=kept if body == "copy" else 0,
        linked=kept if body == "link" else 0,
    )


def _write_index(folder: Path, files: Mapping[str, _File]) -> None:
    """The index that says which file holds a tensor, and how many bytes all tensors have."""
    size = sum(tensor.size for file in files.values() for tensor in file.tensors.values())
    places = {name: file for file, plan in files.items() for name in plan.tensors}
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
    write_atomic(folder / INDEX_NAME, json.dumps(index, indent=2) + "\n")


def _require_as_planned(folder: Path, files: Mapping[str, _File]) -> None:
    """Stop where what lies on the disk is not what was to be written: that is no error of the user's."""
    found = read_shards(folder)
    if found.keys() != files.keys():
        raise RuntimeError(f"{folder} holds the files {sorted(found)}, expected were {sorted(files)}")
    for name, file in files.items():
        expected = {tensor: _kind(plan) for tensor, plan in file.tensors.items()}
        there = {tensor: _kind(stored) for tensor, stored in found[name].tensors.items()}
        if there != expected or found[name].size != file.size:
            raise RuntimeError(f"{folder / name} holds other tensors than were written, or {file.size:,} bytes")


def _require_vocabulary(folder: Path, roles: Tables, tables: Mapping[str, NewTensor]) -> None:
    """Stop where a table was replaced and the configuration names another number of rows than one of them has."""
    if not set(roles.names) & set(tables):
        return
    size = load_config(folder).get_text_config().vocab_size
    found = stored_tensors(folder)
    for name in roles.names:
        if found[name].shape[0] != size:
            raise RuntimeError(f"{name} has {found[name].shape[0]:,} rows, config.json says {size:,}")


def _kind(tensor: AnyTensor) -> tuple[str, tuple[int, ...]]:
    return (tensor.dtype_name if isinstance(tensor, NewTensor) else tensor.dtype, tuple(tensor.shape))
