"""Safetensors checkpoints on disk: find and read the embedding tables, write a copy with other tables.

The transformer's body is never loaded as a model; it is copied file by file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from hubadapt.errors import ModelError
from hubadapt.manifest import write_atomic
from hubadapt.token_ids import renumbered_config

if TYPE_CHECKING:
    from transformers import PretrainedConfig

INDEX_NAME = "model.safetensors.index.json"
SINGLE_NAME = "model.safetensors"
GENERATION_NAME = "generation_config.json"


@dataclass(frozen=True)
class Tables:
    """Names of the tensors that hold a row for each token.

    Attributes:
        embedding: The input table, shape (V, D).
        head: The output table, shape (V, D), or None where it is tied to the input table.
    """

    embedding: str
    head: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors that exist on disk."""
        return (self.embedding,) if self.head is None else (self.embedding, self.head)


def load_config(folder: Path) -> PretrainedConfig:
    """The model's configuration.

    Raises:
        ModelError: There is none, or it is not of a causal language model that transformers knows.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no model: it holds no config.json.", "Name a folder that save_pretrained wrote.")
    try:
        config = AutoConfig.from_pretrained(folder)
    except (ValueError, OSError, KeyError, TypeError, AttributeError, StrictDataclassError) as error:
        raise ModelError(
            f"{folder}/config.json cannot be used: {str(error).splitlines()[0]}",
            "Check the file; a newer transformers may know the architecture: pip install -U transformers",
        ) from error
    architectures = list(config.architectures or ())
    if not set(architectures) & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()):
        raise ModelError(
            f"{folder} is no causal language model: its architecture is {', '.join(architectures) or 'not named'}.",
            "Choose a decoder such as Llama, Qwen, Mistral, Gemma or SmolLM.",
        )
    return config


def find_tables(config: PretrainedConfig) -> Tables:
    """Which tensors are the embedding and the head, found through the architecture rather than by name.

    The model is built on the meta device, which takes no memory for weights.

    Args:
        config: As `load_config` gives it.
    """
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    names = {id(module): name for name, module in model.named_modules()}
    embedding = _name_on_disk(model, names[id(model.get_input_embeddings())] + ".weight")
    head = _name_on_disk(model, names[id(model.get_output_embeddings())] + ".weight")
    return Tables(embedding, None if config.get_text_config().tie_word_embeddings else head)


def _name_on_disk(model: Any, name: str) -> str:
    """What transformers calls a tensor in files: GPT-NeoX's `lm_head.weight`, for one, is `embed_out.weight` there."""
    from transformers.core_model_loading import revert_weight_conversion

    (written,) = revert_weight_conversion(model, {name: torch.empty(0)})
    return str(written)


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


def write_with_tables(
    source: Path,
    target: Path,
    tables: Mapping[str, torch.Tensor],
    *,
    config_changes: Mapping[str, Any],
    moved_ids: Mapping[int, int] | None = None,
) -> None:
    """Write `source`'s model to `target` with some tensors replaced; all others keep every byte.

    Shards without a replaced tensor are copied, the others rewritten one at a time. Configuration files come along,
    tokenizer files do not. The folder appears whole or not at all.

    Args:
        source: Checkpoint folder.
        target: Folder to make; replaced if it exists.
        tables: New tensors by name.
        config_changes: Keys to set in `config.json`.
        moved_ids: Old id → new id, where ids moved: bos, eos, pad and their like follow.

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


def _write_shard(source: Path, target: Path, replaced: Mapping[str, torch.Tensor]) -> None:
    if not replaced:
        shutil.copyfile(source, target)
        return
    tensors = load_file(source)
    save_file(
        {**tensors, **{name: tensor.contiguous() for name, tensor in replaced.items()}},
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
