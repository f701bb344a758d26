"""One repository: a bare git repository and a small settings file, read and named; `committing` writes commits."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dulwich.objects import Blob, Commit, ObjectID, Tag
from dulwich.refs import Ref, check_ref_format
from dulwich.repo import Repo

from hubadapt.localhub import trees
from hubadapt.localhub.addresses import RepoId
from hubadapt.localhub.refusals import Refusal, missing_entry, missing_revision
from hubadapt.localhub.trees import BlobFacts, Entry

MAIN = "main"
_LONGEST_REF = 240
_HEX = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class Settings:
    """What git does not hold about a repository; `created` is Unix time."""

    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    created: int = 0


@dataclass(frozen=True)
class CommitInfo:
    """One commit of a history; `when` is Unix time."""

    sha: str
    author: str
    message: str
    when: int
    tree: str
    parents: tuple[str, ...]


class Repository:
    """One repository on disk.

    Args:
        address: Its id.
        folder: Its folder.
        lock: Held by whoever writes; shared by all objects that stand for this repository.
        facts: What is known of git blobs.
    """

    def __init__(self, address: RepoId, folder: Path, lock: threading.RLock, facts: BlobFacts) -> None:
        self.address = address
        self.folder = folder
        self.lock = lock
        self._facts = facts

    @contextmanager
    def git(self) -> Iterator[Repo]:
        """Open the git repository; each use opens its own, since dulwich's objects are not made for threads."""
        git = Repo(str(self.folder / "git"))
        try:
            yield git
        finally:
            git.close()

    @contextmanager
    def changing(self) -> Iterator[Repo]:
        """Open the git repository to write to it, one writer at a time."""
        with self.lock, self.git() as git:
            try:
                yield git
            except OSError:
                # Where a disk is full, dulwich leaves locks behind, which would stop every later writer.
                remove_locks(self.folder)
                raise

    # Settings

    def settings(self) -> Settings:
        """The settings as they are on disk."""
        return Settings(**json.loads((self.folder / "settings.json").read_text(encoding="utf-8")))

    def change_settings(self, **changes: object) -> None:
        """Change some of the settings."""
        with self.lock:
            write_settings(self.folder, replace(self.settings(), **changes))  # type: ignore[arg-type]

    # Revisions

    def commit_of(self, revision: str) -> str:
        """The full id of the commit that a branch, tag, full or short id, `HEAD` or `refs/...` name stands for.

        Raises:
            Refusal: There is none.
        """
        with self.git() as git:
            for name in _ref_names(revision):
                if (found := _peel(git, name)) is not None:
                    return found
            if _HEX.fullmatch(revision):
                matches = [oid for oid in git.object_store.iter_prefix(revision.encode()) if _is_commit(git, oid)]
                if len(set(matches)) == 1:
                    return str(matches[0].decode())
        raise missing_revision(revision)

    def branches(self) -> dict[str, str]:
        """Branch names and the commits they stand at."""
        return self._refs("refs/heads/")

    def tags(self) -> dict[str, str]:
        """Tag names and the commits they stand for."""
        return self._refs("refs/tags/")

    def pulls(self) -> dict[str, str]:
        """Numbers of pull requests and the commits they stand at."""
        return self._refs("refs/pr/")

    def set_ref(self, name: str, commit: str, overwrite: bool = False) -> None:
        """Make a branch (`refs/heads/...`), a tag (`refs/tags/...`) or the commits of a pull request (`refs/pr/N`).

        Raises:
            Refusal: It exists (409), or the name is not one git allows (400).
        """
        ref = checked_ref(name)
        with self.changing() as git:
            if not overwrite and git.refs.read_ref(ref) is not None:
                raise Refusal(409, f"Reference already exists: {name}")
            try:
                git.refs.set_if_equals(ref, None, ObjectID(commit.encode()))
            except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
                raise Refusal(409, f"{name} collides with a name that is part of it, or that it is part of") from error

    def delete_ref(self, name: str) -> None:
        """Delete a branch or tag.

        Raises:
            Refusal: It does not exist (404).
        """
        ref = checked_ref(name)
        with self.changing() as git:
            if git.refs.read_ref(ref) is None:
                raise missing_revision(name)
            git.refs.remove_if_equals(ref, None)

    def _refs(self, start: str) -> dict[str, str]:
        with self.git() as git:
            names = [ref.decode() for ref in git.refs.allkeys() if ref.startswith(start.encode())]
            found = {name.removeprefix(start): _peel(git, name) for name in names}
        return {name: sha for name, sha in sorted(found.items()) if sha is not None}

    # Reading

    def entry(self, commit: str, path: str) -> Entry | None:
        """The file or folder at a path of a commit, or None."""
        return self.entries_at(commit, [path]).get(path)

    def entries_at(self, commit: str, paths: Iterable[str]) -> dict[str, Entry]:
        """The files and folders at those paths of a commit where there is one."""
        with self.git() as git:
            tree = _tree_of(git, commit)
            found = {path: trees.look_up(git, tree, path, self._facts) for path in paths}
        return {path: entry for path, entry in found.items() if entry}

    def entries(self, commit: str, path: str = "", recursive: bool = True) -> list[Entry]:
        """The files and folders of a commit, or of one of its folders.

        Raises:
            Refusal: There is no such folder.
        """
        with self.git() as git:
            tree = _tree_of(git, commit)
            if path:
                folder = trees.look_up(git, tree, path, self._facts)
                if folder is None or not folder.is_folder:
                    raise missing_entry(path, commit)
                tree = ObjectID(folder.oid.encode())
            return list(trees.walk(git, tree, self._facts, recursive, path))

    def files(self, commit: str) -> list[Entry]:
        """All files of a commit."""
        return [entry for entry in self.entries(commit) if not entry.is_folder]

    def content(self, entry: Entry) -> bytes:
        """What git holds for a file: its content, or the pointer of a big one."""
        with self.git() as git:
            return trees.blob_content(git, entry.oid)

    def holds(self, content: bytes) -> bool:
        """Whether git holds this very content, in whatever commit."""
        with self.git() as git:
            return Blob.from_string(content).id in git.object_store

    def text(self, commit: str, path: str) -> str | None:
        """The content of a small text file, or None where there is none."""
        entry = self.entry(commit, path)
        if entry is None or entry.is_folder or entry.pointer:
            return None
        return self.content(entry).decode("utf-8", "replace")

    def commit_info(self, commit: str) -> CommitInfo:
        """Author, message and date of a commit."""
        with self.git() as git:
            return _info(_commit(git, commit))

    def history(self, commit: str, without: str | None = None) -> list[CommitInfo]:
        """A commit and those before it, newest first; without another and those before that one."""
        hidden = [ObjectID(without.encode())] if without else []
        with self.git() as git:
            walker = git.get_walker(include=[ObjectID(commit.encode())], exclude=hidden)
            return [_info(step.commit) for step in walker]

    def last_changes(self, commit: str, paths: list[str]) -> dict[str, CommitInfo]:
        """For each path the newest commit that changed it."""
        found: dict[str, CommitInfo] = {}
        with self.git() as git:
            for step in git.get_walker(include=[ObjectID(commit.encode())]):
                info = _info(step.commit)
                for path in [path for path in paths if path not in found]:
                    if self._id_at(git, info.sha, path) not in {self._id_at(git, sha, path) for sha in info.parents}:
                        found[path] = info
                if len(found) == len(paths):
                    break
        return found

    def _id_at(self, git: Repo, commit: str, path: str) -> str | None:
        entry = trees.look_up(git, _tree_of(git, commit), path, self._facts)
        return entry.oid if entry else None


