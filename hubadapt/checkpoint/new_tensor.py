"""Tensors that are made while they are written, and the safetensors file they are written to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import torch

from hubadapt.checkpoint.shards import StoredTensor
from hubadapt.checkpoint.transfer import Advance, copy_range, write_all

_ROWS = 512
_ALIGNMENT = 8
_NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


@dataclass(frozen=True)
class NewTensor:
    """A tensor that is made while it is written.

    Attributes:
        shape: Its shape.
        dtype: Its dtype, a float, on disk and in the blocks.
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

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def dtype_name(self) -> str:
        """What safetensors calls its dtype."""
        return _NAMES[self.dtype]


AnyTensor = StoredTensor | NewTensor


def header(tensors: Mapping[str, AnyTensor], metadata: Mapping[str, str]) -> bytes:
    """What stands before the tensors in a safetensors file: the length of the header, and the header.

    Source:
        https://github.com/huggingface/safetensors, "Format".
    """
    content: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    start = 0
    for name, tensor in tensors.items():
        dtype = tensor.dtype_name if isinstance(tensor, NewTensor) else tensor.dtype
        content[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": [start, start + tensor.size]}
        start += tensor.size
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    data += b" " * (-len(data) % _ALIGNMENT)
    return len(data).to_bytes(8, "little") + data


def widest_first(tensors: Mapping[str, AnyTensor]) -> dict[str, AnyTensor]:
    """The same tensors, those with more bytes an element first, so that each begins at a multiple of its width."""

    def width(name: str) -> float:
        tensor = tensors[name]
        return tensor.size / max(math.prod(tensor.shape), 1)

    return {name: tensors[name] for name in sorted(tensors, key=width, reverse=True)}


def write_shard(
    path: Path,
    tensors: Mapping[str, AnyTensor],
    metadata: Mapping[str, str],
    *,
    source: Path | None = None,
    advance: Advance = lambda _: None,
) -> None:
    """Write a safetensors file tensor by tensor, and flush it to the disk.

    Args:
        path: File to make.
        tensors: Its tensors, in their order on disk.
        metadata: Entries of the header.
        source: The file that the stored ones of them are in.
        advance: Called with the number of bytes just written.

    Raises:
        ValueError: The blocks of a tensor do not give what it says.
    """
    with ExitStack() as files:
        target = files.enter_context(path.open("xb", buffering=0))
        stored = files.enter_context(source.open("rb", buffering=0)) if source else None
        advance(write_all(target, header(tensors, metadata)))
        for name, tensor in tensors.items():
            if isinstance(tensor, NewTensor):
                _write_blocks(target, name, tensor, advance)
            elif stored is not None:
                copy_range(stored, target, tensor.start, tensor.size, advance)
        os.fsync(target.fileno())


def _write_blocks(target: FileIO, name: str, tensor: NewTensor, advance: Advance) -> None:
    written = 0
    for block in tensor.blocks():
        if block.dtype != tensor.dtype or block.shape[1:] != tensor.shape[1:]:
            raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, a block of it {block.dtype} {block.shape}")
        count = write_all(target, block.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        advance(count)
        written += count
    if written != tensor.size:
        raise ValueError(f"{name} has {tensor.size:,} bytes, its blocks gave {written:,}")
