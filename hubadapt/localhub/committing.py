"""Writing commits: objects first, the branch last, one writer per repository at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dulwich.index import commit_tree
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from hubadapt.localhub.attributes import with_lfs_paths
from hubadapt.localhub.changes import Change, apply
from hubadapt.localhub.refusals import Refusal, missing_revision
from hubadapt.localhub.repository import Repository, ref_named

_FILE = 0o100644
_STALE = "A commit has happened since. Please refresh and try again."


@dataclass(frozen=True)
class Proposal:
    """A commit that somebody asks for; `parent` is the head they saw, or None where they do not care."""

    author: str
    message: str
    changes: Sequence[Change]
    parent: str | None = None


def add_blob(repository: Repository, content: bytes) -> str:
    """Store content in git and return its id; nothing refers to it yet."""
    # One at a time, because dulwich refuses to write an object that another thread is writing.
    with repository.changing() as git:
        blob = Blob.from_string(content)
        git.object_store.add_object(blob)
        return str(blob.id.decode())


def commit(repository: Repository, ref: str, proposal: Proposal) -> str:
    """Add a commit to a branch or pull request, by its full name, and return the head.

    Where the changes change nothing, and where the very commit was made already (a client repeats it when the reply
    was lost), the head stays as it is.

    Raises:
        Refusal: There is no such branch (404), its head is not the parent asked for (412), or the changes do not fit.
    """
    with repository.changing() as git:
        name, head = _head(git, ref)
        if _is_repeated(git, _commit(git, head), proposal):
            return str(head.decode())
        if proposal.parent is not None and proposal.parent != head.decode():
            raise Refusal(412, _STALE)
        made = make_commit(git, head, proposal)
        if made != head and not git.refs.set_if_equals(name, head, made):
            raise Refusal(409, "Another commit was made at the same time. Please retry.")
        return str(made.decode())


def make_commit(git: Repo, onto: ObjectID, proposal: Proposal) -> ObjectID:
    """Write a commit onto another, or return that one where nothing changes; no branch is moved.

    Raises:
        Refusal: The changes do not fit.
    """
    old = _commit(git, onto)
    tree = _new_tree(git, old, proposal.changes)
    return onto if tree == old.tree else new_commit(git, tree, [onto], proposal.author, proposal.message)


def squash(repository: Repository, branch: str, author: str, message: str) -> str:
    """Replace the history of a branch by one commit with the same files; returns it.

    Raises:
        Refusal: There is no such branch (404).
    """
    with repository.changing() as git:
        name, head = _head(git, f"refs/heads/{branch}")
        made = new_commit(git, _commit(git, head).tree, [], author, message)
        git.refs.set_if_equals(name, head, made)
        return str(made.decode())


def _head(git: Repo, ref: str) -> tuple[Ref, ObjectID]:
    name = ref_named(ref)
    head = git.refs.read_ref(name) if name else None
    if name is None or head is None:
        raise missing_revision(ref)
    return name, ObjectID(head)


def new_commit(git: Repo, tree: ObjectID, parents: list[ObjectID], author: str, message: str) -> ObjectID:
    """Write a commit object; no branch refers to it yet."""
    made = Commit()
    made.tree = tree
    made.parents = parents
    made.author = made.committer = f"{author} <{author}@localhost>".encode()
    made.author_time = made.commit_time = int(time.time())
    made.author_timezone = made.commit_timezone = 0
    made.encoding = b"UTF-8"
    made.message = message.encode()
    git.object_store.add_object(made)
    return made.id


def first_commit(git: Repo, branch: str, author: str, files: dict[str, bytes]) -> None:
    """Give a new git repository its first commit."""
    blobs = {path: Blob.from_string(content) for path, content in files.items()}
    for blob in blobs.values():
        git.object_store.add_object(blob)
    tree = write_tree(git, {path: blob.id.decode() for path, blob in blobs.items()}, {})
    made = new_commit(git, tree, [], author, "initial commit")
    git.refs.set_if_equals(Ref(f"refs/heads/{branch}".encode()), None, made)


def _is_repeated(git: Repo, head: Commit, proposal: Proposal) -> bool:
    if proposal.parent is None or [proposal.parent.encode()] != list(head.parents):
        return False
    if head.message != proposal.message.encode():
        return False
    return bool(_new_tree(git, _commit(git, head.parents[0]), proposal.changes) == head.tree)


def _commit(git: Repo, oid: bytes) -> Commit:
    found = git.object_store[ObjectID(oid)]
    assert isinstance(found, Commit)
    return found


def _new_tree(git: Repo, base: Commit, changes: Sequence[Change]) -> ObjectID:
    files = apply(files_of(git, base.tree), changes)
    big = [change.path for change in changes if change.is_lfs and files.get(change.path) == change.oid]
    if big:
        known = git.object_store[ObjectID(files[".gitattributes"].encode())] if ".gitattributes" in files else None
        before = known.data if isinstance(known, Blob) else b""
        after = with_lfs_paths(before, big)
        if after != before:
            blob = Blob.from_string(after)
            git.object_store.add_object(blob)
            files[".gitattributes"] = blob.id.decode()
    return write_tree(git, files, modes_of(git, base.tree, files))


def files_of(git: Repo, tree: ObjectID) -> dict[str, str]:
    """The git ids of the files under a tree, by path."""
    found = iter_tree_contents(git.object_store, tree)
    return {item.path.decode(): item.sha.decode() for item in found if item.path and item.sha}


def modes_of(git: Repo, tree: ObjectID, files: Mapping[str, str]) -> dict[str, int]:
    """The modes of the programs and links under a tree, by path, where a set of files holds them unchanged."""
    found = iter_tree_contents(git.object_store, tree)
    special = (item for item in found if item.path and item.sha and item.mode and item.mode != _FILE)
    paths = ((item.path.decode(), item.sha.decode(), item.mode) for item in special)
    return {path: mode for path, oid, mode in paths if files.get(path) == oid}


def write_tree(git: Repo, files: dict[str, str], modes: Mapping[str, int]) -> ObjectID:
    """Write the tree of some files, given their git ids by path, and the modes of those that are not plain ones."""
    if not files:
        empty = Tree()
        git.object_store.add_object(empty)
        return empty.id
    blobs = [(path.encode(), ObjectID(oid.encode()), modes.get(path, _FILE)) for path, oid in files.items()]
    return commit_tree(git.object_store, blobs)