def write_settings(folder: Path, settings: Settings) -> None:
    """Write the settings file of a repository, whole or not at all."""
    part = folder / "settings.json.part"
    part.write_text(json.dumps(asdict(settings)), encoding="utf-8")
    os.replace(part, folder / "settings.json")


def remove_locks(folder: Path) -> None:
    """Remove locks and half-received packs of the git repository in a folder; for the one who alone may write to it."""
    for pattern in ("*.lock", "objects/pack/tmp_pack_*"):
        for left in (folder / "git").rglob(pattern):
            left.unlink(missing_ok=True)


def new_settings(private: bool, sdk: str | None) -> Settings:
    """The settings of a repository that is made now."""
    return Settings(private=private, sdk=sdk, created=int(time.time()))


def _ref_names(revision: str) -> list[str]:
    if revision == "HEAD":
        return [f"refs/heads/{MAIN}"]
    if revision.startswith("refs/"):
        return [revision]
    return [f"refs/heads/{revision}", f"refs/tags/{revision}"]


def ref_named(name: str) -> Ref | None:
    """The reference of that full name, or None where git allows no such name, or disks none so long."""
    ref = Ref(name.encode("utf-8", "replace"))
    return ref if check_ref_format(ref) and len(ref) <= _LONGEST_REF else None


def checked_ref(name: str) -> Ref:
    """The reference of that full name, which could not be taken for a commit.

    Raises:
        Refusal: It is not a name for one (400).
    """
    short = name.split("/", 2)[2]
    ref = ref_named(name)
    if ref is None or short == "HEAD" or (_HEX.fullmatch(short) and len(short) == 40):
        raise Refusal(400, f"Not a valid name for a branch or tag: {short}")
    return ref


def _peel(git: Repo, name: str) -> str | None:
    ref = ref_named(name)
    if ref is None:
        return None
    try:
        oid = git.refs[ref]
    except (KeyError, OSError):
        return None
    found = git.object_store[oid]
    while isinstance(found, Tag):
        found = git.object_store[found.object[1]]
    return found.id.decode() if isinstance(found, Commit) else None


def _is_commit(git: Repo, oid: ObjectID) -> bool:
    return isinstance(git.object_store[oid], Commit)


def _commit(git: Repo, commit: str) -> Commit:
    found = git.object_store[ObjectID(commit.encode())]
    assert isinstance(found, Commit)
    return found


def _tree_of(git: Repo, commit: str) -> ObjectID:
    return _commit(git, commit).tree


def _info(commit: Commit) -> CommitInfo:
    author = commit.author.decode("utf-8", "replace").split(" <")[0]
    message = commit.message.decode("utf-8", "replace").rstrip("\n")
    parents = tuple(parent.decode() for parent in commit.parents)
    return CommitInfo(commit.id.decode(), author, message, int(commit.commit_time), commit.tree.decode(), parents)
