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
from hubadapt.hub.checksums import CHECKSUMS, checksums
from hubadapt.hub.owner_words import with_room
from hubadapt.hub.space import space_files
from hubadapt.lineage import MAIN, Names
from hubadapt.manifest import MANIFEST_NAME, hash_bytes, list_files
from hubadapt.types import Artifact, FileEntry, Manifest

RepositoryType = Literal["model", "dataset", "space"]
Source = tuple[Path, tuple[FileEntry, ...]]
"""A folder and its files."""

_ALLOWED = (".safetensors", ".json", ".jinja", ".model", ".parquet", ".md", ".yaml", ".png", ".svg")
LICENCE_FILES = (
    *(name + end for name in ("LICENSE", "LICENCE", "COPYING", "NOTICE") for end in ("", ".txt", ".md")),
    "USE_POLICY.md",
)
"""Files that go with every copy of a model: Apache 2.0 §4 and the Llama licences §1.b ask for them."""
# What a trainer keeps for itself: names of this machine's folders, among other things.
_NEVER = ("README.md", "trainer_state.json")


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub has it: git's hash, and sha256 where it is stored as a large file."""

    blob: str
    sha256: str | None

    @property
    def content(self) -> str:
        """The hash that changes with its content."""
        return self.sha256 or self.blob


@dataclass(frozen=True)
class Remote:
    """What the Hub holds of one branch of a repository.

    Attributes:
        head: Its commit sha; empty where it does not exist.
        files: Path → file.
        private: Whether the repository is.
    """

    head: str = ""
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    private: bool = False


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
    """One branch of a repository, and the one commit it gets.

    Attributes:
        name: Name of the source or artifact; of the Space, `compare`.
        id: Hub id.
        type: Model, dataset or Space.
        uploads: Every file it shall hold.
        message: Title of the commit.
        revision: Branch that gets it; made where it does not exist.
    """

    name: str
    id: str
    type: RepositoryType
    uploads: tuple[Upload, ...]
    message: str
    revision: str = MAIN

    @property
    def address(self) -> str:
        """Hub id, with `@branch` where that is not `main`."""
        return self.id if self.revision == MAIN else f"{self.id}@{self.revision}"

    @property
    def page(self) -> str:
        """Its address on the Hub, without the Hub."""
        branch = "" if self.revision == MAIN else f"/tree/{self.revision}"
        return f"/{'' if self.type == 'model' else self.type + 's/'}{self.id}{branch}"

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

    Sources that exist only as folders come first, then datasets, then the models in the order they were made, which is
    forms of the base before siblings, then the Space that compares them.

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
            name,
            names[name],
            "model",
            (_card("README.md", source_card(manifest, name, names)), *_files(folder, files)),
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
    return [*plans, *_space_plans(manifest, names)]


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
    return RepositoryPlan(revision, id, "model", (*beside, *files), f"{revision} of {id.split('/')[-1]}", revision)


def _artifact_plan(artifact: Artifact, run: Path, names: Names, made: tuple[Upload, ...]) -> RepositoryPlan:
    kind: RepositoryType = "dataset" if artifact.kind == "dataset" else "model"
    own = _files(run / artifact.folder, artifact.files)
    sums = [_text(CHECKSUMS, checksums({upload.path: upload.sha256 for upload in own}))] if kind == "model" else []
    uploads = (made[0], *own, *made[1:], *sums)
    message = f"{artifact.name} of {names.manifest.name}"
    return RepositoryPlan(artifact.name, names[artifact.name], kind, uploads, message, names.revision(artifact.name))


def _space_plans(manifest: Manifest, names: Names) -> list[RepositoryPlan]:
    texts = space_files(manifest, names)
    uploads = tuple(_card(path, text) if path == "README.md" else _text(path, text) for path, text in texts.items())
    return [RepositoryPlan("compare", names.space, "space", uploads, f"Comparison of {manifest.name}")] if texts else []


def model_texts(manifest: Manifest, artifact: Artifact, names: Names, notes: str) -> tuple[Upload, ...]:
    """The card of a model, the same in the target language, the run's record, and results on benchmarks of the Hub."""
    cards = [
        _card(card_name(language), model_card(manifest, artifact, names, notes=notes, language=language))
        for language in _languages(manifest)
    ]
    results = eval_results(manifest, artifact)
    dumped = yaml.safe_dump(results, sort_keys=False, allow_unicode=True)
    record = _text(MANIFEST_NAME, manifest.model_dump_json(indent=2) + "\n")
    return (*cards, record, *([_text(".eval_results/hubadapt.yaml", dumped)] if results else []))


def _dataset_texts(manifest: Manifest, artifact: Artifact, names: Names) -> tuple[Upload, ...]:
    """The card of a dataset, the same in the target language, and the licences of its rows where they are several."""
    cards = [
        _card(card_name(language), dataset_card(manifest, artifact, names, language=language))
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
        if (entry.path.endswith(_ALLOWED) or entry.path in LICENCE_FILES) and entry.path not in _NEVER
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


def _card(path: str, text: str) -> Upload:
    return _text(path, with_room(text))


def _text(path: str, text: str) -> Upload:
    data = text.encode()
    return Upload(path, len(data), hash_bytes(data), text=text)
