"""Draws the loss over the steps of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hubadapt.figure import INK, figure


def draw_losses(losses: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw what was logged, and write it atomically.

    Args:
        losses: Entries with `step` and `loss`, in nats a token; at least one.
        path: Ends in `.png` or `.svg`.
    """
    from matplotlib.ticker import MaxNLocator

    with figure(path, (5, 3.2)) as drawn:
        panel = drawn.subplots()
        steps = [entry["step"] for entry in losses]
        panel.plot(steps, [entry["loss"] for entry in losses], color=INK, marker="o", markersize=2, linewidth=1.2)
        panel.set_xlabel("step")
        panel.set_ylabel("loss a token")
        panel.set_xlim(0, 1.03 * steps[-1])
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
