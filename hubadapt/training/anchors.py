"""What holds a model to the one it came from while all of its weights learn.

Vikhr (arXiv 2405.13929) holds continued pre-training to the source model by a KL term, which is not defined where the
two write text in different tokens. The two forms here are, and are ours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class PullToStart:
    """‖θ − θ₀‖² / ‖θ₀‖² over all weights but the new rows; θ₀ is where training began. It holds a copy of θ₀.

    Args:
        model: The model that learns.
        first_new: V_old: rows of the tables from here on are free.
    """

    def __init__(self, model: Any, first_new: int) -> None:
        self._tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
        self._first_new = first_new
        self._start = {name: self._held(parameter).detach().clone() for name, parameter in model.named_parameters()}
        self._size = float(sum(start.square().sum() for start in self._start.values()))

    def __call__(self, model: Any, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """The term, a number ≥ 0; it does not depend on the batch."""
        moved = logits.new_zeros(())
        for name, parameter in model.named_parameters():
            self._start[name] = self._start[name].to(parameter.device)
            moved = moved + (self._held(parameter) - self._start[name]).square().sum()
        return moved / self._size

    def _held(self, parameter: torch.Tensor) -> torch.Tensor:
        return parameter[: self._first_new] if id(parameter) in self._tables else parameter


class AgreeOnOldText:
    """KL(source ‖ model) over the old vocabulary, averaged over places of blocks that hold old tokens alone.

    In such blocks, as English is, both models read the same ids. Probabilities are those among the old tokens.

    Args:
        source: The model before its vocabulary changed, frozen.
        first_new: V_old.
    """

    def __init__(self, source: nn.Module, first_new: int) -> None:
        self._source = source.eval().requires_grad_(False)
        self._first_new = first_new

    def __call__(self, model: Any, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """The term in nats, a number ≥ 0; 0 where no block is of old tokens alone.

        Args:
            model: The model that learns.
            input_ids: Blocks, shape (B, T).
            logits: What the model makes of them, shape (B, T, V).
        """
        old = (input_ids < self._first_new).all(dim=1)
        if not old.any():
            return logits.new_zeros(())
        source = self._source.to(input_ids.device)
        with torch.no_grad():
            taught = source(input_ids=input_ids[old], use_cache=False).logits[..., : self._first_new].float()
        own = logits[old][..., : self._first_new].float()
        wanted, found = (functional.log_softmax(each, dim=-1).flatten(0, 1) for each in (taught, own))
        return functional.kl_div(found, wanted, reduction="batchmean", log_target=True)
