"""What is looked at before a table is used."""

from __future__ import annotations

from pathlib import Path

import torch

from hubadapt.errors import ModelError

_BLOCK = 4096


def require_finite(folder: Path, name: str, table: torch.Tensor) -> None:
    """Stop where a table holds NaN or infinity.

    Args:
        folder: The checkpoint, for the message.
        name: The tensor, for the message.
        table: Shape (V, D).

    Raises:
        ModelError: Some of its rows are not finite.
    """
    rows: list[int] = []
    for start in range(0, len(table), _BLOCK):
        finite = torch.isfinite(table[start : start + _BLOCK]).all(dim=1)
        rows += (torch.nonzero(~finite).flatten() + start).tolist()
    if rows:
        raise ModelError(
            f"{name} of {folder} holds NaN or infinity in {len(rows):,} rows: {', '.join(map(str, rows[:5]))}.",
            "Download or copy the model again.",
        )
