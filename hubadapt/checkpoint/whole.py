"""Folders that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

from hubadapt.errors import UserError


def require_empty(folder: Path) -> None:
    """Stop where something lies already in the folder that is to be written.

    Raises:
        UserError: It exists and is not an empty folder.
    """
    if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        raise UserError(f"{folder} exists and is not empty.", "Name another folder, or delete this one first.")
