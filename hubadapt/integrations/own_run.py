"""The run a user's model came from: its manifest, and what of it is on the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hubadapt.hub.draft import NOTES_NAME
from hubadapt.hub.plan import Upload, model_texts, report_files
from hubadapt.hub.receipt import read_receipt
from hubadapt.integrations.training_record import ARTIFACT, Training, with_training
from hubadapt.lineage import Names
from hubadapt.manifest import read_manifest
from hubadapt.types import Manifest


@dataclass(frozen=True)
class OwnRun:
    """A run folder, read once, before training begins.

    Attributes:
        folder: The run folder.
        manifest: What it holds.
        addresses: Where each artifact that was pushed lies, by name: `owner/name`, or `owner/name@branch`.
    """

    folder: Path
    manifest: Manifest
    addresses: dict[str, str]

    @staticmethod
    def read(folder: Path) -> OwnRun:
        """Read a run folder.

        Raises:
            ManifestError: It holds no manifest, or its manifest or its receipt is damaged.
        """
        manifest = read_manifest(folder)
        made = {artifact.name: artifact.kind for artifact in manifest.artifacts()}
        entries = read_receipt(folder).entries
        pushed = [entry for entry in entries if entry.commit and made.get(entry.name) == entry.type]
        return OwnRun(folder, manifest, {entry.name: entry.address for entry in pushed})

    def beside(self, training: Training, folder: Path, repository: str) -> tuple[Upload, ...]:
        """What goes with a model that a trainer made of the run's: its cards, and the pictures that they show.

        Args:
            training: The trainer's arguments and state.
            folder: Where the trained model lies.
            repository: Hub id it is published under.
        """
        manifest = with_training(self.manifest, training, folder, published=frozenset(self.addresses))
        return self.texts(manifest, ARTIFACT, repository)

    def texts(self, manifest: Manifest, name: str, repository: str) -> tuple[Upload, ...]:
        """The cards of an artifact that is published for itself, and the pictures that they show.

        Args:
            manifest: The run's, with what made the artifact.
            name: The artifact's.
            repository: Hub id it is published under.
        """
        names = Names(manifest, repository.split("/")[0], given={**self.addresses, name: repository})
        artifact = next(made for made in manifest.artifacts() if made.name == name)
        notes = self.folder / NOTES_NAME
        words = notes.read_text(encoding="utf-8") if notes.is_file() else ""
        return (*model_texts(manifest, artifact, names, words), *report_files(self.manifest, self.folder))
