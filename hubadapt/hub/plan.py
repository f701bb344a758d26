"""What a push would do: a pure function of the manifest, the names and what the Hub holds already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import yaml

from hubadapt.card import dataset_card, model_card, source_card
from hubadapt.card.cards import LICENCE_FILE, dataset_licence
from hubadapt.card.model_index import eval_results
from hubadapt.card.words import ENGLISH, card_languages, card_name
from hubadapt.lineage import Names
from hubadapt.manifest import list_files
from hubadapt.types import Artifact, FileEntry, Manifest

RepositoryType = Literal["model", "dataset"]
Source = tuple[Path, tuple[FileEntry, ...]]
"""A folder and its files."""

MAIN = "main"
_ALLOWED = (".safetensors", ".json", ".jinja", ".model", ".parquet", ".md", ".yaml", ".png", ".svg")
LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt", "NOTICE.md", "USE_POLICY.md")
"""Files that go with every copy of a model: Apache 2.0 §4 and the Llama licences §1.b ask for them."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub has it: git's hash, and sha256 where it is stored as a large file."""

    blob: str
    sha256: str | None


@dataclass(frozen=True)
class Remote:
    """What the Hub holds of one repository.

    Attributes:
        head: Commit sha of `main`; empty where the repository does not exist.
        files: Path → file.
    """

    head: str = ""
    files: Mapping[str, RemoteFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    """One file to publish: from disk, or its text."""

    path: str
    size: int
    sha256: str
    local: Path | None = None
    text: str = ""


@dataclass(frozen=True)
class RepositoryPlan:
    """One repository and the one commit it gets.

    Attributes:
        id: Hub id.
        type: Model or dataset.
        uploads: Every file it shall hold.
        message: Title of the commit.
        revision: Branch that gets it; made where it does not exist.
    """

    id: str
    type: RepositoryType
    uploads: tuple[Upload, ...]
    message: str
    revision: str = MAIN

    @property
    def size(self) -> int:
        """Bytes of all files: an upper bound of what travels."""
        return sum(upload.size for upload in self.uploads)


def plan_push(
    manifest: Manifest,
    run: Path,
    names: Names,
    *,
    sources: Mapping[str, Source],
    terms: Mapping[str, Source] | None = None,
    notes: str = "",
) -> list[RepositoryPlan]:
    """Everything that a push publishes, in an order in which links never dangle.

    Sources that exist only as folders come first, then datasets, then the models in the order they were made.

    Args:
        manifest: The run.
        run: The run folder.
        names: What things are called on the Hub.
        sources: Folder and files of each source that is local.
        terms: Folder and files of each source whose `LICENCE_FILES` are at hand; models made from it carry them on.
        notes: The owner's words for the cards.
    """
    plans = [
        RepositoryPlan(
            names[name],
            "model",
            (_text("README.md", source_card(manifest, name, names)), *_files(folder, files)),
            f"Source model {name} of {manifest.name}",
        )
        for name, (folder, files) in sources.items()
    ]
    artifacts, reports = manifest.artifacts(), report_files(manifest, run)
    plans += [
        _artifact_plan(artifact, run, names, _dataset_texts(manifest, artifact, names))
        for artifact in artifacts
        if artifact.kind == "dataset"
    ]
    plans += [
        _artifact_plan(artifact, run, names, (*model_texts(manifest, artifact, names, notes), *reports, *carry))
        for artifact in artifacts
        if artifact.kind == "model"
        for carry in [_licence_files(artifact, terms or {})]
    ]
    return plans


def folder_plan(id: str, folder: Path, beside: tuple[Upload, ...], *, revision: str) -> RepositoryPlan:
    """The plan for one model folder that no manifest lists, such as a trainer's checkpoint.

    Args:
        id: Hub id.
        folder: The model.
        beside: What goes with it: see `model_texts`.
        revision: Branch to publish it as.
    """
    taken = {upload.path for upload in beside}
    files = tuple(file for file in _files(folder, list_files(folder)) if file.path not in taken)
    return RepositoryPlan(id, "model", (*beside, *files), f"{revision} of {id.split('/')[-1]}", revision)


def changed(plan: RepositoryPlan, remote: Remote, blob_of: Mapping[str, str]) -> tuple[Upload, ...]:
    """The uploads that differ from what the Hub holds.

    Args:
        plan: What the repository shall hold.
        remote: What it holds.
        blob_of: Git's blob hash of each upload that is small enough to be a regular file, by path.
    """
    return tuple(upload for upload in plan.uploads if not _same(upload, remote.files.get(upload.path), blob_of))


def _same(upload: Upload, there: RemoteFile | None, blob_of: Mapping[str, str]) -> bool:
    if there is None:
        return False
    if there.sha256 is not None:
        return there.sha256 == upload.sha256
    return there.blob == blob_of.get(upload.path)


def _artifact_plan(artifact: Artifact, run: Path, names: Names, made: tuple[Upload, ...]) -> RepositoryPlan:
    kind: RepositoryType = "dataset" if artifact.kind == "dataset" else "model"
    uploads = (made[0], *_files(run / artifact.folder, artifact.files), *made[1:])
    return RepositoryPlan(names[artifact.name], kind, uploads, f"{artifact.name} of {names.manifest.name}")


def model_texts(manifest: Manifest, artifact: Artifact, names: Names, notes: str) -> tuple[Upload, ...]:
    """The card of a model, the same in the target language, and its results on benchmarks of the Hub."""
    cards = [
        _text(card_name(language), model_card(manifest, artifact, names, notes=notes, language=language))
        for language in _languages(manifest)
    ]
    results = eval_results(manifest, artifact)
    dumped = yaml.safe_dump(results, sort_keys=False, allow_unicode=True)
    return (*cards, *([_text(".eval_results/hubadapt.yaml", dumped)] if results else []))


def _dataset_texts(manifest: Manifest, artifact: Artifact, names: Names) -> tuple[Upload, ...]:
    """The card of a dataset, the same in the target language, and the licences of its rows where they are several."""
    cards = [
        _text(card_name(language), dataset_card(manifest, artifact, names, language=language))
        for language in _languages(manifest)
    ]
    licence = dataset_licence(manifest, artifact, names)
    return (*cards, *([_text(LICENCE_FILE, licence)] if licence else []))


def _languages(manifest: Manifest) -> tuple[str, ...]:
    return (ENGLISH, *(language for language in card_languages() if language == manifest.language))


def _files(folder: Path, files: tuple[FileEntry, ...]) -> tuple[Upload, ...]:
    return tuple(
        Upload(entry.path, entry.size, entry.sha256, local=folder / entry.path)
        for entry in files
        if (entry.path.endswith(_ALLOWED) or entry.path in LICENCE_FILES) and entry.path != "README.md"
    )


def _licence_files(artifact: Artifact, terms: Mapping[str, Source]) -> tuple[Upload, ...]:
    """Licence files of what a model is made from; those of its own source come before the base's of the same name."""
    taken = {"README.md", *(entry.path for entry in artifact.files)}
    found = {
        upload.path: upload
        for name in ("base", artifact.of)
        if name in terms
        for upload in _files(*terms[name])
        if upload.path in LICENCE_FILES and upload.path not in taken
    }
    return tuple(found.values())


def report_files(manifest: Manifest, run: Path) -> tuple[Upload, ...]:
    """What the cards of models show: the files of every report, each in a folder of its name."""
    return tuple(
        replace(upload, path=f"{artifact.name}/{upload.path}")
        for artifact in manifest.artifacts()
        if artifact.kind == "report"
        for upload in _files(run / artifact.folder, artifact.files)
    )


def _text(path: str, text: str) -> Upload:
    import hashlib

    data = text.encode()
    return Upload(path, len(data), hashlib.sha256(data).hexdigest(), text=text)
