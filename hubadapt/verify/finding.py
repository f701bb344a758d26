"""What was found of one claim: what is said, what was measured, how far they may be apart, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["same", "differs", "not measured"]


@dataclass(frozen=True)
class Finding:
    """One claim and what became of it.

    Attributes:
        what: What the claim is about, such as `bits_per_byte ru`.
        claimed: What a reader is told; a number, or a few words.
        measured: What was found; None where nothing could be.
        verdict: Whether they agree.
        tolerance: How far apart two equal numbers may be; None where the claim is no number.
        reason: Where the tolerance comes from, what differs, or why nothing was measured.
    """

    what: str
    claimed: float | str | None
    measured: float | str | None
    verdict: Verdict
    tolerance: float | None = None
    reason: str = ""

    def about(self, what: str) -> Finding:
        """The same of something else."""
        return replace(self, what=what)


def number(what: str, claimed: float, measured: float, *, within: float, reason: str) -> Finding:
    """The finding for a number that was measured again.

    Args:
        what: As in `Finding`.
        claimed: What is said.
        measured: What was found.
        within: How far apart they may be.
        reason: Where that comes from.
    """
    verdict: Verdict = "same" if abs(claimed - measured) <= within else "differs"
    # JSON has no word for what is no number.
    found = measured if math.isfinite(measured) else str(measured)
    return Finding(what, claimed, found, verdict, within, reason)


def same(what: str, claimed: str) -> Finding:
    """The finding for a claim that holds to the letter."""
    return Finding(what, claimed, claimed, "same")


def differs(what: str, claimed: float | str | None, measured: float | str | None, reason: str) -> Finding:
    """The finding for a claim that does not hold."""
    return Finding(what, claimed, measured, "differs", reason=reason)


def not_measured(what: str, reason: str, claimed: float | str | None = None) -> Finding:
    """The finding for a claim that could not be looked into."""
    return Finding(what, claimed, None, "not measured", reason=reason)
