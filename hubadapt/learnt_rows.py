"""New rows as a function of what is learnt: a few shared maps, and a part of its own for each row.

A new row is its start, plus a linear function of its pieces that all new rows share, plus a part of its own. The shared
maps learn from every new token at once what a word's row is, given those of its pieces; the part of its own then
learns what is particular to the word. (The parametrisation is ours; with the maps held at zero it is plain row
training.)
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hubadapt.vocab_map import VocabMap


class LearntRows(nn.Module):
    """The new rows of one table.

    `rows = start + first A + last B + start C + own`, with A, B, C of shape (D, D) and `own` of shape (n, D), all zero
    at the beginning; `first` and `last` are the old rows of each token's outermost pieces.

    Args:
        start: The rows to begin with, shape (n, D), float32.
        table: A table that holds the old rows at their old ids, shape (at least V_old, D).
        pieces: The piece map of the new vocabulary.
        ids: New ids of the rows, shape (n,); those without pieces have zeros in place of first and last.
    """

    def __init__(self, start: torch.Tensor, table: torch.Tensor, pieces: VocabMap, ids: np.ndarray) -> None:
        super().__init__()
        begins, ends = pieces.indptr[ids], pieces.indptr[ids + 1]
        self.start: torch.Tensor
        self.outer: torch.Tensor
        self.register_buffer("start", start, persistent=False)
        outer = [_piece_rows(table, pieces, at, begins < ends) for at in (begins, ends - 1)]
        self.register_buffer("outer", torch.cat([*outer, start], dim=1), persistent=False)
        self.own = nn.Parameter(torch.zeros_like(start))
        self.maps = nn.Parameter(torch.zeros(3 * start.shape[1], start.shape[1]))

    def forward(self) -> torch.Tensor:
        """The rows as they stand, shape (n, D)."""
        return self.start + self.outer @ self.maps + self.own


class RowEmbedding(nn.Module):
    """An input table whose old rows are frozen and whose new rows are computed.

    Args:
        replaced: The model's own module for its input table, whose first rows stay.
        count: V_old, how many of them.
        rows: Gives the new rows, shape (n_new, D).
    """

    def __init__(self, replaced: nn.Embedding, count: int, rows: nn.Module) -> None:
        super().__init__()
        frozen = replaced.weight[:count].detach()
        # Gemma and its kin look up multiples of their rows.
        self.scale = float(getattr(replaced, "embed_scale", 1.0))
        self.frozen: torch.Tensor
        self.register_buffer("frozen", frozen, persistent=False)
        self.rows = rows

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up ids of shape (B, T); returns (B, T, D)."""
        first = len(self.frozen)
        is_new = ids >= first
        old = functional.embedding(ids.masked_fill(is_new, 0), self.frozen)
        new = functional.embedding((ids - first).clamp(min=0), self.rows()).to(old.dtype)
        found = torch.where(is_new[..., None], new, old)
        return found if self.scale == 1 else found * self.scale


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


def _piece_rows(table: torch.Tensor, pieces: VocabMap, entries: np.ndarray, present: np.ndarray) -> torch.Tensor:
    rows = torch.zeros(len(entries), table.shape[1])
    rows[torch.from_numpy(present)] = table.detach()[torch.from_numpy(pieces.indices[entries[present]])].float()
    return rows
