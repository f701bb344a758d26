"""How dense a tokenizer gets with more and more new tokens, and how many are worth their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hubadapt.ratio import Ratio, ratio_of_sums
from hubadapt.tokenizer.additions import Additions
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.measure import tokens_of

MULTIPLE = 128
"""Tables have a multiple of this many rows, which matrix units and tensor parallelism are fast with."""

GAIN = 0.01
"""What a thousand more tokens must gain in characters per token, as a share, to be worth their rows."""


@dataclass(frozen=True)
class Point:
    """One size of the vocabulary.

    Attributes:
        new_tokens: Entries added.
        characters_per_token: With them, on the texts measured.
        gain: Over no new tokens, of the same texts: tokens before over tokens after.
    """

    new_tokens: int
    characters_per_token: Ratio
    gain: Ratio


@dataclass(frozen=True)
class Sweep:
    """Sizes of a vocabulary in ascending order, the first with no new tokens.

    Attributes:
        old_rows: V_old, rows of the table that new ones come after.
        points: A point for each size.
    """

    old_rows: int
    points: tuple[Point, ...]

    def joined(self, other: Sweep) -> Sweep:
        """The sizes of two sweeps over the same texts."""
        points = {point.new_tokens: point for point in (*self.points, *other.points)}
        return Sweep(self.old_rows, tuple(points[size] for size in sorted(points)))


def sweep_sizes(
    content: dict[str, Any],
    additions: Additions,
    texts: Sequence[str],
    sizes: Sequence[int],
    *,
    old_rows: int,
    advance: Callable[[int], object] = lambda _: None,
) -> Sweep:
    """Measure what the first of some additions give, for several sizes.

    Merges are learnt greedily, so that the first of many are those that a run asking for fewer finds. That is exact as
    long as none is left out; where some are, such a run may fill their places with others.

    Args:
        content: The old `tokenizer.json`.
        additions: What was learnt for the largest size or more.
        texts: Texts that it was not learnt from.
        sizes: Numbers of new tokens, > 0; 0 is measured in any case.
        old_rows: V_old.
        advance: Called with 1 after each size.
    """
    first_id = max([*all_entries(content).values(), old_rows - 1]) + 1
    points: list[Point] = []
    before: np.ndarray | None = None
    for size in sorted({0, *sizes}):
        grown = additions.first(content, size, first_id=first_id, old_rows=old_rows)
        tokens = tokens_of(grown.tokenizer, texts)
        before = tokens if before is None else before
        points.append(Point(size, ratio_of_sums([*map(len, texts)], tokens), ratio_of_sums(before, tokens)))
        advance(1)
    return Sweep(old_rows, tuple(points))


def knee(sweep: Sweep) -> int:
    """The largest number of new tokens whose last ones still gain 1 % characters per token for each thousand.

    Between the sizes measured, characters per token are taken to be linear in log(n + first size). The maximum distance
    to the chord (Satopaa et al. 2011, "Finding a Kneedle in a Haystack") was not taken, since it moves with the largest
    size that happens to be measured.

    Returns:
        A number of tokens that makes the rows of the table a multiple of 128, at most the largest size measured; 0
        where no such number gains that much.

    Source:
        Gain for each thousand tokens as the measure: reports of extended vocabularies give it, such as Greek Apertus
        (2.40 to 1.49 tokens per word at 10,000 tokens, 1.37 at 17,000, 1.29 at 25,600: 1.1 % and then 0.7 % for each
        thousand). The threshold is ours.
    """
    worth = [n for n, rate in _rates(sweep) if rate >= GAIN]
    return max(worth, default=0)


def ends_rising(sweep: Sweep) -> bool:
    """Whether the largest size measured still gains as much as the knee asks for, so that more may be better."""
    rates = _rates(sweep)
    return bool(rates) and rates[-1][1] >= GAIN


def _rates(sweep: Sweep) -> list[tuple[int, float]]:
    """Sizes that give a multiple of rows, with what the last tokens of each gain for a thousand of them."""
    sizes = np.array([point.new_tokens for point in sweep.points], dtype=np.float64)
    values = [point.characters_per_token.value for point in sweep.points]
    first = -sweep.old_rows % MULTIPLE or MULTIPLE
    candidates = np.arange(first, sizes[-1] + 1, MULTIPLE)
    before = np.maximum(candidates - MULTIPLE, 0)

    def at(size: np.ndarray) -> np.ndarray:
        return np.asarray(np.interp(np.log(size + sizes[1]), np.log(sizes + sizes[1]), values))

    rates = (at(candidates) / at(before) - 1) * 1000 / (candidates - before) if len(candidates) else ()
    return [(int(size), float(rate)) for size, rate in zip(candidates, rates, strict=True)]
