"""Finds `templates/` and `spaces/` in a wheel, an editable install or a bare checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def asset(*parts: str) -> Path:
    """Path of a shipped file or folder, such as `asset("templates", "model_card.md.jinja")`.

    Raises:
        FileNotFoundError: The installation lacks it, which is a fault of the package.
    """
    for root in (_PACKAGE / "_assets", _PACKAGE.parent):
        candidate = root.joinpath(*parts)
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"hubadapt was installed without {'/'.join(parts)}")
