"""English beside a language that shares its script: how much of it changes all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hubadapt.tokenizer.gates.trial import Trial

_PASSAGE = 2000


@dataclass(frozen=True)
class Changed:
    """English text with other ids than the base gives it.

    Attributes:
        lines: Lines that are not blank.
        lines_changed: How many of them have other ids.
        passages: The same texts cut into passages of 2,000 characters at the most.
        passages_changed: How many of them have other ids.
    """

    lines: int
    lines_changed: int
    passages: int
    passages_changed: int


def lines_of(texts: Sequence[str]) -> list[str]:
    """The lines of some texts that are not blank."""
    return [line for text in texts for line in text.splitlines() if line.strip()]


def changed_english(trial: Trial, texts: Sequence[str]) -> Changed:
    """Count what changes in English texts.

    Args:
        trial: The changed tokenizer beside its base.
        texts: Whole documents, none of which was protected.
    """
    lines = lines_of(texts)
    passages = [text[start : start + _PASSAGE] for text in texts for start in range(0, len(text), _PASSAGE)]
    changed = [found.reported + len(found.failures) for found in map(trial.compare_ids, (lines, passages))]
    return Changed(len(lines), changed[0], len(passages), changed[1])
