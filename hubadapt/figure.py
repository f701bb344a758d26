"""Figures for cards: the same values give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hubadapt.manifest import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PALE = "#1f5a93", "#6b6b6b"
_SETTINGS = {
    "svg.hashsalt": "hubadapt",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def figure(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """An empty figure to draw in; it is written atomically afterwards.

    Args:
        path: Ends in `.png` (at 200 dots per inch) or `.svg`.
        size: Width and height in inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    kind = path.suffix.removeprefix(".")
    with matplotlib.rc_context(_SETTINGS):
        empty = Figure(figsize=size, layout="constrained")
        yield empty
        image = io.BytesIO()
        # Dates and versions would make equal figures differ.
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        empty.savefig(image, format=kind, dpi=200, metadata=metadata)
    write_atomic(path, image.getvalue())
