"""Reads a LoRA adapter folder as peft writes it, as tables and as changes to the body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from hubadapt.checkpoint import Tables, load_config, read_tensor, require_finite
from hubadapt.checkpoint.shards import stored_tensors
from hubadapt.checkpoint.tables import meta_model, name_on_disk
from hubadapt.errors import ModelError

ADAPTER_CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_LORA = ".lora_A.weight"
_SAVED = re.compile(r"\.(?:modules_to_save\.(?:default\.)?|base_layer\.)?(weight|bias)$")
_MERGE = (
    "Merge it: AutoPeftModelForCausalLM.from_pretrained(ADAPTER).merge_and_unload().save_pretrained(FOLDER), and name "
    "that folder."
)
_UNREAD = (
    "use_dora", "lora_bias", "use_qalora", "use_bdlora", "target_parameters", "trainable_token_indices",
    "layer_replication", "alora_invocation_tokens", "arrow_config", "kasa_config", "monteclora_config", "velora_config",
)  # fmt: skip
"""Settings under which an adapter is more, or other, than W + scale · B A."""
_CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Starts that take something out of the base's weights, so that the adapter does not belong to the base as it is."""


@dataclass(frozen=True)
class LowRank:
    """A change scale · B A, or its transpose.

    Attributes:
        down: A, shape (r, in).
        up: B, shape (out, r).
        scale: alpha / r, or alpha / √r.
        transposed: Whether the weight is of shape (in, out).
    """

    down: torch.Tensor
    up: torch.Tensor
    scale: float
    transposed: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the weight."""
        out, into = len(self.up), self.down.shape[1]
        return (into, out) if self.transposed else (out, into)

    def rows(self, start: int, end: int) -> torch.Tensor:
        """Rows of the change, float32."""
        left, right = (self.down.T, self.up.T) if self.transposed else (self.up, self.down)
        return self.scale * (left[start:end].float() @ right.float())


@dataclass(frozen=True)
class Retrained:
    """A tensor that was trained whole.

    Attributes:
        before: The base's.
        after: The adapter's, of the same shape.
    """

    before: torch.Tensor
    after: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return tuple(self.after.shape)

    def rows(self, start: int, end: int) -> torch.Tensor:
        """Rows of the change, float32."""
        return self.after[start:end].float() - self.before[start:end].float()


Change = LowRank | Retrained


@dataclass(frozen=True)
class Adapter:
    """What an adapter did to its base.

    Attributes:
        saved: Tensors that it holds whole, by their names in the base's files: tables, and others it trained.
        low_rank: Changes of rank r, by the same names.
        kept_tied: Whether it was trained with `ensure_weight_tying`.
    """

    saved: Mapping[str, torch.Tensor]
    low_rank: Mapping[str, LowRank]
    kept_tied: bool

    def changes(self, base: Path, tables: Tables) -> dict[str, Change]:
        """Changes to the body: to all tensors but the tables.

        Raises:
            ModelError: The base lacks a tensor that changes, or it has another shape.
        """
        known, roles = stored_tensors(base), (*tables.names, tables.tied_head)
        saved = {name: it for name, it in self.saved.items() if name not in roles}
        for name, shape in {
            **{name: it.shape for name, it in self.low_rank.items()},
            **{name: tuple(it.shape) for name, it in saved.items()},
        }.items():
            found = known[name].shape if name in known else "absent"
            if found != shape:
                raise ModelError(
                    f"the adapter changes {name} of shape {shape}, which in {base} is {found}.",
                    "Name the base that the adapter was trained on.",
                )
        return {**self.low_rank, **{name: Retrained(read_tensor(base, name), it) for name, it in saved.items()}}


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file()


def read_adapter(folder: Path, base: Path) -> Adapter:
    """Read an adapter; its tensors are read from disk as they are used.

    Args:
        folder: As `PeftModel.save_pretrained` writes it.
        base: The base, for what its files call a tensor.

    Raises:
        ModelError: It is no plain LoRA adapter, or is damaged.

    Source:
        peft, `LoraLayer.get_delta_weight` and `LoraLayer.update_layer`.
    """
    config = _read_config(folder)
    tensors = _read_tensors(folder)
    model = meta_model(load_config(base))
    saved: dict[str, torch.Tensor] = {}
    low_rank: dict[str, LowRank] = {}
    for name, tensor in tensors.items():
        module = name.removeprefix(_PREFIX)
        if name.endswith(_LORA):
            path = module.removesuffix(_LORA)
            up = tensors.get(name.replace(".lora_A.", ".lora_B."))
            if up is None:
                raise ModelError(f"{folder / WEIGHTS} holds {name} without its lora_B.", "Copy the adapter again.")
            low_rank[name_on_disk(model, f"{path}.weight")] = _low_rank(config, path, tensor, up)
        elif _SAVED.search(module) and ".lora_" not in module:
            saved[name_on_disk(model, _SAVED.sub(r".\1", module))] = tensor
        elif not name.endswith(".lora_B.weight"):
            raise ModelError(f"{folder} holds {name}, which is more than a plain LoRA adapter.", _MERGE)
    for name, tensor in tensors.items():
        require_finite(folder, name, tensor if tensor.dim() > 1 else tensor[None])
    return Adapter(saved, low_rank, bool(config.get("ensure_weight_tying")))


def _low_rank(config: Mapping[str, Any], path: str, down: torch.Tensor, up: torch.Tensor) -> LowRank:
    rank = len(down)
    alpha = _pattern(config.get("alpha_pattern") or {}, path, config["lora_alpha"])
    scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
    return LowRank(down, up, scale, bool(config.get("fan_in_fan_out")))


def _pattern(patterns: Mapping[str, float], path: str, default: float) -> float:
    """The value of the first pattern that fits a module, as peft looks it up."""
    return next((value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", path)), default)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / ADAPTER_CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind = config["peft_type"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: it names no kind of adapter.", "Copy the adapter again.") from error
    if kind != "LORA":
        raise ModelError(f"{folder} is an adapter of the kind {kind}, not LORA.", _MERGE)
    for name in _UNREAD:
        if config.get(name):
            raise ModelError(f"the adapter {folder} was trained with {name}, which is more than plain LoRA.", _MERGE)
    start = str(config.get("init_lora_weights", "")).lower()
    if start.startswith(_CHANGE_THE_BASE):
        raise ModelError(f"the adapter {folder} began as {start}, which changes the base's weights too.", _MERGE)
    if "lora_alpha" not in config:
        raise ModelError(f"{path} is damaged: it holds no lora_alpha.", "Copy the adapter again.")
    return config


def _read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelError(f"{folder} holds no {WEIGHTS}.", "Save the adapter again: model.save_pretrained(FOLDER)")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged: {error}.", "Copy the adapter again.") from error
