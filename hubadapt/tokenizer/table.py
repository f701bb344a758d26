"""A report as text for the terminal, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from hubadapt.ratio import Ratio
from hubadapt.tokenizer.families import Family
from hubadapt.tokenizer.report import LanguageReport, Learnt, Report, Table, verdict
from hubadapt.tokenizer.sweep import Point, Sweep, ends_rising

WIDTH = 100
"""Columns."""

_UNITS = {
    Family.BYTE_LEVEL_BPE: ("pre-token", "vocabulary"),
    Family.BYTE_FALLBACK_BPE: ("word or gap", "tokens within words"),
}


def as_text(report: Report) -> str:
    """The report in full: a block for each language, with a row for each size and the verdict."""
    blocks = ["\n".join(_language(one, report)) for one in report.languages]
    return "\n\n".join([_heading(report), *blocks])


def _heading(report: Report) -> str:
    table = report.table
    parts = [report.family, f"{report.entries:,} entries", f"{table.rows:,} rows"]
    if table.width is None:
        parts[-1] = "rows as many as ids (no config.json beside it, so no costs)"
    else:
        parts.append(f"{table.width:,} wide, head {'tied' if table.tied else 'of its own'}")
    return "\n".join([report.tokenizer, *_wrapped(", ".join(parts))])


def _language(one: LanguageReport, report: Report) -> Iterator[str]:
    density = one.density
    yield f"{one.language}: {density.total_characters:,} characters in {_count(density.characters.n, 'text')}"
    yield _line("characters per token", density.characters)
    yield _line("UTF-8 bytes per token", density.bytes)
    if density.words:
        yield _line("words per token", density.words)
    cut, limited = _UNITS[report.family]
    yield _line("floor", density.floor) + f"  characters per token, at one for each {cut}"
    yield _line("headroom", density.headroom) + f"  floor / now; no {limited} can gain more"
    if one.sweep is not None and one.learnt is not None:
        yield from _sweep(one.sweep, one.learnt, one.knee, report.table)
    yield from _wrapped(verdict(one).sentence)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _line(label: str, ratio: Ratio) -> str:
    return f"  {label:<22}{_plus_minus(ratio)}"


def _plus_minus(ratio: Ratio) -> str:
    return f"{ratio.value:6.3f} ± {ratio.stderr:.3f}"


def _sweep(sweep: Sweep, learnt: Learnt, knee: int, table: Table) -> Iterator[str]:
    costs = table.width is not None
    yield ""
    header = f"  {'new tokens':>12}   {'characters/token':<16}  {'context':>8}  {'table rows':>10}"
    yield header + (f"  {'parameters':>10}  {'head FLOPs/char':>15}" if costs else "")
    for point in sweep.points:
        mark = "" if point.new_tokens != knee or not knee else "still rising" if ends_rising(sweep) else "knee"
        yield _row(point, table, mark)
    note = (
        f"Learnt from {learnt.characters:,} characters in {_count(learnt.documents, 'other text')}; pairs seen "
        f"{learnt.min_occurrences} times or more."
    )
    if learnt.unprotected:
        note += " An upper bound: give English text (--text FILE:en) that the new tokens must leave as it is."
    yield from ("", *_wrapped(note))


def _row(point: Point, table: Table, mark: str) -> str:
    row = (
        f"  {'→ ' if mark else '  '}{point.new_tokens:>10,}   {_plus_minus(point.characters_per_token):<16}"
        f"  {f'× {point.gain.value:.2f}':>8}  {table.rows + point.new_tokens:>10,}"
    )
    parameters, operations = table.parameters(point.new_tokens), table.head_operations(point)
    if parameters is not None and operations is not None:
        row += f"  {_short(parameters):>10}  {_short(operations):>15}"
    return row + (f"  ← {mark}" if mark else "")


def _short(number: float) -> str:
    """A large number: `5.31 M`."""
    for unit, step in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= step:
            return f"{number / step:.3g} {unit}"
    return f"{number:.0f}"
