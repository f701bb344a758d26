"""New rows as the only parameters: the optimizer holds a few numbers for each new row, not the whole tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from hubadapt.learnt_rows import LearntRows, RowEmbedding, RowHead
from hubadapt.training.learner import Learner
from hubadapt.vocab_map import VocabMap


class RowTraining(Learner):
    """A causal language model of which only the new rows learn; its state dict holds what is learnt and nothing else.

    Input table and head are replaced in the model given, which must not be used for anything else afterwards. All else
    is frozen. Tied tables share one set of rows. The softmax runs over the old ids that occur in the training data and
    all new ones: the others are frozen, cost a large part of the time and have next to no probability there.

    Args:
        model: A model of transformers whose tables already have the new rows.
        pieces: The piece map of the new vocabulary.
        first_new: Id of the first new token.
        candidates: Old ids that occur in the training data.
    """

    def __init__(self, model: Any, pieces: VocabMap, first_new: int, candidates: Sequence[int] | np.ndarray) -> None:
        super().__init__()
        model.requires_grad_(False)
        embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
        self.tied = head.weight is embedding.weight
        self.rows = _learnt_rows(embedding.weight, pieces, first_new)
        self.head_rows = self.rows if self.tied else _learnt_rows(head.weight, pieces, first_new)
        chosen = torch.as_tensor(np.unique(candidates))
        scored = torch.cat([chosen, torch.arange(first_new, pieces.new_size)])
        bias = None if head.bias is None else head.bias.detach()[scored]
        self.position: torch.Tensor
        self.register_buffer(
            "position",
            torch.full((pieces.new_size,), -100).index_copy_(0, scored, torch.arange(len(scored))),
            persistent=False,
        )
        model.set_input_embeddings(RowEmbedding(embedding, first_new, self.rows))
        model.set_output_embeddings(RowHead(head.weight.detach()[chosen], self.head_rows, bias))
        self.model = model
        self.config = model.config

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss over all positions of packed blocks (B, T); labels are the ids themselves."""
        output = self.model(input_ids=input_ids, use_cache=False)
        return {"loss": causal_loss(output.logits, self.position[labels])}

    def trained_rows(self) -> tuple[torch.Tensor, ...]:
        """The rows as they stand, shape (n_new, D): of the input table, and of the head where it is not tied."""
        with torch.no_grad():
            return (self.rows(),) if self.tied else (self.rows(), self.head_rows())


def causal_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of each position's logits (B, T, V) for the next label (B, T); -100 is not scored."""
    flat = logits[:, :-1].reshape(-1, logits.shape[-1]).float()
    return functional.cross_entropy(flat, labels[:, 1:].reshape(-1), ignore_index=-100)


def _learnt_rows(table: torch.Tensor, pieces: VocabMap, first_new: int) -> LearntRows:
    """Rows that begin as they stand at the end of a table."""
    start = table[first_new:].detach().clone().float()
    return LearntRows(start, table, pieces, np.arange(first_new, pieces.new_size))
