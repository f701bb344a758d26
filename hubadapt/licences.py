"""The licence chain of a run: what its models and texts are under, and whether the run may be published as it says.

A pure function of facts: licences that cards and rows name, and decisions that the owner wrote down. It is
conservative, it is no legal advice, and it never guesses: what is missing or does not fit stays open until the owner
mends or decides it. Two rules carry it. Weights made from a model follow that model's licence, since they are
derivatives of it. Texts bind the dataset that republishes them; whether they bind a model trained on them is disputed,
so that with anything stricter than a permissive licence the owner decides, with a reason that the card prints.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hubadapt.errors import LicenceError, UserError
from hubadapt.hub_lists import hub_lists, near_miss
from hubadapt.licence_terms import STRICTNESS, Terms, first_words, fits, terms
from hubadapt.types import LicenceLink, Manifest, ModelRef

_SHOWN = 3
_READERS = ("corpus", "finetune", "prefer")
"""Stages that read texts; `sources` of their facts has the licences."""


@dataclass(frozen=True)
class Text:
    """Texts of one source under one licence.

    Attributes:
        source: As their rows name it.
        license: As their rows name it.
        trained: Whether models are trained on any of them.
    """

    source: str
    license: str
    trained: bool


@dataclass(frozen=True)
class Declared:
    """What the recipe says.

    Attributes:
        name: Name of the run, with which names of its models begin.
        license: Licence of what is published, as a Hub identifier, or its name where that is `other`.
        decisions: Reasons, by the source (`base`, a sibling's name, a text's source) or the licence that they cover.
    """

    name: str
    license: str
    decisions: Mapping[str, str] = field(default_factory=dict)

    def decision(self, names: Iterable[str], licence: str) -> str:
        """The reason that covers a source or a licence; empty where none does."""
        keys = [*names, licence, licence.lower(), terms(licence).id]
        return next((self.decisions[key] for key in keys if key in self.decisions), "")


def licence_chain(declared: Declared, models: Mapping[str, ModelRef], texts: Iterable[Text]) -> tuple[LicenceLink, ...]:
    """Every link of the chain: the models by name, then the texts by licence, those trained on first.

    Args:
        declared: What the recipe says.
        models: The models the run starts from, `base` and the siblings by name.
        texts: Its texts; the order does not matter.
    """
    groups: dict[tuple[bool, str, str], list[str]] = defaultdict(list)
    for text in texts:
        decided = declared.decision([text.source], text.license)
        groups[not text.trained, text.license, decided].append(text.source)
    links = [_model_link(declared, name, model) for name, model in models.items()]
    links += [
        _text_link(declared, tuple(sorted(set(sources))), licence, decided, trained=not measured)
        for (measured, licence, decided), sources in sorted(groups.items())
    ]
    return tuple(links)


def chain_of(manifest: Manifest) -> tuple[LicenceLink, ...]:
    """The licence chain of a run from what its manifest holds of models, texts and decisions."""
    declared = Declared(manifest.name, manifest.license_name or manifest.license, manifest.license_decisions)
    rows = [row for record in manifest.stages if record.kind in _READERS for row in record.facts.get("sources", ())]
    texts = [Text(row["source"], row["license"], bool(row.get("train_documents"))) for row in rows]
    return licence_chain(declared, manifest.sources(), texts)


def open_questions(links: Iterable[LicenceLink], decisions: Mapping[str, str] | None = None) -> list[UserError]:
    """What keeps a run from being published.

    Args:
        links: The chain.
        decisions: The owner's; one that covers nothing is an error, since it was meant to cover something.
    """
    links = list(links)
    errors: list[UserError] = [LicenceError(link.problem, link.hint) for link in links if link.problem]
    names = {name for link in links for name in (*link.names, link.license, terms(link.license).id)} - {""}
    for key in decisions or ():
        if key not in names and key.lower() not in {name.lower() for name in names}:
            near = near_miss(key, names)
            errors.append(
                LicenceError(
                    f"license_decisions names {key!r}, which is neither a source nor a licence of this run.",
                    f"Did you mean {near!r}?" if near else "Remove it; `hubadapt check` lists what is open.",
                )
            )
    return errors


def strictest(links: Iterable[LicenceLink]) -> tuple[LicenceLink, ...]:
    """The links of the strictest kind among all, in order; none of none."""
    links = tuple(links)
    ranks = [STRICTNESS.index(terms(link.license).kind) for link in links]
    return tuple(link for link, rank in zip(links, ranks, strict=True) if rank == max(ranks))


def _model_link(declared: Declared, name: str, model: ModelRef) -> LicenceLink:
    found, own = terms(model.license), terms(declared.license)
    decision = declared.decision([name], model.license)
    what = f"the {'base' if name == 'base' else f'sibling {name}'} {model.id}"
    problem, hint = ("", "") if decision else _model_problem(what, name, found, own)
    begin = first_words(found.id)
    if not problem and not decision and begin and not declared.name.lower().startswith(begin):
        problem = f"{what} is under {found.id}, which lets models made from it only have names that begin with {begin}."
        hint = f"Rename the run: `name: {begin}-{declared.name}` in the recipe."
    return LicenceLink(
        names=(name,), role="base" if name == "base" else "sibling", license=model.license, kinds=found.kinds,
        asks=found.asks, decision=decision, problem=problem, hint=hint,
    )  # fmt: skip


def _model_problem(what: str, name: str, found: Terms, own: Terms) -> tuple[str, str]:
    decide = _decide(name)
    if not found.id:
        return f"{what} names no licence.", f"Write `license:` between --- lines into its README.md, or {decide}"
    if fits(own, found):
        return "", ""
    if found.kind == "unknown":
        near = near_miss(found.id, hub_lists().licenses)
        meant = f"If it is {near}, write that into its README.md; else {decide}" if near else decide
        return f"{what} is under {found.id!r}, of which hubadapt knows nothing.", _sentence(meant)
    if found.kind == "no derivatives":
        return f"{what} is under {found.id}, which lets nothing made from it be published.", _sentence(decide)
    return (
        f"{what} is under {found.id} ({found.kind}), which does not become {own.id or 'nothing'}.",
        f"Write `license: {found.hub_id}` into the recipe, or {decide}",
    )


def _text_link(
    declared: Declared, sources: tuple[str, ...], licence: str, decision: str, *, trained: bool
) -> LicenceLink:
    found = terms(licence)
    problem, hint = ("", "") if decision else _text_problem(declared, sources, found, trained)
    return LicenceLink(
        names=sources, role="trained on" if trained else "measured on", license=licence, kinds=found.kinds,
        asks=found.asks, decision=decision, problem=problem, hint=hint,
    )  # fmt: skip


def _text_problem(declared: Declared, sources: tuple[str, ...], found: Terms, trained: bool) -> tuple[str, str]:
    more = len(sources) - _SHOWN
    named = ", ".join(sources[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    decide = _decide(found.id or sources[0])
    if found.kind == "unknown":
        near = near_miss(found.id, hub_lists().licenses)
        return (
            f"the text of {named} is under {found.id!r}, of which hubadapt knows nothing.",
            (f"If it is {near}, name it so in its rows; else " if near else "Leave it out, or ") + decide,
        )
    if found.kind == "no derivatives":
        return (
            f"the text of {named} is under {found.id}: nothing made from it may be published.",
            f"Leave it out, or {decide}",
        )
    if not trained or fits(terms(declared.license), found):
        return "", ""
    return (
        f"models are trained on text of {named} under {found.id} ({found.kind}), and published as {declared.license}.",
        f"Leave it out, choose a licence that fits, or {decide}",
    )


def _decide(key: str) -> str:
    quoted = key if re.fullmatch(r"[\w.+-]+", key) else json.dumps(key, ensure_ascii=False)
    return f'record your decision in the recipe: `license_decisions: {{{quoted}: "your reason"}}`.'


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
