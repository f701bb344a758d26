"""The old model with rows that learn: its hidden states after some layer, its logits over chosen tokens."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from hubadapt.errors import ModelError, RecipeError
from hubadapt.learnt_rows import RowEmbedding, RowHead


class Reader:
    """Reads ids of which those from V_old on stand for the new rows, in their order.

    The model's tables are replaced; it must not be used for anything else afterwards. Only the rows get gradients.

    Args:
        model: A causal language model of transformers with its old tables, V_old rows each.
        layer: After which layer hidden states are taken: a share of the depth, or a whole number of layers.

    Raises:
        RecipeError: The model has no such layer.
        ModelError: The model does not keep its layers in one list.
    """

    def __init__(self, model: Any, layer: float) -> None:
        self.model = model.requires_grad_(False)
        self._stack, self._layers = _find_layers(model)
        self._depth = _depth(layer, len(self._layers))
        self._kept = torch.empty(0)
        self._layers[self._depth - 1].register_forward_hook(self._keep)

    def read(self, rows: nn.Module) -> None:
        """Take the new rows of the input table, shape (n_new, D), from a module."""
        embedding = self.model.get_input_embeddings()
        self.model.set_input_embeddings(RowEmbedding(embedding, len(embedding.weight), rows))

    def predict(self, candidates: torch.Tensor, rows: nn.Module) -> None:
        """Make logits those of chosen old ids, shape (C,), and after them of the new rows, shape (n_new, D)."""
        head = self.model.get_output_embeddings()
        self.model.set_output_embeddings(RowHead(head.weight.detach()[candidates], rows, None))

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        """Hidden states (B, T, D) of ids (B, T) after the chosen layer; later layers are not computed."""
        parent, name = self._stack
        setattr(parent, name, self._layers[: self._depth])
        try:
            with self._precision():
                self.model.base_model(input_ids=ids, use_cache=False)
        finally:
            setattr(parent, name, self._layers)
        return self._kept.float()

    def hidden_and_logits(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states (B, T, D) after the chosen layer, and logits (B, T, C + n_new) after the last."""
        with self._precision():
            logits = self.model(input_ids=ids, use_cache=False).logits
        return self._kept.float(), logits.float()

    def _precision(self) -> AbstractContextManager[object]:
        """A processor that multiplies in bfloat16 is half again as fast with it."""
        kind = self.model.device.type
        able = kind == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
        return torch.autocast(kind, torch.bfloat16, enabled=able)

    def _keep(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._kept = output[0] if isinstance(output, tuple) else output


def _find_layers(model: Any) -> tuple[tuple[nn.Module, str], nn.ModuleList]:
    """The list of a model's layers, and the module and attribute that hold it."""
    count = model.config.get_text_config().num_hidden_layers
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            parent, _, name = path.rpartition(".")
            return (model.get_submodule(parent), name), module
    raise ModelError(
        f"{type(model).__name__} does not keep its {count} layers in one list.",
        "Choose another initialisation: scaled.",
    )


def _depth(layer: float, count: int) -> int:
    depth = layer if isinstance(layer, int) else max(layer > 0, round(layer * count))
    if not 1 <= depth <= count:
        raise RecipeError(
            f"the setting layer of the initialisation distill is {layer}, but the model has {count} layers.",
            f"Give a share of them, such as 0.3, or a whole number up to {count}.",
        )
    return depth
