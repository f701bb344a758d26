"""The cards of models, datasets and sources: which front matter, which template, what it is given."""

from __future__ import annotations

from typing import Any

from hubadapt.card.checklist import checklist
from hubadapt.card.citation import citation
from hubadapt.card.comparison import comparison, worse
from hubadapt.card.energy import consumption, emissions_front
from hubadapt.card.model_index import model_index
from hubadapt.card.notes import split_notes, with_own
from hubadapt.card.render import render
from hubadapt.card.words import ENGLISH, Words, card_languages, card_name
from hubadapt.hub_lists import hub_lists
from hubadapt.licence_terms import built_with, terms
from hubadapt.licences import strictest
from hubadapt.lineage import Names, parents
from hubadapt.types import Artifact, LicenceLink, Manifest
from hubadapt.usage import usage_snippet

LICENCE_FILE = "LICENSE.md"
# Kinds of licences that a dataset of such texts can only be published under by the owner's decision.
_BINDING = ("no derivatives", "unknown")
# Stages that touch no model's body; of stages that are not known here, the card does not know.
_ROWS_ALONE = ("corpus", "tokenizer", "embed", "pretrain", "propagate", "evaluate", "sample")
_WHOLE = ("continue", "finetune", "prefer")
"""Stages that train whole models, on nothing but texts of the licence chain."""


def model_card(
    manifest: Manifest, artifact: Artifact, names: Names, *, notes: str = "", language: str = ENGLISH
) -> str:
    """The card of one published model.

    Args:
        manifest: The run.
        artifact: A model of it.
        names: What things are called on the Hub.
        notes: The owner's own words, included untouched, with metadata of their own on top if they like.
        language: English, or a language of `card_languages`; the metadata stand in the English one alone.

    Raises:
        CardError: The notes' metadata cannot be read, or name a key that the card computes.
    """
    words, rows = Words(language), comparison(manifest, artifact)
    own, said = split_notes(notes)
    return render(
        "model_card.md.jinja",
        with_own(_model_front(manifest, artifact, names), own) if language == ENGLISH else None,
        words,
        manifest=manifest,
        artifact=artifact,
        names=names,
        notes=said,
        parents=parents(manifest, artifact),
        comparison=rows,
        worse=worse(rows),
        sample=_sample(manifest, artifact, names),
        replaced=any(record.facts.get("method") == "replace" for record in manifest.stages),
        others=_unknown(manifest),
        body_learnt=_body_learnt(manifest, artifact),
        links=model_links(manifest, artifact),
        decisions=_decisions(model_links(manifest, artifact), names),
        shown=built_with(manifest.license),
        consumption=consumption(manifest),
        checklist=checklist(manifest, artifact),
        citation=citation(manifest, artifact, names),
        languages=_languages(manifest, language),
    )


def _unknown(manifest: Manifest) -> list[str]:
    """Kinds of stages that may have read anything."""
    return [record.kind for record in manifest.stages if record.kind not in (*_ROWS_ALONE, *_WHOLE)]


def _body_learnt(manifest: Manifest, artifact: Artifact) -> bool:
    """Whether the body of a model may differ from its source's, by what was done until it was made."""
    place = next(place for place, record in enumerate(manifest.stages) if artifact in record.artifacts)
    trained = [made for record in manifest.stages[: place + 1] if record.kind in _WHOLE for made in record.artifacts]
    return bool(_unknown(manifest)) or any(other.of == artifact.of for other in trained)


def source_card(manifest: Manifest, name: str, names: Names) -> str:
    """The card of a source model that existed only as a folder and is published with the run."""
    ref = manifest.sources()[name]
    front = {
        "language": ["en"],
        **_licence_front(terms(ref.license).hub_id, ref.license, "LICENSE"),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["hubadapt"],
    }
    return render(
        "source_card.md.jinja", front, Words(), manifest=manifest, name=name, ref=ref, names=names,
        decision=next((link.decision for link in manifest.licences if link.names == (name,)), ""),
    )  # fmt: skip


def dataset_card(manifest: Manifest, artifact: Artifact, names: Names, *, language: str = ENGLISH) -> str:
    """The card of one published dataset, in English or a language of `card_languages`."""
    record = next(record for record in manifest.stages if artifact in record.artifacts)
    return render(
        "dataset_card.md.jinja",
        _dataset_front(record.facts["sources"]) if language == ENGLISH else None,
        Words(language),
        manifest=manifest,
        table=record.facts["sources"],
        licences=_licences_of(record.facts["sources"]),
        links=text_links(manifest),
        decisions=_decisions([link for link in text_links(manifest) if link.kinds[-1] in _BINDING], names),
        strictest=strictest(text_links(manifest)),
        record=record,
        repository=names[artifact.name],
        languages=_languages(manifest, language),
        licence_file=LICENCE_FILE,
    )


