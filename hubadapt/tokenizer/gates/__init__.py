"""Gates: each proves that a changed vocabulary left one thing as it was in the base.

A gate is a function of a `Trial` that gives a `Finding`, or None where there is nothing to try; its name in `GATES` is
what recipes allow and cards show. A fault that the base has too is counted, and fails no gate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from hubadapt.errors import ModelError, UserError, raise_all
from hubadapt.tokenizer.gates.entries import merges, old_ids, repeatable, scores, special_tokens, tokens
from hubadapt.tokenizer.gates.loaded import chat, loading, sentencepiece
from hubadapt.tokenizer.gates.lossless import code_points, streaming, texts
from hubadapt.tokenizer.gates.trial import Finding, Trial
from hubadapt.tokenizer.gates.unchanged import digits, english, other_scripts, spaces

__all__ = ["GATES", "Gate", "Trial", "check_gates", "try_gates"]

Check = Callable[[Trial], Finding | None]

GATES: Mapping[str, Check] = {
    "round-trip": texts,
    "code-points": code_points,
    "tokens": tokens,
    "english": english,
    "other-scripts": other_scripts,
    "digits": digits,
    "spaces": spaces,
    "old-ids": old_ids,
    "special-tokens": special_tokens,
    "merges": merges,
    "scores": scores,
    "loading": loading,
    "sentencepiece": sentencepiece,
    "chat": chat,
    "streaming": streaming,
    "repeatable": repeatable,
}
"""Every gate by name, in the order they are tried and shown."""

_SHOWN = 3
_LONGEST = 80


@dataclass(frozen=True)
class Gate:
    """A gate that was tried.

    Attributes:
        name: Its name in `GATES`.
        tried: Cases.
        failed: Cases that fail and did not in the base.
        failures: The first of them, three at the most, each cut to 80 characters.
        reported: Cases that fail, but did in the base as well or are within what the gate tolerates.
        allowed: Whether it may fail.
    """

    name: str
    tried: int
    failed: int
    failures: tuple[str, ...]
    reported: int
    allowed: bool


def try_gates(trial: Trial, *, allow: Collection[str] = (), gates: Mapping[str, Check] = GATES) -> list[Gate]:
    """Try gates on a changed tokenizer, whatever they find.

    Args:
        trial: The changed tokenizer and its base.
        allow: Names of gates that may fail.
        gates: Which to try.

    Returns:
        The gates that had something to try.
    """
    found = {name: finding for name, check in gates.items() if (finding := check(trial)) is not None}
    return [_gate(name, finding, name in allow) for name, finding in found.items()]


def check_gates(trial: Trial, *, allow: Collection[str] = (), gates: Mapping[str, Check] = GATES) -> list[Gate]:
    """Try gates and stop where one fails that may not: see `try_gates`.

    Raises:
        ModelError: A gate failed; the message names it and the first cases.
        SeveralErrors: More than one did.
    """
    tried = try_gates(trial, allow=allow, gates=gates)
    raise_all([_error(gate) for gate in tried if gate.failed and not gate.allowed])
    return tried


def _gate(name: str, finding: Finding, allowed: bool) -> Gate:
    shown = tuple(" ".join(failure.split())[:_LONGEST] or repr(failure) for failure in finding.failures[:_SHOWN])
    return Gate(name, finding.tried, len(finding.failures), shown, finding.reported, allowed)


def _error(gate: Gate) -> UserError:
    examples = ", ".join(repr(failure) for failure in gate.failures)
    return ModelError(
        f"the changed tokenizer fails the gate {gate.name!r} in {gate.failed} of {gate.tried} cases: {examples}.",
        f"If you accept that, put `allow: [{gate.name}]` into the stage tokenizer; else please report it with the "
        "base's name.",
    )
