"""Files and folders of a commit, as the Hub lists them."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from dulwich.object_store import iter_tree_contents, tree_lookup_path
from dulwich.objects import Blob, ObjectID, Tree
from dulwich.repo import Repo

from hubadapt.localhub import pointers
from hubadapt.localhub.pointers import Pointer


@dataclass(frozen=True)
class Entry:
    """A file or folder: its path, git id, size in bytes, and the pointer where it is a big file.

    `stored` is the size of the git blob itself, which for a big file is that of the pointer.
    """

    path: str
    oid: str
    is_folder: bool = False
    stored: int = 0
    pointer: Pointer | None = None

    @property
    def size(self) -> int:
        """Size of the content in bytes; 0 for a folder."""
        return self.pointer.size if self.pointer else self.stored

    @property
    def etag(self) -> str:
        """What names the content: the sha256 of a big file, the git id of any other."""
        return self.pointer.sha256 if self.pointer else self.oid


class BlobFacts:
    """Remembers size and pointer of git blobs; ids name content, so that nothing can become stale."""

    _MAX = 200_000

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Pointer | None]] = {}
        self._lock = threading.Lock()

    def of(self, git: Repo, oid: ObjectID) -> tuple[int, Pointer | None]:
        """Size of a blob, and the pointer that it is or None."""
        text = oid.decode()
        with self._lock:
            if text in self._known:
                return self._known[text]
        blob = git.object_store[oid]
        content = blob.as_raw_string()
        facts = (len(content), pointers.parse(content))
        with self._lock:
            if len(self._known) >= self._MAX:
                self._known.clear()
            self._known[text] = facts
        return facts


def walk(git: Repo, tree: ObjectID, facts: BlobFacts, recursive: bool, base: str = "") -> Iterator[Entry]:
    """All entries under a tree, folders included, in the order of git; `base` is the path of the tree itself."""
    store = git.object_store
    found = iter_tree_contents(store, tree, include_trees=True) if recursive else _tree(git, tree).iteritems()
    for item in found:
        if not item.path or item.sha is None or item.mode is None:
            continue
        path = item.path.decode("utf-8", "replace")
        yield _entry(git, f"{base}/{path}" if base else path, item.mode, item.sha, facts)


def look_up(git: Repo, tree: ObjectID, path: str, facts: BlobFacts) -> Entry | None:
    """The entry at a path, or None."""
    try:
        mode, oid = tree_lookup_path(git.object_store.__getitem__, tree, path.encode())
    except (KeyError, ValueError, AttributeError):
        # dulwich answers KeyError for an absent name, and one of the others for a path that goes through a file.
        return None
    return _entry(git, path, mode, ObjectID(bytes(oid)), facts)


def _entry(git: Repo, path: str, mode: int, oid: ObjectID, facts: BlobFacts) -> Entry:
    if stat.S_ISDIR(mode):
        return Entry(path, oid.decode(), is_folder=True)
    size, pointer = facts.of(git, oid)
    return Entry(path, oid.decode(), stored=size, pointer=pointer)


def _tree(git: Repo, oid: ObjectID) -> Tree:
    found = git.object_store[oid]
    if not isinstance(found, Tree):
        raise KeyError(oid)
    return found


def blob_content(git: Repo, oid: str) -> bytes:
    """The content of a git blob."""
    blob = git.object_store[ObjectID(oid.encode())]
    assert isinstance(blob, Blob)
    return bytes(blob.data)
