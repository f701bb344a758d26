"""Brings a GGUF file to safetensors, tensor by tensor."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hubadapt.checkpoint.gguf_tokenizer import write_gguf_tokenizer
from hubadapt.checkpoint.new_tensor import NewTensor, write_shard
from hubadapt.checkpoint.shards import INDEX_NAME, SINGLE_NAME
from hubadapt.checkpoint.tables import meta_model, name_on_disk
from hubadapt.checkpoint.whole import require_space, whole_folder
from hubadapt.errors import MissingExtraError, ModelError
from hubadapt.manifest import write_atomic
from hubadapt.portable import make_portable

_ROWS = 512
_SHARD = 5_000_000_000
_OTHER = "Take the model's safetensors instead of its GGUF file."


@dataclass(frozen=True)
class _Gguf:
    """A GGUF file as transformers reads it: its tensors, undone what its writer did to their layout."""

    path: Path
    tensors: Mapping[str, Any]
    processor: Any


def from_gguf(file: Path, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write the model and the tokenizer of a GGUF file to a folder, the largest tensor being all that is in memory.

    The tensors equal those of transformers' `from_pretrained(gguf_file=...)`.

    Args:
        file: The GGUF file; quantised tensors are brought to `dtype`.
        folder: Folder to make; replaced if it exists.
        dtype: Of the tensors on disk, float32 or bfloat16.

    Raises:
        MissingExtraError: The reader for the format is not installed.
        ModelError: The file is damaged, or holds a model or a tokenizer that transformers does not read whole.
        UserError: The disk is too small.
    """
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("reading a GGUF file", "gguf")
    gguf, config = _read(file)
    model = meta_model(config)
    tensors = _new_tensors(gguf, model, dtype)
    require_space(folder, sum(tensor.size for tensor in tensors.values()))
    with whole_folder(folder) as partial_folder:
        _write_shards(partial_folder, tensors)
        model.config.architectures = [type(model).__name__]
        model.config.dtype = dtype
        model.config.save_pretrained(partial_folder)
        model.generation_config.save_pretrained(partial_folder)
        write_gguf_tokenizer(file, partial_folder)
        make_portable(partial_folder)


def _read(file: Path) -> tuple[_Gguf, Any]:
    from gguf import GGUFReader
    from transformers import AutoConfig
    from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor, load_gguf_checkpoint

    if not file.is_file():
        raise ModelError(f"there is no file {file}.", "Check the path.")
    try:
        reader = GGUFReader(file)
        architecture = reader.get_field("general.architecture").contents()
        parsed = load_gguf_checkpoint(file, return_tensors=False)["config"]
        config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    except (ValueError, IndexError, KeyError, AttributeError, OSError) as error:
        raise ModelError(f"{file} cannot be read: {(str(error).splitlines() or [''])[0]}", _OTHER) from error
    scaling = next(
        (field.contents() for key, field in reader.fields.items() if key.endswith(".rope.scaling.type")), "none"
    )
    if scaling != "none" and not _scales_positions(getattr(config, "rope_parameters", None)):
        raise ModelError(f"{file} scales its positions ({scaling}), which transformers does not read here.", _OTHER)
    processor = TENSOR_PROCESSORS.get(architecture, TensorProcessor)(config=parsed)
    return _Gguf(file, {tensor.name: tensor for tensor in reader.tensors}, processor), config


def _scales_positions(rope: Any) -> bool:
    if not isinstance(rope, dict):
        return False
    return rope.get("rope_type", "default") != "default" or any(map(_scales_positions, rope.values()))


def _new_tensors(gguf: _Gguf, model: Any, dtype: torch.dtype) -> dict[str, NewTensor]:
    """The model's tensors by their name on disk.

    Raises:
        ModelError: A tensor has no place in the model, or one of the model's is not in the file.
    """
    from transformers.modeling_gguf_pytorch_utils import get_gguf_hf_weights_map

    places = get_gguf_hf_weights_map(model, gguf.processor)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    tied = set(model.all_tied_weights_keys) if model.config.get_text_config().tie_word_embeddings else set()
    found = {places.get(name): name for name in gguf.tensors}
    unknown = [name for name in gguf.tensors if places.get(name) not in shapes]
    missing = [name for name in shapes if name not in found and name not in tied]
    if unknown or missing:
        what = f"holds the tensor {unknown[0]}" if unknown else f"lacks the tensor {missing[0]}"
        raise ModelError(f"{gguf.path} {what}, so transformers does not read this model whole.", _OTHER)
    return {
        name_on_disk(model, name): NewTensor(shape, dtype, partial(_blocks, gguf, found[name], shape, dtype))
        for name, shape in sorted(shapes.items())
        if name in found and name not in tied
    }


def _blocks(gguf: _Gguf, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Iterator[torch.Tensor]:
    import numpy as np
    from gguf import dequantize

    tensor = gguf.tensors[name]
    try:
        values = dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError as error:
        raise ModelError(f"{name} of {gguf.path} cannot be read: {error}.", _OTHER) from error
    values = gguf.processor.process(values, name, tensor_key_mapping={}, parsed_parameters={"tensors": {}}).weights
    if values.shape != shape:
        raise ModelError(f"{name} of {gguf.path} has the shape {values.shape}, its model {shape}.", _OTHER)
    for start in range(0, len(values), _ROWS):
        yield torch.from_numpy(np.array(values[start : start + _ROWS])).to(dtype)


def _write_shards(folder: Path, tensors: Mapping[str, NewTensor]) -> None:
    shards: list[dict[str, NewTensor]] = [{}]
    for name, tensor in tensors.items():
        if shards[-1] and sum(other.size for other in shards[-1].values()) + tensor.size > _SHARD:
            shards.append({})
        shards[-1][name] = tensor
    count = len(shards)
    files = [SINGLE_NAME] if count == 1 else [f"model-{at + 1:05}-of-{count:05}.safetensors" for at in range(count)]
    for file, shard in zip(files, shards, strict=True):
        write_shard(folder / file, shard, {"format": "pt"})
    if count > 1:
        size = sum(tensor.size for tensor in tensors.values())
        places = {name: file for file, shard in zip(files, shards, strict=True) for name in shard}
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
        write_atomic(folder / INDEX_NAME, json.dumps(index, indent=2) + "\n")