def dataset_licence(manifest: Manifest, artifact: Artifact, names: Names) -> str:
    """The file `LICENSE.md` of a dataset whose rows have a licence each; empty where one of the Hub's covers all."""
    record = next(record for record in manifest.stages if artifact in record.artifacts)
    if _dataset_front(record.facts["sources"])["license"] != "other":
        return ""
    return render(
        "dataset_licence.md.jinja", None, Words(), table=record.facts["sources"], repository=names[artifact.name]
    )


def model_links(manifest: Manifest, artifact: Artifact) -> list[LicenceLink]:
    """The links of the licence chain that a model has: its sources and the texts it was trained on."""
    own = ("base", artifact.of)
    return [link for link in manifest.licences if link.role == "trained on" or set(link.names) & set(own)]


def text_links(manifest: Manifest) -> list[LicenceLink]:
    """The links of the licence chain that a dataset has: all of its texts."""
    return [link for link in manifest.licences if link.role in ("trained on", "measured on")]


def _decisions(links: list[LicenceLink], names: Names) -> dict[str, list[str]]:
    """The owner's reasons, in their own words, with the licences or models that each covers."""
    found: dict[str, list[str]] = {}
    for link in links:
        if link.decision:
            about = link.license or names[link.names[0]]
            found.setdefault(" ".join(link.decision.split()), []).append(about)
    return {reason: list(dict.fromkeys(about)) for reason, about in found.items()}


def _model_front(manifest: Manifest, artifact: Artifact, names: Names) -> dict[str, Any]:
    index = model_index(manifest, artifact, names)
    return {
        "language": list(dict.fromkeys([manifest.language, "en"])),
        **_licence_front(manifest.license, manifest.license_name, manifest.license_link),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": names.base_models(artifact),
        "base_model_relation": "finetune",
        "datasets": [names[other.name] for other in manifest.artifacts() if other.kind == "dataset"],
        "tags": _tags(artifact),
        **emissions_front(manifest),
        **({"model-index": index} if index else {}),
    }


def _dataset_front(table: list[dict[str, Any]]) -> dict[str, Any]:
    licences = _licences_of(table)
    one = terms(licences[0]) if len(licences) == 1 else None
    return {
        "language": sorted({row["language"] for row in table}),
        **_licence_front(one.hub_id if one else "other", one.id if one else "mixed", LICENCE_FILE),
        "task_categories": ["text-generation"],
        "tags": ["hubadapt"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*"} for split in ("train", "test")],
            }
        ],
    }


def _licence_front(license: str, name: str, link: str) -> dict[str, Any]:
    """The metadata of a licence; a source without one says nothing, since nothing is known."""
    if license != "other" or not name:
        return {"license": license} if license in hub_lists().licenses and license != "other" else {}
    plain = "".join(
        letter if (letter.isascii() and letter.isalnum()) or letter in "-." else "-" for letter in name.lower()
    )
    return {"license": "other", "license_name": plain, "license_link": link}


def _licences_of(table: list[dict[str, Any]]) -> list[str]:
    """Licences of a dataset's rows, each once; spellings of one identifier count as one."""
    return sorted({terms(row["license"]).id: row["license"] for row in table}.values())


def _languages(manifest: Manifest, language: str) -> list[tuple[str, str]]:
    """The same card in other languages: what each is called, in itself, and its file."""
    there = [ENGLISH, *(code for code in card_languages() if code == manifest.language)]
    return [(Words(code).name(code), card_name(code)) for code in there if code != language]


def _tags(artifact: Artifact) -> list[str]:
    return ["hubadapt", "vocabulary-adaptation", "tokenizer-adaptation", *(["lep"] if artifact.of != "base" else [])]


def _sample(manifest: Manifest, artifact: Artifact, names: Names) -> dict[str, str] | None:
    for record in manifest.stages:
        sample = record.facts.get("samples", {}).get(artifact.name)
        if sample:
            code = usage_snippet(
                names[artifact.name],
                revision=names.revision(artifact.name),
                prompt=sample["prompt"],
                max_new_tokens=sample["max_new_tokens"],
                chat=sample["chat"],
            )
            return {"code": code, "output": sample["output"], "format": sample.get("format", "")}
    return None
