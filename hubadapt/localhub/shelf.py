"""All repositories of a data folder: make, find, list and delete them."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from dulwich.repo import Repo

from hubadapt.localhub.addresses import KINDS, RepoId, is_name
from hubadapt.localhub.attributes import DEFAULT
from hubadapt.localhub.committing import first_commit
from hubadapt.localhub.refusals import Refusal, missing_repository
from hubadapt.localhub.repository import MAIN, Repository, Settings, remove_locks, write_settings
from hubadapt.localhub.trees import BlobFacts


class Shelf:
    """The repositories of one data folder.

    Args:
        root: Folder of the repositories.
        incoming: Folder for repositories being made or deleted, on the same file system.
    """

    def __init__(self, root: Path, incoming: Path) -> None:
        self._root = root
        self._incoming = incoming
        self._locks: dict[RepoId, threading.RLock] = defaultdict(threading.RLock)
        self._locks_lock = threading.Lock()
        self._facts = BlobFacts()
        for plural in KINDS:
            (root / plural).mkdir(parents=True, exist_ok=True)

    def find(self, address: RepoId) -> Repository | None:
        """The repository of that name, or None."""
        folder = self._folder(address)
        if not (folder / "settings.json").is_file():
            return None
        with self._locks_lock:
            lock = self._locks[address]
        return Repository(address, folder, lock, self._facts)

    def create(self, address: RepoId, settings: Settings, author: str) -> Repository:
        """Make a repository with its first commit.

        Raises:
            Refusal: There is one of that name (409).
        """
        # Made aside and moved into place, so that it exists wholly or not at all.
        part = Path(tempfile.mkdtemp(dir=self._incoming))
        try:
            _make(part, settings, author)
            folder = self._folder(address)
            folder.parent.mkdir(exist_ok=True)
            os.rename(part, folder)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            if self.find(address):
                raise Refusal(409, f"You already created this {address.kind} repo: {address.full_name}") from None
            raise
        found = self.find(address)
        assert found is not None
        return found

    def delete(self, address: RepoId) -> None:
        """Delete a repository; big files stay, since others may name them.

        Raises:
            Refusal: There is none of that name (404).
        """
        repository = self.find(address)
        if repository is None:
            raise missing_repository(address.full_name)
        with repository.lock:
            grave = Path(tempfile.mkdtemp(dir=self._incoming))
            try:
                os.rename(repository.folder, grave / "gone")
            except FileNotFoundError:
                raise missing_repository(address.full_name) from None
        shutil.rmtree(grave, ignore_errors=True)

    def all(self, plural: str) -> Iterator[Repository]:
        """All repositories of a kind, by name."""
        for folder in sorted((self._root / plural).glob("*/*")):
            if is_name(folder.name) and is_name(folder.parent.name):
                found = self.find(RepoId(plural, folder.parent.name, folder.name))
                if found:
                    yield found

    def namespaces(self) -> list[str]:
        """All namespaces that hold a repository."""
        return sorted({repository.address.namespace for plural in KINDS for repository in self.all(plural)})

    def remove_stale_locks(self) -> None:
        """Remove the lock files of a server that was killed; only for the one who alone serves the folder."""
        for folder in self._root.glob("*/*/*"):
            remove_locks(folder)

    def _folder(self, address: RepoId) -> Path:
        return self._root / address.plural / address.namespace / address.name


def _make(folder: Path, settings: Settings, author: str) -> None:
    git = Repo.init_bare(str(folder / "git"), mkdir=True, default_branch=MAIN.encode())
    try:
        # A branch is always flushed to disk; what it names must be as well.
        config = git.get_config()
        config.set((b"core",), b"fsyncObjectFiles", True)
        config.write_to_path()
        first_commit(git, MAIN, author, {".gitattributes": DEFAULT.encode()})
    finally:
        git.close()
    write_settings(folder, settings)
