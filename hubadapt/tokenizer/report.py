"""What measuring a tokenizer found out: the figures of each language, what each size costs, and a verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hubadapt.tokenizer.families import Family
from hubadapt.tokenizer.measure import Density
from hubadapt.tokenizer.sweep import Point, Sweep, ends_rising

WORTH = 1.1
"""Below this gain in characters per token a new vocabulary is not worth its training."""

_CUT_APART = 1.7


@dataclass(frozen=True)
class Table:
    """The embedding table that new rows come to.

    Attributes:
        rows: V_old.
        width: D, or None where the model's configuration is not at hand.
        tied: Whether the head is the same table, or None.
    """

    rows: int
    width: int | None = None
    tied: bool | None = None

    def parameters(self, new_tokens: int) -> int | None:
        """Numbers in the new rows of all tables."""
        return None if self.width is None else new_tokens * self.width * (1 if self.tied else 2)

    def head_operations(self, point: Point) -> float | None:
        """Floating-point operations of the head per character: 2 V D / characters per token."""
        if self.width is None:
            return None
        return 2 * (self.rows + point.new_tokens) * self.width / point.characters_per_token.value


@dataclass(frozen=True)
class Verdict:
    """Whether extending is worth it (None: not known), and why, in a sentence with the numbers that decided."""

    worth: bool | None
    sentence: str


@dataclass(frozen=True)
class Learnt:
    """What new tokens were learnt from.

    Attributes:
        documents: Number of documents; none of them was measured on.
        characters: Their characters.
        min_occurrences: A pair rarer than this was not merged.
        unprotected: Whether the sweep is an upper bound: the language shares English's script, and no English text was
            there that new tokens must leave as it is.
    """

    documents: int
    characters: int
    min_occurrences: int
    unprotected: bool = False


@dataclass(frozen=True)
class LanguageReport:
    """One language.

    Attributes:
        language: ISO 639-1 code.
        density: On the texts measured.
        sweep: Over numbers of new tokens; None where there was nothing to learn from.
        knee: As `hubadapt.tokenizer.sweep.knee` found it; its own point is part of the sweep.
        learnt: What the sweep's tokens were learnt from.
    """

    language: str
    density: Density
    sweep: Sweep | None = None
    knee: int = 0
    learnt: Learnt | None = None

    @property
    def best(self) -> Point | None:
        """The size that the verdict is about: the knee, or the largest measured where there is none."""
        if self.sweep is None:
            return None
        at_knee = (point for point in self.sweep.points if 0 < point.new_tokens == self.knee)
        return next(at_knee, self.sweep.points[-1])


@dataclass(frozen=True)
class Report:
    """A tokenizer measured on some languages.

    Attributes:
        tokenizer: What the user called it.
        family: Its family.
        entries: Entries of its vocabulary, added tokens included.
        table: The table of its model.
        languages: One after the other.
    """

    tokenizer: str
    family: Family
    entries: int
    table: Table
    languages: tuple[LanguageReport, ...]


def verdict(report: LanguageReport) -> Verdict:
    """Whether a language is worth new tokens: at the knee they must gain a tenth in characters per token."""
    density, best = report.density, report.best
    headroom = f"the floor is {density.floor.value:.2f} characters, × {density.headroom.value:.2f}"
    if report.language == "en":
        return Verdict(None, "English is what new tokens leave as it is; its figures are there to compare with.")
    if density.headroom.value < WORTH:
        return Verdict(False, f"Not worth adapting: {headroom} of what it writes now. {_limit(density)}")
    if best is None or report.sweep is None:
        return Verdict(None, f"Not known: there was too little text to learn from; {headroom} of what it writes now.")
    now, then = report.sweep.points[0].characters_per_token.value, best.characters_per_token.value
    gain = f"{best.new_tokens:,} new tokens give {then:.2f} characters per token instead of {now:.2f}"
    rising = ends_rising(report.sweep)
    more = "; the curve still rises, so more text and sizes may give more" if rising else ""
    if best.gain.value >= WORTH:
        return Verdict(True, f"Worth adapting: {gain}, × {best.gain.value:.2f} ({headroom}){more}.")
    if rising:
        return Verdict(None, f"Not known: {gain}, × {best.gain.value:.2f} ({headroom}){more}.")
    return Verdict(False, f"Not worth adapting: {gain}, only × {best.gain.value:.2f}. {_limit(density)}")


def _limit(density: Density) -> str:
    """What stands in the way: the pre-tokenizer, or that there is nothing left to gain."""
    pieces = 1 / (density.words.value * density.headroom.value) if density.words else 1.0
    if pieces > _CUT_APART:
        return f"The pre-tokenizer cuts a word into {pieces:.1f} pieces, which no vocabulary can mend."
    return "The vocabulary already covers what is frequent in the language."


def as_json(report: Report) -> dict[str, Any]:
    """Everything that was measured, as plain data; every ratio with its standard error and number of texts."""
    return {
        "tokenizer": report.tokenizer,
        "family": report.family.value,
        "entries": report.entries,
        "table": asdict(report.table),
        "languages": [_language(one, report.table) for one in report.languages],
    }


def _language(report: LanguageReport, table: Table) -> dict[str, Any]:
    density = asdict(report.density)
    content: dict[str, Any] = {"language": report.language, "texts": report.density.characters.n}
    content |= {name: density[name] for name in ("total_characters", "total_tokens")}
    content |= {f"{name}_per_token": density[name] for name in ("characters", "bytes", "words")}
    content |= {"floor": density["floor"], "headroom": density["headroom"]}
    if report.sweep is not None and report.learnt is not None:
        content |= {
            "learnt": asdict(report.learnt),
            "sweep": [_point(point, table) for point in report.sweep.points],
            "knee": report.knee,
            "ends_rising": ends_rising(report.sweep),
        }
    return content | {"verdict": asdict(verdict(report))}


def _point(point: Point, table: Table) -> dict[str, Any]:
    return {
        **asdict(point),
        "rows": table.rows + point.new_tokens,
        "new_parameters": table.parameters(point.new_tokens),
        "head_operations_per_character": table.head_operations(point),
    }
