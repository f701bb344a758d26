"""Reports built by hand."""

from __future__ import annotations

from hubadapt.ratio import Ratio
from hubadapt.tokenizer.families import Family
from hubadapt.tokenizer.measure import Density
from hubadapt.tokenizer.report import LanguageReport, Learnt, Report, Table
from hubadapt.tokenizer.sweep import Point, Sweep


def density(now: float, floor: float, *, words: float | None = -1, texts: int = 40) -> Density:
    """By default words have six characters, the space included."""
    words = now / 6 if words == -1 else words
    return Density(
        characters=Ratio(now, 0.0123, texts),
        bytes=Ratio(1.8 * now, 0.0221, texts),
        words=None if words is None else Ratio(words, 0.0011, texts),
        floor=Ratio(floor, 0.0345, texts),
        headroom=Ratio(floor / now, 0.0056, texts),
        total_characters=1_234_567,
        total_tokens=round(1_234_567 / now),
    )


def language(
    code: str, floor: float, values: dict[int, float], *, knee: int, unprotected: bool = False, words: float = -1
) -> LanguageReport:
    """A language with a sweep over these characters per token."""
    points = tuple(
        Point(size, Ratio(value, 0.0123, 40), Ratio(value / values[0], 0.004, 40)) for size, value in values.items()
    )
    learnt = Learnt(900, 45_678_901, 100, unprotected)
    return LanguageReport(code, density(values[0], floor, words=words), Sweep(49_152, points), knee, learnt)


RUSSIAN = language(
    "ru", 5.8, {0: 1.3, 256: 1.9, 1024: 2.5, 4096: 3.4, 8192: 3.9, 10_240: 4.0, 32_768: 4.3}, knee=10_240
)
RISING = language("el", 5.7, {0: 1.2, 256: 2.1, 1024: 3.2, 4096: 4.5}, knee=4096)
REPORT = Report(
    "owner/model",
    Family.BYTE_LEVEL_BPE,
    49_152,
    Table(49_152, 4096, tied=False),
    (RUSSIAN, RISING, LanguageReport("en", density(4.5, 4.9))),
)
