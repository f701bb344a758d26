"""What a run folder would publish, after checking that it may be published, and would be taken, as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from hubadapt.card.metadata import card_problems, record_problems
from hubadapt.errors import CardError, HubError, ManifestError, UserError, raise_all
from hubadapt.hashes import remembered
from hubadapt.hub.collection import CollectionPlan, plan_collection
from hubadapt.hub.fetch import cached_folder, source_folder
from hubadapt.hub.ids import id_problems
from hubadapt.hub.plan import LICENCE_FILES, RepositoryPlan, Source, plan_push
from hubadapt.hub.secrets import secrets_in_files, secrets_in_notes, secrets_in_record
from hubadapt.licences import open_questions
from hubadapt.lineage import Layout, Names
from hubadapt.manifest import HashOf, damage, file_entry, list_files, read_manifest, write_atomic
from hubadapt.types import Manifest

NOTES_NAME = "notes.md"


@dataclass(frozen=True)
class Draft:
    """A run folder, read once; what it publishes is a pure function of these values and of what is on the Hub already.

    Attributes:
        run: The run folder.
        manifest: What it holds.
        names: What things are called on the Hub.
        sources: Folder and files of each source that is local.
        terms: Folder and licence files of each source.
        notes: The owner's words for the cards.
    """

    run: Path
    manifest: Manifest
    names: Names
    sources: Mapping[str, Source] = field(default_factory=dict)
    terms: Mapping[str, Source] = field(default_factory=dict)
    notes: str = ""

    @cached_property
    def plans(self) -> list[RepositoryPlan]:
        """The repositories, in the order they are published, as far as is known before any of them exists."""
        return self.plans_after({}, "")

    def plans_after(self, commits: Mapping[str, str], collection: str) -> list[RepositoryPlan]:
        """The repositories once some of them are on the Hub.

        Args:
            commits: Commit of each artifact that is there, which cards name.
            collection: Slug of the run's collection; empty while there is none.
        """
        names = replace(self.names, commits=commits, collection=collection)
        return plan_push(self.manifest, self.run, names, sources=self.sources, terms=self.terms, notes=self.notes)

    @cached_property
    def collection(self) -> CollectionPlan:
        """What ties them together."""
        return plan_collection(self.manifest, self.names, self.plans)


def prepare(run: Path, namespace: str, layout: Layout = "repositories") -> Draft:
    """What a run folder publishes, after checking that it may be published, and would be taken, as it is.

    Args:
        run: The run folder.
        namespace: User or organisation to publish under.
        layout: How models are laid out.

    Raises:
        ManifestError: The manifest, a file it names or a local source is missing or damaged.
        LicenceError: A licence is missing, or does not allow what is to be published.
        CardError: A card says what a Hub would refuse, or something else than the files beside it.
        HubError: What looks like a secret would be published.
    """
    found = draft(run, namespace, layout)
    if not found.manifest.licences:
        raise ManifestError(
            f"the record of {run} holds no licence chain.", f"Bring it up to date: hubadapt run RECIPE.yaml --out {run}"
        )
    raise_all(open_questions(found.manifest.licences, found.manifest.license_decisions))
    raise_all(id_problems([plan.id for plan in found.plans], namespace))
    raise_all(_doubles(found.plans))
    raise_all(secrets_in_files(found.plans))
    raise_all([error for plan in found.plans for error in _card_errors(plan, found.manifest)])
    return found


def draft(run: Path, namespace: str, layout: Layout = "repositories") -> Draft:
    """What a run folder publishes as `prepare` gives it, whether or not licences and cards let it be published.

    Args:
        run: The run folder.
        namespace: User or organisation to publish under.
        layout: How models are laid out.

    Raises:
        ManifestError: The manifest, a file it names or a local source is missing or damaged.
        HubError: What looks like a secret would be published.
    """
    manifest = read_manifest(run)
    with remembered(run) as hash_of:
        for artifact in manifest.artifacts():
            wrong = damage(run, artifact, hash_of=hash_of)
            if wrong:
                raise ManifestError(
                    f"the run {run} is damaged: {wrong}.",
                    f"Run the recipe again: hubadapt run RECIPE.yaml --out {run}",
                )
        sources = _local_sources(manifest, run, hash_of)
    notes = run / NOTES_NAME
    words = notes.read_text(encoding="utf-8") if notes.is_file() else ""
    raise_all([*secrets_in_record(manifest, run), *secrets_in_notes(notes, words)])
    names = Names(manifest, namespace, layout)
    return Draft(run, manifest, names, sources, sources | _terms(manifest), words)


def write_cards(found: Draft) -> list[Path]:
    """Write the cards of every repository to `cards/` in the run folder, with the pictures that they show."""
    written = []
    for plan in found.plans:
        name = plan.address.split("/")[-1].replace("@", "-")
        cards = {upload.path: upload.text for upload in plan.uploads if upload.path.startswith("README")}
        for path, card in cards.items():
            written.append(found.run / "cards" / path.replace("README", name, 1))
            write_atomic(written[-1], card)
        for upload in plan.uploads:
            if upload.local and f"]({upload.path})" in cards["README.md"]:
                write_atomic(found.run / "cards" / upload.path, upload.local.read_bytes())
    return written


def _local_sources(manifest: Manifest, run: Path, hash_of: HashOf) -> dict[str, Source]:
    folders = {name: source_folder(ref, run, hash_of) for name, ref in manifest.sources().items() if ref.local}
    return {name: (folder, list_files(folder, hash_of)) for name, folder in folders.items()}


def _terms(manifest: Manifest) -> dict[str, Source]:
    """Licence files of the sources on the Hub, as the run brought them into the Hub's cache; nothing is downloaded."""
    folders = {name: cached_folder(ref) for name, ref in manifest.sources().items() if not ref.local}
    return {
        name: (folder, tuple(file_entry(folder, path) for path in LICENCE_FILES if (folder / path).is_file()))
        for name, folder in folders.items()
        if folder is not None
    }


def _doubles(plans: list[RepositoryPlan]) -> list[UserError]:
    """What would be published where something else is, as a sibling named `source-base` beside the source `base`."""
    owner = {(plan.type, plan.address): plan.name for plan in reversed(plans)}
    return [
        HubError(
            f"{owner[plan.type, plan.address]} and {plan.name} would both be published as {plan.address}.",
            "Give one of them another name in the recipe, or use the other --layout.",
        )
        for plan in plans
        if owner[plan.type, plan.address] != plan.name
    ]


def _card_errors(plan: RepositoryPlan, manifest: Manifest) -> list[UserError]:
    """What is wrong with the cards of one repository, which each error names."""
    files = {upload.path: upload for upload in plan.uploads}
    path = files["config.json"].local if "config.json" in files else None
    config = json.loads(path.read_text(encoding="utf-8")) if path else {}
    errors = card_problems(files["README.md"].text, plan.type, files=files.keys(), config=config)
    made = next((made for made in manifest.artifacts() if made.kind == plan.type and made.name == plan.name), None)
    record = record_problems(manifest, made, config) if made and plan.type == "model" else []
    own = f"the card of {plan.address}"
    return [*(CardError(error.problem.replace("the card", own, 1), error.hint) for error in errors), *record]
