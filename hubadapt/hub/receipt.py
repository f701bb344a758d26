"""The receipt of a run: what went where, so that the next push knows what is ours and what others changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from hubadapt.errors import ManifestError
from hubadapt.lineage import MAIN
from hubadapt.manifest import write_atomic
from hubadapt.types import Noun

RECEIPT_NAME = "receipt.json"


class SentFile(Noun):
    """A file that was published.

    Attributes:
        there: What the Hub calls its content: sha256 of a large file, else git's blob hash.
        sha256: Of what the run publishes; for a card, without the owner's words.
    """

    there: str
    sha256: str


class Entry(Noun):
    """What is known of one branch of a repository, or of a collection.

    Attributes:
        endpoint: The Hub.
        type: `model`, `dataset`, `space` or `collection`.
        id: Hub id; a collection's slug.
        revision: Branch.
        name: Name of the source or artifact; a collection's title.
        commit: The commit that holds all of `files`; empty where the repository was made and nothing sent yet.
        files: What was published, by path.
        words: The owner's words on the Hub, by card.
    """

    endpoint: str
    type: str
    id: str
    revision: str = MAIN
    name: str = ""
    commit: str = ""
    files: dict[str, SentFile] = Field(default_factory=dict)
    words: dict[str, str] = Field(default_factory=dict)

    @property
    def address(self) -> str:
        """Hub id, with `@branch` where that is not `main`."""
        return self.id if self.revision == MAIN else f"{self.id}@{self.revision}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is an entry of; a collection is known by its owner and its title, since the Hub makes up its slug."""
        id = f"{self.id.split('/')[0]}/{self.name}" if self.type == "collection" else self.id
        return self.endpoint, self.type, id, self.revision


_ENTRIES = TypeAdapter(list[Entry])


@dataclass(frozen=True)
class Receipt:
    """The entries of a run folder, in the order they were first made.

    Attributes:
        run: The run folder.
        entries: What went where, to every Hub it was pushed to.
    """

    run: Path
    entries: tuple[Entry, ...] = ()

    def find(self, like: Entry) -> Entry | None:
        """The entry for the same repository and branch on the same Hub."""
        return next((entry for entry in self.entries if entry.key == like.key), None)

    def with_entry(self, entry: Entry) -> Receipt:
        """A receipt in which an entry takes the place of the one for the same repository; written to the run folder."""
        entries = {known.key: known for known in self.entries} | {entry.key: entry}
        changed = replace(self, entries=tuple(entries.values()))
        if changed.entries != self.entries:
            dumped = json.dumps([known.model_dump() for known in changed.entries], indent=1, ensure_ascii=False)
            write_atomic(self.run / RECEIPT_NAME, dumped + "\n")
        return changed


def read_receipt(run: Path) -> Receipt:
    """The receipt of a run folder; empty where nothing was pushed from it.

    Raises:
        ManifestError: The file is damaged.
    """
    path = run / RECEIPT_NAME
    try:
        return Receipt(run, tuple(_ENTRIES.validate_json(path.read_bytes())))
    except FileNotFoundError:
        return Receipt(run)
    except ValidationError as error:
        raise ManifestError(
            f"{path} is damaged: {error.errors()[0]['msg']}.",
            "Delete it, and push again: what is on the Hub already is not sent twice.",
        ) from error
