"""The run a user's model came from: its manifest, and what of it is on the Hub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hubadapt.hub.plan import Upload, model_texts, report_files
from hubadapt.hub.publish import NOTES_NAME, RECEIPT_NAME
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
        ids: Hub id of each artifact that was pushed, by name.
    """

    folder: Path
    manifest: Manifest
    ids: dict[str, str]

    @staticmethod
    def read(folder: Path) -> OwnRun:
        """Read a run folder.

        Raises:
            ManifestError: It holds no manifest, or a damaged one.
        """
        manifest = read_manifest(folder)
        receipt = folder / RECEIPT_NAME
        pushed = json.loads(receipt.read_text(encoding="utf-8")) if receipt.is_file() else []
        known = {entry["id"] for entry in pushed}
        owners = {entry["id"].split("/")[0] for entry in pushed}
        ids = {
            made.name: Names(manifest, owner)[made.name]
            for owner in owners
            for made in manifest.artifacts()
            if Names(manifest, owner)[made.name] in known
        }
        return OwnRun(folder, manifest, ids)

    def beside(self, training: Training, folder: Path, repository: str) -> tuple[Upload, ...]:
        """What goes with a model that a trainer made of the run's: its cards, and the pictures that they show.

        Args:
            training: The trainer's arguments and state.
            folder: Where the trained model lies.
            repository: Hub id it is published under.
        """
        manifest = with_training(self.manifest, training, folder, published=frozenset(self.ids))
        names = Names(manifest, repository.split("/")[0], {**self.ids, ARTIFACT: repository})
        artifact = next(made for made in manifest.artifacts() if made.name == ARTIFACT)
        notes = self.folder / NOTES_NAME
        words = notes.read_text(encoding="utf-8") if notes.is_file() else ""
        return (*model_texts(manifest, artifact, names, words), *report_files(self.manifest, self.folder))
