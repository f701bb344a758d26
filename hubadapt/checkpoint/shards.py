"""Reads safetensors files: which tensor lies where, and one tensor without the others."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from hubadapt.errors import ModelError

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"


def shard_map(folder: Path) -> dict[str, str]:
    """Tensor name → file name for every tensor of a checkpoint folder.

    Raises:
        ModelError: No safetensors weights, a shard is missing, or a file is damaged.
    """
    index = folder / INDEX_NAME
    if index.is_file():
        shards = _shards(index)
    elif (folder / SINGLE_NAME).is_file():
        shards = [SINGLE_NAME]
    else:
        raise ModelError(
            f"{folder} holds no safetensors weights.",
            "Convert it once: AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)",
        )
    return {name: shard for shard in shards for name in _tensor_names(folder / shard)}


def read_tensor(folder: Path, name: str) -> torch.Tensor:
    """One tensor of a checkpoint, without reading the others.

    Raises:
        ModelError: The tensor is not there, or its file is damaged.
    """
    shards = shard_map(folder)
    if name not in shards:
        raise ModelError(f"{folder} has no tensor {name}.", "Check that config.json and the weights belong together.")
    with safe_open(folder / shards[name], framework="pt") as file:
        tensor: torch.Tensor = file.get_tensor(name)
    return tensor


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} is damaged: it names no shards.", "Download or copy the model again.") from error


def _tensor_names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except FileNotFoundError:
        raise ModelError(
            f"{path} is missing, but {INDEX_NAME} names it.", "Download or copy the model again."
        ) from None
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged: {error}.", "Download or copy the model again.") from error
