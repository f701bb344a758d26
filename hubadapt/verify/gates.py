"""Gates on a published tokenizer that need no corpus, tried again beside the base's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import regex
from pydantic import BaseModel

from hubadapt.errors import UserError
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json
from hubadapt.tokenizer.gates import GATES, Trial, try_gates
from hubadapt.tokenizer.scripts import scripts_of
from hubadapt.types import Manifest, StageRecord
from hubadapt.verify.finding import Finding, not_measured, number
from hubadapt.verify.record import read_facts

_GONE = -1


class _Gate(BaseModel):
    name: str
    failed: int


class _Facts(BaseModel):
    old_size: int
    dropped: int = 0
    method: str = "extend"
    gates: list[_Gate] = []


def gate_findings(folder: Path, record: Manifest, base: Path | str) -> Iterator[Finding]:
    """Faults of each gate that the card tells of, counted again.

    Args:
        folder: Where the published tokenizer lies.
        record: The run.
        base: Where the base's lies, or why it could not be had.

    Raises:
        HubError: The record is damaged.
    """
    stage = next((stage for stage in record.stages if stage.kind == "tokenizer"), None)
    facts = stage and read_facts(_Facts, stage.facts, "the stage tokenizer")
    if not stage or not facts or not facts.gates:
        return
    what = f"{len(facts.gates)} gates of the tokenizer"
    if isinstance(base, str):
        yield not_measured(what, base)
        return
    try:
        trial = _trial(folder, base, record, stage, facts)
        told = {gate.name for gate in facts.gates}
        found = {
            gate.name: gate for gate in try_gates(trial, gates={name: GATES[name] for name in GATES if name in told})
        }
    except UserError as error:
        yield not_measured(what, error.problem.removesuffix("."))
        return
    except regex.error as error:
        yield not_measured(what, f"the record names no script: {error}")
        return
    for gate in facts.gates:
        if gate.name in found:
            reason = f"of {found[gate.name].tried:,} cases that need no corpus"
            yield number(f"faults, gate {gate.name}", gate.failed, found[gate.name].failed, within=0, reason=reason)
        else:
            yield not_measured(f"faults, gate {gate.name}", "learning is not repeated", gate.failed)


def _trial(folder: Path, base: Path, record: Manifest, stage: StageRecord, facts: _Facts) -> Trial:
    """The tokenizers, and which rows the record says were copied."""
    old, new = read_tokenizer_json(base), read_tokenizer_json(folder)
    ids = {index: entry for entry, index in all_entries(new).items()}
    known, first = all_entries(old), facts.old_size
    moved = bool(facts.dropped) or facts.method == "replace"
    copied = [known.get(ids.get(index, ""), _GONE) for index in range(first)] if moved else list(range(first))
    tokens = tuple(ids[index] for index in sorted(ids) if index >= first)
    dropped = tuple(map(str, stage.params.get("drop_scripts") or ()))
    scripts = (*scripts_of(record.language), *dropped)
    return Trial(old, new, copied, tokens, scripts, folders=(base, folder), replaced=facts.method == "replace")
