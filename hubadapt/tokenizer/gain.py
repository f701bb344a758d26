"""What a changed vocabulary gains on text that it was not learnt from, beside its base and the floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hubadapt.ratio import Ratio
from hubadapt.tokenizer.measure import characters_per_token, density_of
from hubadapt.tokenizer.plot import curve_of, draw
from hubadapt.tokenizer.sweep import Sweep
from hubadapt.tokenizer.vocabulary import NewVocabulary


@dataclass(frozen=True)
class Gain:
    """Characters per token on the same texts.

    Attributes:
        base: Of the base.
        new: Of the changed vocabulary.
        floor: At the least number of tokens: see `hubadapt.tokenizer.floor`.
        chosen: Number of new tokens.
        sweep: Over numbers of new tokens, `chosen` among them; None where they come in no order, or there are none.
    """

    base: Ratio
    new: Ratio
    floor: Ratio
    chosen: int
    sweep: Sweep | None = None

    def as_facts(self) -> dict[str, Any]:
        """As plain data, each ratio with its standard error and number of texts."""
        points = self.sweep.points if self.sweep else ()
        return {
            **{name: asdict(getattr(self, name)) for name in ("base", "new", "floor")},
            "chosen": self.chosen,
            "sweep": [{"new_tokens": point.new_tokens, **asdict(point.characters_per_token)} for point in points],
        }


def gain_of(
    content: dict[str, Any],
    vocabulary: NewVocabulary,
    texts: Sequence[str],
    scripts: tuple[str, ...],
    *,
    sweep: Sweep | None = None,
) -> Gain:
    """Measure a changed vocabulary.

    Args:
        content: The base's `tokenizer.json`.
        vocabulary: The changed one.
        texts: At least one text that is not empty, none of which was learnt from.
        scripts: Unicode scripts of the language.
        sweep: Over numbers of new tokens, its own among them, on the same texts.
    """
    density, chosen = density_of(content, texts, scripts), len(vocabulary.tokens)
    points = {point.new_tokens: point.characters_per_token for point in sweep.points} if sweep else {}
    new = points[chosen] if sweep else characters_per_token(vocabulary.tokenizer, texts)
    return Gain(density.characters, new, density.floor, chosen, sweep)


def draw_gain(gain: Gain, path: Path, *, title: str) -> None:
    """Draw a gain that has a sweep; the same values give the same bytes.

    Args:
        gain: What to draw.
        path: Ends in `.png` or `.svg`.
        title: Above the panel.

    Raises:
        ValueError: There is no sweep.
    """
    if gain.sweep is None:
        raise ValueError("there is no sweep to draw")
    base, floor = gain.base.value, gain.floor.value
    draw([curve_of(title, gain.sweep, base=base, floor=floor, marked=gain.chosen, word="chosen")], path)
