"""New rows as the only parameters: the optimizer holds a few numbers for each new row, not the whole tables.

A new row is its start, plus a linear function of its pieces that all new rows share, plus a part of its own. The shared
maps learn from every new token at once what a word's row is, given those of its pieces; the part of its own then
learns what is particular to the word. (The parametrisation is ours; with the maps held at zero it is plain row
training.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hubadapt.vocab_map import VocabMap


class ComposedRows(nn.Module):
    """The new rows of one table, as a function of what is learnt.

    `rows = start + first A + last B + start C + own`, with A, B, C of shape (D, D) and `own` of shape (n_new, D), all
    zero at the beginning; `first` and `last` are the old rows of each token's outermost pieces.

    Args:
        table: The table with composed new rows at its end, shape (V_new, D).
        pieces: The piece map; rows without pieces have zeros in place of first and last.
        first_new: Id of the first new token.
    """

    def __init__(self, table: torch.Tensor, pieces: VocabMap, first_new: int) -> None:
        super().__init__()
        start = table[first_new:].detach().clone().float()
        begins, ends = pieces.indptr[first_new:-1], pieces.indptr[first_new + 1 :]
        self.start: torch.Tensor
        self.outer: torch.Tensor
        self.register_buffer("start", start, persistent=False)
        outer = [_piece_rows(table, pieces, at, begins < ends) for at in (begins, ends - 1)]
        self.register_buffer("outer", torch.cat([*outer, start], dim=1), persistent=False)
        self.own = nn.Parameter(torch.zeros_like(start))
        self.maps = nn.Parameter(torch.zeros(3 * start.shape[1], start.shape[1]))

    def forward(self) -> torch.Tensor:
        """The rows as they stand, shape (n_new, D)."""
        return self.start + self.outer @ self.maps + self.own


class RowEmbedding(nn.Module):
    """An input table whose old rows are frozen and whose new rows are computed.

    Args:
        frozen: Old rows, shape (V_old, D); never receives a gradient.
        rows: Gives the new rows, shape (n_new, D).
    """

    def __init__(self, frozen: torch.Tensor, rows: nn.Module) -> None:
        super().__init__()
        self.frozen: torch.Tensor
        self.register_buffer("frozen", frozen, persistent=False)
        self.rows = rows

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up ids of shape (B, T); returns (B, T, D)."""
        first = len(self.frozen)
        is_new = ids >= first
        old = functional.embedding(ids.masked_fill(is_new, 0), self.frozen)
        new = functional.embedding((ids - first).clamp(min=0), self.rows()).to(old.dtype)
        return torch.where(is_new[..., None], new, old)


class RowHead(nn.Module):
    """A head over chosen old rows, which are frozen, and the new rows, which are computed.

    Args:
        frozen: Chosen old rows, shape (C, D); never receives a gradient.
        rows: Gives the new rows, shape (n_new, D).
        bias: Bias of the chosen and the new rows, shape (C + n_new,), frozen, or None.
    """

    def __init__(self, frozen: torch.Tensor, rows: nn.Module, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.frozen: torch.Tensor
        self.bias: torch.Tensor | None
        self.register_buffer("frozen", frozen, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.rows = rows

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, C + n_new) of hidden states (B, T, D)."""
        logits = torch.cat([hidden @ self.frozen.T, hidden @ self.rows().to(hidden.dtype).T], dim=-1)
        return logits if self.bias is None else logits + self.bias


class RowTraining(nn.Module):
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
        self.rows = ComposedRows(embedding.weight, pieces, first_new)
        self.head_rows = self.rows if self.tied else ComposedRows(head.weight, pieces, first_new)
        chosen = torch.as_tensor(np.unique(candidates))
        scored = torch.cat([chosen, torch.arange(first_new, pieces.new_size)])
        bias = None if head.bias is None else head.bias.detach()[scored]
        self.position: torch.Tensor
        self.register_buffer(
            "position",
            torch.full((pieces.new_size,), -100).index_copy_(0, scored, torch.arange(len(scored))),
            persistent=False,
        )
        model.set_input_embeddings(RowEmbedding(embedding.weight[:first_new].detach(), self.rows))
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

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Only what is learnt, so that a checkpoint is a few megabytes."""
        return {name: parameter.detach() for name, parameter in self.named_parameters() if parameter.requires_grad}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Put back what `state_dict` gave."""
        learnt = self.state_dict()
        for name, value in state_dict.items():
            learnt[name].copy_(value)
        return nn.modules.module._IncompatibleKeys([], [])


def causal_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of each position's logits (B, T, V) for the next label (B, T); -100 is not scored."""
    flat = logits[:, :-1].reshape(-1, logits.shape[-1]).float()
    return functional.cross_entropy(flat, labels[:, 1:].reshape(-1), ignore_index=-100)


def _piece_rows(table: torch.Tensor, pieces: VocabMap, entries: np.ndarray, present: np.ndarray) -> torch.Tensor:
    rows = torch.zeros(len(entries), table.shape[1])
    rows[torch.from_numpy(present)] = table.detach()[torch.from_numpy(pieces.indices[entries[present]])].float()
    return rows
