"""Reads safetensors files: which tensor lies where, and one tensor without the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from hubadapt.errors import ModelError

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"
AGAIN = "Download or copy the model again."


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        file: The file's name.
        dtype: As safetensors writes it: F32, BF16 and so on.
        shape: Its shape.
        start: Its first byte, counted from the beginning of the file.
        size: Its length in bytes.
    """

    file: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True)
class Shard:
    """What one safetensors file holds.

    Attributes:
        metadata: The header's own entries, such as `format`.
        tensors: Its tensors by name.
        size: Length of the file in bytes.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, StoredTensor]
    size: int


def read_shards(folder: Path) -> dict[str, Shard]:
    """The headers of a checkpoint's files, by file name; no tensor is read.

    Raises:
        ModelError: No safetensors weights, a shard is missing, a file is damaged, or the index says otherwise than the
            files.
    """
    index = folder / INDEX_NAME
    if index.is_file():
        weight_map = _weight_map(index)
        shards = {name: _read_shard(folder / name) for name in sorted(set(weight_map.values()))}
        _require_agreement(index, weight_map, shards)
        return shards
    if (folder / SINGLE_NAME).is_file():
        return {SINGLE_NAME: _read_shard(folder / SINGLE_NAME)}
    raise ModelError(
        f"{folder} holds no safetensors weights.",
        "Convert it once: AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)",
    )


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of a checkpoint by name, as `read_shards` finds them."""
    return {name: tensor for shard in read_shards(folder).values() for name, tensor in shard.tensors.items()}


def shard_map(folder: Path) -> dict[str, str]:
    """Tensor name → file name for every tensor of a checkpoint folder.

    Raises:
        ModelError: As `read_shards`.
    """
    return {name: tensor.file for name, tensor in stored_tensors(folder).items()}


def _weight_map(index: Path) -> dict[str, str]:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {Path(name).name for name in weight_map.values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} is damaged: it names no shards.", AGAIN) from error
    if not names or names != set(weight_map.values()):
        raise ModelError(f"{index} is damaged: it names no shards beside it.", AGAIN)
    return dict(weight_map)


def _read_shard(path: Path) -> Shard:
    try:
        with safe_open(path, framework="pt"):  # Stops at offsets and lengths that do not fit the file.
            pass
    except FileNotFoundError:
        raise ModelError(f"{path} is missing, but {INDEX_NAME} names it.", AGAIN) from None
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged: {error}.", AGAIN) from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", None) or {}
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        tensors[name] = StoredTensor(path.name, entry["dtype"], shape, 8 + length + start, end - start)
    return Shard(metadata, tensors, path.stat().st_size)


def _require_agreement(index: Path, weight_map: Mapping[str, str], shards: Mapping[str, Shard]) -> None:
    holders = {name: file for file, shard in shards.items() for name in shard.tensors}
    for name, file in weight_map.items():
        if name not in holders:
            raise ModelError(f"{index} names the tensor {name}, but {file} does not hold it.", AGAIN)
        if name not in shards[file].tensors:
            raise ModelError(f"{index} says that {name} is in {file}, but it is in {holders[name]}.", AGAIN)
    ((name, count),) = Counter(name for shard in shards.values() for name in shard.tensors).most_common(1)
    if count > 1:
        raise ModelError(f"{index.parent} holds the tensor {name} in {count} files.", AGAIN)
