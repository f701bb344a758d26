"""New rows as the only parameters: the optimizer holds n_new × D numbers instead of V × D."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class RowEmbedding(nn.Module):
    """An input table whose first rows are frozen and whose last rows are a parameter.

    Args:
        frozen: Old rows, shape (V_old, D); never receives a gradient.
        rows: New rows, shape (n_new, D), float32.
    """

    def __init__(self, frozen: torch.Tensor, rows: nn.Parameter) -> None:
        super().__init__()
        self.frozen: torch.Tensor
        self.register_buffer("frozen", frozen, persistent=False)
        self.rows = rows

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Look up ids of shape (B, T); returns (B, T, D)."""
        first = len(self.frozen)
        is_new = ids >= first
        old = functional.embedding(ids.masked_fill(is_new, 0), self.frozen)
        new = functional.embedding((ids - first).clamp(min=0), self.rows).to(old.dtype)
        return torch.where(is_new[..., None], new, old)


class RowHead(nn.Module):
    """A head whose first rows are frozen and whose last rows are a parameter.

    Args:
        frozen: Old rows, shape (V_old, D); never receives a gradient.
        rows: New rows, shape (n_new, D), float32; the same parameter as the embedding's where the tables are tied.
        bias: The head's bias, shape (V,), frozen, or None.
    """

    def __init__(self, frozen: torch.Tensor, rows: nn.Parameter, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.frozen: torch.Tensor
        self.bias: torch.Tensor | None
        self.register_buffer("frozen", frozen, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.rows = rows

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, V) of hidden states (B, T, D)."""
        logits = torch.cat([hidden @ self.frozen.T, hidden @ self.rows.to(hidden.dtype).T], dim=-1)
        return logits if self.bias is None else logits + self.bias


class RowTraining(nn.Module):
    """A causal language model of which only the new rows learn; its state dict holds those rows and nothing else.

    Input table and head are replaced in the model given, which must not be used for anything else afterwards. Other
    parameters are frozen. Tied tables share one parameter.

    Args:
        model: A model of transformers whose tables already have the new rows.
        n_new: How many rows at the end of the tables are new.
    """

    def __init__(self, model: Any, n_new: int) -> None:
        super().__init__()
        model.requires_grad_(False)
        embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
        tied = head.weight is embedding.weight
        self.rows = nn.Parameter(embedding.weight[-n_new:].detach().clone().float())
        self.head_rows = self.rows if tied else nn.Parameter(head.weight[-n_new:].detach().clone().float())
        model.set_input_embeddings(RowEmbedding(embedding.weight[:-n_new].detach(), self.rows))
        model.set_output_embeddings(RowHead(head.weight[:-n_new].detach(), self.head_rows, head.bias))
        self.tied = tied
        self.model = model
        self.config = model.config

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Loss over all positions of packed blocks (B, T); labels are the ids themselves."""
        output = self.model(input_ids=input_ids, labels=labels, use_cache=False)
        return {"loss": output.loss, "logits": output.logits}

    def trained_rows(self) -> dict[str, torch.Tensor]:
        """The rows as they stand: `rows`, and `head_rows` where the tables are not tied; shape (n_new, D) each."""
        rows = {"rows": self.rows.detach()}
        return rows if self.tied else {**rows, "head_rows": self.head_rows.detach()}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Only the trained rows, so that a checkpoint is a few megabytes."""
        return dict(self.trained_rows())

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Put rows back that `state_dict` gave."""
        with torch.no_grad():
            for name, rows in self.trained_rows().items():
                rows.copy_(state_dict[name])
        return nn.modules.module._IncompatibleKeys([], [])
