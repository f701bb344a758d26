"""Characters per token of the published tokenizer and of the base's, as the tokenizer stage measured them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from hubadapt.errors import UserError
from hubadapt.stages.tokenizer import measured_passages
from hubadapt.tokenizer.families import read_tokenizer_json
from hubadapt.tokenizer.gates.trial import load
from hubadapt.tokenizer.measure import characters_per_token, density_of
from hubadapt.tokenizer.scripts import scripts_of
from hubadapt.types import Manifest
from hubadapt.verify.finding import Finding, not_measured, number
from hubadapt.verify.record import read_facts

_EXACT = 1e-9


class _Value(BaseModel):
    value: float
    n: int


class _Density(BaseModel):
    base: _Value
    new: _Value
    floor: _Value
    sweep: list[_Value] = []


def density_findings(folder: Path, record: Manifest, base: Path | str, texts: Path | str) -> Iterator[Finding]:
    """What became of the densities that the tokenizer stage recorded.

    Args:
        folder: Where the published tokenizer lies.
        record: The run.
        base: Where the base's lies, or why it is not looked at.
        texts: The dataset with the held-out split, or why it is not there.

    Raises:
        HubError: The record is damaged.
    """
    told = next((stage.facts["characters_per_token"] for stage in record.stages
                 if stage.kind == "tokenizer" and stage.facts.get("characters_per_token")), None)  # fmt: skip
    if told is None:
        return
    density = read_facts(_Density, told, "the characters per token of the stage tokenizer")
    why = next((reason for reason in (base, texts) if isinstance(reason, str)), "")
    if isinstance(base, Path) and isinstance(texts, Path):
        try:
            yield from _measured(folder, record, density, base, texts)
        except UserError as error:
            why = error.problem.removesuffix(".")
    if why:
        yield not_measured("characters per token of the tokenizer", why, density.new.value)
    if density.sweep:
        yield not_measured(f"{len(density.sweep)} sizes of vocabulary", "only the one chosen is published")


def _measured(folder: Path, record: Manifest, density: _Density, base: Path, texts: Path) -> Iterator[Finding]:
    passages = measured_passages(texts, record.language)
    before = density_of(read_tokenizer_json(base), passages, scripts_of(record.language))
    after = characters_per_token(load(read_tokenizer_json(folder)), passages)
    what = "characters per token of the tokenizer"
    for name, claim, found in [
        (what, density.new, after),
        (f"before: {what}", density.base, before.characters),
        ("floor of characters per token", density.floor, before.floor),
    ]:
        reason = f"counts of {found.n} texts"
        yield number(name, claim.value, found.value, within=_EXACT * claim.value, reason=reason)
