"""Writes a copy of a checkpoint with other tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file

from hubadapt.checkpoint.shards import INDEX_NAME, shard_map
from hubadapt.errors import ModelError
from hubadapt.manifest import write_atomic
from hubadapt.token_ids import renumbered_config

GENERATION_NAME = "generation_config.json"
_ROWS = 4096


@dataclass(frozen=True)
class NewTensor:
    """A tensor that is made while it is written.

    Attributes:
        shape: Its shape.
        dtype: Its dtype, on disk and in the blocks.
        blocks: Gives it again from the first row on, in consecutive blocks of rows.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    blocks: Callable[[], Iterator[torch.Tensor]]

    @staticmethod
    def of(tensor: torch.Tensor) -> NewTensor:
        """One that is in memory already."""
        rows = torch.split(tensor, _ROWS) if tensor.dim() else (tensor,)
        return NewTensor(tuple(tensor.shape), tensor.dtype, lambda: iter(rows))


@dataclass(frozen=True)
class Written:
    """Where the bytes of a new checkpoint's weights come from.

    Attributes:
        made: Bytes of tensors that were made while they were written.
        copied: Bytes copied from the source.
        reflinked: Bytes of files that share their blocks on disk with the source's until one of the two is changed.
        linked: Bytes of files that are the source's own (hard links).
    """

    made: int
    copied: int
    reflinked: int
    linked: int


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

    Shards without a replaced tensor are copied, the others rewritten one at a time. Configuration files come along,
    tokenizer files do not. The folder appears whole or not at all.

    Args:
        source: Checkpoint folder.
        target: Folder to make; replaced if it exists.
        tables: New tensors by name.
        config_changes: Keys to set in `config.json`.
        moved_ids: Old id → new id, where ids moved: bos, eos, pad and their like follow.
        body: Whether files without a replaced tensor are copied or hard-linked.
        advance: Called with the number of bytes just written.

    Raises:
        ModelError: The source is damaged or lacks one of the tensors, or its configuration names an id that is gone.
    """
    shards = shard_map(source)
    for name in tables:
        if name not in shards:
            raise ModelError(
                f"{source} has no tensor {name}.", "Check that config.json and the weights belong together."
            )
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for shard in sorted(set(shards.values())):
        _write_shard(
            source / shard, partial / shard, {name: tensor for name, tensor in tables.items() if shards[name] == shard}
        )
    if (source / INDEX_NAME).is_file():
        _write_index(partial, shards)
    _write_config(source, partial, config_changes, moved_ids)
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)
    sizes = {shard: (target / shard).stat().st_size for shard in shards.values()}
    for size in sizes.values():
        advance(size)
    return Written(made=0, copied=sum(sizes.values()), reflinked=0, linked=0)


def _write_shard(source: Path, target: Path, replaced: Mapping[str, NewTensor]) -> None:
    if not replaced:
        shutil.copyfile(source, target)
        return
    tensors = load_file(source)
    save_file(
        {**tensors, **{name: torch.cat(list(tensor.blocks())) for name, tensor in replaced.items()}},
        target,
        metadata={"format": "pt"},
    )


def _write_index(folder: Path, shards: Mapping[str, str]) -> None:
    size = sum(_tensor_bytes(folder / shard) for shard in set(shards.values()))
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(shards.items()))}
    write_atomic(folder / INDEX_NAME, json.dumps(index, indent=2) + "\n")


def _tensor_bytes(path: Path) -> int:
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    return path.stat().st_size - 8 - header


def _write_config(source: Path, target: Path, changes: Mapping[str, Any], moved_ids: Mapping[int, int] | None) -> None:
    for name in ("config.json", GENERATION_NAME):
        if not (source / name).is_file():
            continue
        config = json.loads((source / name).read_text(encoding="utf-8"))
        if moved_ids is not None:
            config = _renumbered(config, moved_ids, source / name)
        if name != GENERATION_NAME:
            holder = config if "vocab_size" in config else config.get("text_config", config)
            holder.update(changes)
        write_atomic(target / name, json.dumps(config, indent=2) + "\n")


def _renumbered(config: dict[str, Any], moved_ids: Mapping[int, int], path: Path) -> dict[str, Any]:
    try:
        return renumbered_config(config, moved_ids)
    except KeyError as error:
        raise ModelError(
            f"{path} names the token id {error.args[0]}, which the new vocabulary does not keep.",
            "Correct the id in the base's file, or keep its token.",
        ) from None
