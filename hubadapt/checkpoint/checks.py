"""What is looked at before a table is used: that it is there, in plain floats, and finite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open

from hubadapt.checkpoint.shards import AGAIN, StoredTensor, stored_tensors
from hubadapt.errors import ModelError
from hubadapt.machine import one_thread

_PLAIN = ("F64", "F32", "F16", "BF16")
_QUANTISED_SUFFIXES = (".qweight", ".weight_packed", ".weight_format")
_BLOCK = 512
_SHOWN = 5


def read_tensor(folder: Path, name: str) -> torch.Tensor:
    """One tensor of a checkpoint; its bytes are read from disk as they are used, and none of the others.

    Raises:
        ModelError: The tensor is not there or is quantised, or the checkpoint is damaged.
    """
    stored = find_tensor(folder, name, stored_tensors(folder))
    with safe_open(folder / stored.file, framework="pt") as file:
        tensor: torch.Tensor = file.get_tensor(name)
    return tensor


def find_tensor(folder: Path, name: str, tensors: Mapping[str, StoredTensor]) -> StoredTensor:
    """Where a tensor of plain floats is stored.

    Args:
        folder: The checkpoint.
        name: The tensor.
        tensors: All tensors of the checkpoint by name.

    Raises:
        ModelError: It is not there, or quantised.
    """
    packed = next((tensors[other] for other in _packed_names(name) if other in tensors), None)
    stored = tensors.get(name, packed)
    if stored is None:
        raise _absent(folder, name, tensors)
    if stored is packed or stored.dtype not in _PLAIN:
        raise ModelError(
            f"{name} of {folder} is quantised ({_method(folder)}, stored as {stored.dtype}) and cannot be changed.",
            "Take the model as it was before quantisation, and quantise the result; other tensors may be quantised.",
        )
    return stored


@one_thread()
def require_finite(folder: Path, name: str, table: torch.Tensor) -> None:
    """Stop where a table holds NaN or infinity; looks at a few thousand rows at a time.

    Args:
        folder: The checkpoint, for the message.
        name: The tensor, for the message.
        table: Shape (V, D), any float dtype.

    Raises:
        ModelError: Some of its rows are not finite.
    """
    rows: list[int] = []
    for start in range(0, len(table), _BLOCK):
        block = table[start : start + _BLOCK]
        # A sum tells ten times as fast; finite values whose sum overflows are told apart below.
        if not torch.isfinite(block.sum(dim=1, dtype=torch.float32)).all():
            finite = torch.isfinite(block).all(dim=1)
            rows += (torch.nonzero(~finite).flatten() + start).tolist()
    if rows:
        more = ", …" if len(rows) > _SHOWN else ""
        raise ModelError(
            f"{name} of {folder} holds NaN or infinity in {len(rows):,} of {len(table):,} rows: "
            f"{', '.join(map(str, rows[:_SHOWN]))}{more}.",
            f"{AGAIN.removesuffix('.')}; if its source has them too, choose another.",
        )


def _absent(folder: Path, name: str, tensors: Mapping[str, StoredTensor]) -> ModelError:
    short = next((other for other in tensors if name.endswith(f".{other}")), None)
    if short is None:
        return ModelError(f"{folder} has no tensor {name}.", "Check that config.json and the weights belong together.")
    return ModelError(
        f"{folder} has no tensor {name}, but {short}: it was saved without the head, as older releases did.",
        f"Save it anew once: AutoModelForCausalLM.from_pretrained({str(folder)!r}).save_pretrained(...)",
    )


def _packed_names(name: str) -> list[str]:
    return [name.removesuffix(".weight") + suffix for suffix in _QUANTISED_SUFFIXES]


def _method(folder: Path) -> str:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    quantization = config.get("quantization_config") or config.get("compression_config") or {}
    return str(quantization.get("quant_method", "method not named"))
