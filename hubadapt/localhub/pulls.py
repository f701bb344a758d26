"""Pull requests: commits at `refs/pr/N` beside the main branch, and how they come to be part of it.

Merging is by whole files: a file that both sides changed, each in its own way, is a conflict. `.gitattributes` alone is
merged by lines, since every big file of a new kind adds one. The main branch gets a single commit, as on the Hub.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from dulwich.graph import find_merge_base
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.patch import write_tree_diff
from dulwich.refs import Ref
from dulwich.repo import Repo

from hubadapt.localhub.committing import Proposal, files_of, make_commit, modes_of, new_commit, write_tree
from hubadapt.localhub.discussions import Content, Discussions, add, comment, require_text, set_status
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import MAIN, CommitInfo, Repository

_MAIN = Ref(f"refs/heads/{MAIN}".encode())
_MERGED_BY_LINES = ".gitattributes"
_MAX_DIFF = 4 << 20


@dataclass(frozen=True)
class Side:
    """What a pull request would do to the main branch: files by path after a merge, and those in conflict."""

    files: dict[str, str]
    conflicts: tuple[str, ...]


def ref_of(number: int) -> str:
    """The name under which the commits of a pull request can be read and added to."""
    return f"refs/pr/{number}"


def open_pull(repository: Repository, author: str, title: str, description: str) -> Content:
    """Begin a pull request without commits; it is a draft, for the commits are to come."""
    with repository.lock:
        return _open(repository, Proposal(author, title, ()), description, repository.commit_of(MAIN), "draft")


def open_pull_with(repository: Repository, proposal: Proposal, description: str) -> tuple[Content, str]:
    """Begin a pull request with a commit onto the parent asked for, or onto main; returns it and the commit.

    Raises:
        Refusal: The changes do not fit, or there is no such parent.
    """
    with repository.changing() as git:
        base = repository.commit_of(proposal.parent or MAIN)
        made = make_commit(git, ObjectID(base.encode()), proposal).decode()
        return _open(repository, proposal, description, base, "open", made), made


def _open(
    repository: Repository, proposal: Proposal, description: str, base: str, status: str, head: str = ""
) -> Content:
    discussions = Discussions(repository)
    title = require_text(proposal.message.partition("\n")[0], "title")
    # The reference first: without its record it is a name that the next pull request takes over.
    repository.set_ref(ref_of(discussions.next_number()), head or base, overwrite=True)
    return discussions.open(proposal.author, title, description, {"status": status, "from": base})


def merge(repository: Repository, number: int, author: str, text: str) -> Content:
    """Merge a pull request into main by one commit there.

    Raises:
        Refusal: It is closed or merged, or is no pull request (409), or files are in conflict (409).
    """
    with repository.changing() as git, Discussions(repository).changing(number) as content:
        require_open(content)
        head, main = git.refs[Ref(ref_of(number).encode())], git.refs[_MAIN]
        side = _merged(git, main, head)
        if side.conflicts:
            raise Refusal(409, f"These files were changed on both sides: {', '.join(side.conflicts)}")
        message = _message(content, commits(repository, content))
        modes = modes_of(git, _commit(git, head).tree, side.files) | modes_of(git, _commit(git, main).tree, side.files)
        made = _commit_once(git, main, write_tree(git, side.files, modes), author, message)
        content["mergeCommitId"] = made.decode()
        set_status(content, author, "merged")
        if text.strip():
            add(content, comment(author, text))
        return content


def require_open(content: Content) -> None:
    """Check that a pull request can still change.

    Raises:
        Refusal: It cannot, or it is none (409).
    """
    if not content["isPullRequest"] or content["status"] not in ("open", "draft"):
        what = f"is {content['status']}" if content["isPullRequest"] else "is no pull request"
        raise Refusal(409, f"{content['num']} {what}")


def commits(repository: Repository, content: Content) -> list[CommitInfo]:
    """The commits of a pull request that main did not have when it began, the oldest first."""
    head = repository.commit_of(ref_of(content["num"]))
    return repository.history(head, without=content["from"])[::-1]


def conflicts(repository: Repository, number: int) -> list[str]:
    """Paths that main and a pull request both changed, each in its own way."""
    with repository.git() as git:
        return list(_merged(git, git.refs[_MAIN], git.refs[Ref(ref_of(number).encode())]).conflicts)


def diff(repository: Repository, content: Content) -> str:
    """What a pull request changes, as git shows it; big files by their pointers."""
    with repository.git() as git:
        head = git.refs[Ref(ref_of(content["num"]).encode())]
        text = io.BytesIO()
        write_tree_diff(text, git.object_store, _commit(git, _base(git, head, content)).tree, _commit(git, head).tree)
    return text.getvalue()[:_MAX_DIFF].decode("utf-8", "replace")


def _base(git: Repo, head: ObjectID, content: Content) -> ObjectID:
    if content["status"] == "merged":
        return ObjectID(content["from"].encode())
    found = find_merge_base(git, [git.refs[_MAIN], head])
    return found[0] if found else ObjectID(content["from"].encode())


def _merged(git: Repo, main: ObjectID, head: ObjectID) -> Side:
    bases = find_merge_base(git, [main, head])
    before = files_of(git, _commit(git, bases[0]).tree) if bases else {}
    ours, theirs = files_of(git, _commit(git, main).tree), files_of(git, _commit(git, head).tree)
    result, in_conflict = dict(ours), []
    for path in sorted(set(before) | set(theirs)):
        old, new, here = before.get(path), theirs.get(path), ours.get(path)
        if new in (old, here):
            continue
        if here != old and path == _MERGED_BY_LINES and here and new:
            result[path] = _merged_lines(git, here, new)
        elif here != old:
            in_conflict.append(path)
        elif new is None:
            del result[path]
        else:
            result[path] = new
    return Side(result, tuple(in_conflict))


def _merged_lines(git: Repo, here: str, new: str) -> str:
    ours, theirs = (git.object_store[ObjectID(oid.encode())].as_raw_string() for oid in (here, new))
    lines = ours.splitlines()
    lines += [line for line in theirs.splitlines() if line not in lines]
    blob = Blob.from_string(b"\n".join(lines) + b"\n")
    git.object_store.add_object(blob)
    return str(blob.id.decode())


def _message(content: Content, made: list[CommitInfo]) -> str:
    subjects = "".join(f"- {info.message.partition(chr(10))[0]} ({info.sha})\n" for info in made)
    return f"{content['title']} (#{content['num']})\n\n{subjects}".rstrip("\n")


def _commit_once(git: Repo, main: ObjectID, tree: ObjectID, author: str, message: str) -> ObjectID:
    # A server that was killed between the commit and its record finds that main is as it would be, and leaves it.
    if _commit(git, main).tree == tree:
        return main
    made = new_commit(git, tree, [main], author, message)
    if not git.refs.set_if_equals(_MAIN, main, made):
        raise Refusal(409, "Another commit was made at the same time. Please retry.")
    return made


def _commit(git: Repo, oid: ObjectID) -> Commit:
    found = git.object_store[oid]
    assert isinstance(found, Commit)
    return found
