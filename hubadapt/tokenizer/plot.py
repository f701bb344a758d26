"""Draws characters per token over the number of new tokens: the same values give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hubadapt.errors import CorpusError
from hubadapt.figure import INK, PALE, figure
from hubadapt.tokenizer.report import LanguageReport, Report
from hubadapt.tokenizer.sweep import Sweep, ends_rising

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_IN_A_ROW = 3


@dataclass(frozen=True)
class Curve:
    """One panel.

    Attributes:
        title: Such as the language.
        new_tokens: Ascending, from 0.
        characters_per_token: At each of them.
        stderr: Standard error of each.
        base: Characters per token of the base.
        floor: Characters per token that no vocabulary can exceed.
        marked: Number of new tokens to mark, one of `new_tokens`; 0 marks none.
        note: What stands at the mark.
    """

    title: str
    new_tokens: Sequence[int]
    characters_per_token: Sequence[float]
    stderr: Sequence[float]
    base: float
    floor: float
    marked: int = 0
    note: str = ""


def curve_of(title: str, sweep: Sweep, *, base: float, floor: float, marked: int, word: str) -> Curve:
    """What to draw of a sweep.

    Args:
        title: Above the panel.
        sweep: Sizes measured.
        base: Characters per token of the base.
        floor: Characters per token that no vocabulary can exceed.
        marked: The size to mark, one of the sweep's; 0 marks none.
        word: What it is, such as `knee`.
    """
    ratios = {point.new_tokens: point.characters_per_token for point in sweep.points}
    note = f"{word} {marked:,}: {ratios[marked].value:.2f}".strip() if marked else ""
    values, errors = zip(*((ratio.value, ratio.stderr) for ratio in ratios.values()), strict=True)
    return Curve(title, [*ratios], values, errors, base, floor, marked, note)


def _curve_of(report: LanguageReport) -> Iterator[Curve]:
    if report.sweep is not None:
        rising = ends_rising(report.sweep)
        base, floor = report.density.characters.value, report.density.floor.value
        curve = curve_of(
            report.language, report.sweep, base=base, floor=floor, marked=report.knee, word="" if rising else "knee"
        )
        yield replace(curve, note=f"{curve.note}, still rising") if rising else curve


def draw_report(report: Report, path: Path) -> None:
    """Draw a panel for each language that has a sweep: see `draw`.

    Raises:
        CorpusError: None has.
    """
    curves = [curve for one in report.languages for curve in _curve_of(one)]
    if not curves:
        raise CorpusError(
            "there is no sweep to draw: no language has text to learn new tokens from.",
            "Give more documents with --text, or a --corpus.",
        )
    draw(curves, path)


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Draw a panel for each curve, at most three in a row, and write it atomically.

    Args:
        curves: At least one.
        path: Ends in `.png` (at 200 dots per inch) or `.svg`.
    """
    across = min(len(curves), _IN_A_ROW)
    down = -(-len(curves) // across)
    with figure(path, (5 if across == 1 else 3.6 * across, 3.2 * down)) as drawn:
        panels = drawn.subplots(down, across, squeeze=False, sharey=True).flat
        for number, panel in enumerate(panels):
            if number < len(curves):
                _draw(panel, curves[number], first=number % across == 0)
            else:
                panel.set_axis_off()
        drawn.axes[0].set_ylim(0, 1.12 * max(curve.floor for curve in curves))


def _draw(panel: Axes, curve: Curve, *, first: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    x, y = list(curve.new_tokens), list(curve.characters_per_token)
    low, high = ([value + sign * error for value, error in zip(y, curve.stderr, strict=True)] for sign in (-1, 1))
    _levels(panel, curve.floor, curve.base)
    panel.fill_between(x, low, high, color=INK, alpha=0.2, linewidth=0)
    panel.plot(x, y, color=INK, marker="o", markersize=3, linewidth=1.4)
    panel.set_title(curve.title)
    panel.set_xlabel("new tokens")
    if first:
        panel.set_ylabel("characters per token")
    panel.set_xlim(0, x[-1] * 1.03)
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if curve.marked:
        _mark(panel, (curve.marked, y[x.index(curve.marked)]), curve.note, right=curve.marked < x[-1] / 2)


def _levels(panel: Axes, floor: float, base: float) -> None:
    """Name the two lines where the curve is not: above the one at the right, below the other at the left."""
    for height, style, name, x, above in ((floor, "--", "floor", 1, True), (base, ":", "base", 0, False)):
        panel.axhline(height, color=PALE, linestyle=style, linewidth=1)
        panel.annotate(
            f"{name} {height:.2f}", (x, height), xycoords=("axes fraction", "data"),
            xytext=(-4 if x else 4, 3 if above else -3), textcoords="offset points",
            ha="right" if x else "left", va="bottom" if above else "top", color=PALE,
        )  # fmt: skip


def _mark(panel: Axes, point: tuple[int, float], name: str, *, right: bool) -> None:
    """Mark a size; its figures stand at the bottom, where no curve passes."""
    x, y = point
    panel.plot([x, x], [0, y], color=INK, linewidth=0.8)
    panel.plot([x], [y], marker="o", markersize=8, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.4)
    panel.annotate(
        name, (x, 0), xytext=(4 if right else -4, 4), textcoords="offset points",
        ha="left" if right else "right", color=INK,
    )  # fmt: skip
