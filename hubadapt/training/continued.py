"""Continued pre-training: all weights of a model learn, held to where they came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from hubadapt.training.learner import Learner
from hubadapt.training.rows import causal_loss

Anchor = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]
"""A term of the loss, of the model, a batch of ids (B, T) and its logits (B, T, V): see `hubadapt.training.anchors`."""


class Continued(Learner):
    """A causal language model of which everything learns.

    Args:
        model: A model of transformers; trained in place.
        anchor: What holds it, or None.
        weight: Factor on the anchor's term.
    """

    def __init__(self, model: Any, anchor: Anchor | None = None, weight: float = 1.0) -> None:
        super().__init__()
        self.model, self.config = model.requires_grad_(True), model.config
        self._anchor, self._weight = anchor, weight

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss over all positions of packed blocks (B, T), in nats a token, with the anchor's term."""
        logits = self.model(input_ids=input_ids, use_cache=False).logits
        loss = causal_loss(logits, labels)
        if self._anchor is not None:
            loss = loss + self._weight * self._anchor(self.model, input_ids, logits)
        return {"loss": loss}


@torch.no_grad()
def mix_back(model: Any, before: Any, share: float, first_new: int) -> None:
    """Move every weight but the new rows a share of the way back to where it was, in place.

    Args:
        model: The trained model.
        before: The model it was trained from.
        share: From 0 (as trained) to 1 (as before).
        first_new: V_old: rows of the tables from here on stay as trained.
    """
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    for trained, start in zip(model.parameters(), before.parameters(), strict=True):
        held = slice(0, first_new) if id(trained) in tables else slice(None)
        trained[held].lerp_(start[held], share)


@torch.no_grad()
def distance(model: Any, before: Any, first_new: int) -> float:
    """‖θ − θ₀‖ / ‖θ₀‖ over all weights but the new rows."""
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    moved = size = 0.0
    for trained, start in zip(model.parameters(), before.parameters(), strict=True):
        held = slice(0, first_new) if id(trained) in tables else slice(None)
        moved += float((trained[held] - start[held]).double().square().sum())
        size += float(start[held].double().square().sum())
    return float((moved / size) ** 0.5)
