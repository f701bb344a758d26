"""Git's own protocol over HTTP: what `git clone`, `git fetch` and `git push` ask, answered by dulwich.

A push is looked through before a reference moves: it may set branches, tags and open pull requests only, and every file
in its new commits must be one that this Hub can serve. Big files travel by git-lfs, before the push.
"""

from __future__ import annotations

import gzip
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Literal

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, GitProtocolError, HangupException, ObjectFormatException
from dulwich.objects import Blob, Commit, ObjectID, Tag, Tree
from dulwich.protocol import ReceivableProtocol
from dulwich.refs import Ref
from dulwich.repo import Repo
from dulwich.server import Backend, ReceivePackHandler, UploadPackHandler

from hubadapt.localhub.addresses import require_path
from hubadapt.localhub.attributes import BIG
from hubadapt.localhub.blobs import BlobStore
from hubadapt.localhub.discussions import Discussions
from hubadapt.localhub.pointers import parse
from hubadapt.localhub.pulls import require_open
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import MAIN, Repository, checked_ref

Service = Literal["git-upload-pack", "git-receive-pack"]

_MAX_UNPACKED = 8 << 30
_PULL = re.compile(r"refs/pr/(\d{1,9})")
_ZERO = b"0" * 40
_MODES = (0o100644, 0o100755, 0o120000, stat.S_IFDIR)

# What dulwich raises where a client breaks the protocol or sends objects that are none.
_BROKEN = (
    GitProtocolError, HangupException, ObjectFormatException, ChecksumMismatch, ApplyDeltaError, zlib.error,
    gzip.BadGzipFile, EOFError, AssertionError, KeyError, ValueError, IndexError, NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """The body that a git client sent, as a file, and whether that is compressed."""

    file: IO[bytes]
    is_gzip: bool


def advertise(repository: Repository, service: Service, into: IO[bytes]) -> None:
    """Write the references of a repository and what this server can do."""
    with repository.git() as git:
        handler = _handler(service, git, lambda _: b"", into, advertise_refs=True)
        handler.proto.write_pkt_line(f"# service={service}\n".encode())
        handler.proto.write_pkt_line(None)
        handler.handle()


def send_pack(repository: Repository, body: Body, into: IO[bytes]) -> None:
    """Answer a fetch.

    Raises:
        Refusal: The request breaks git's protocol, or asks for what no reference names (400).
    """
    with repository.git() as git:
        _run(_handler("git-upload-pack", git, _reader(body), into))


def receive_pack(repository: Repository, blobs: BlobStore, body: Body, into: IO[bytes]) -> None:
    """Take a push; references that are refused are named in the answer, as git clients expect.

    Raises:
        Refusal: The request breaks git's protocol (400).
    """
    with repository.changing() as git:
        handler = _handler("git-receive-pack", git, _reader(body), into)
        assert isinstance(handler, _Receiver)
        handler.check = _Check(repository, git, blobs)
        _run(handler)


def _run(handler: UploadPackHandler | ReceivePackHandler) -> None:
    try:
        handler.handle()
    except _BROKEN as error:
        raise Refusal(400, f"Not what git's protocol expects: {error}") from error


def _reader(body: Body) -> Callable[[int], bytes]:
    stream = gzip.GzipFile(fileobj=body.file) if body.is_gzip else body.file
    read = 0

    def receive(size: int) -> bytes:
        nonlocal read
        piece = stream.read(size)
        read += len(piece)
        if read > _MAX_UNPACKED:
            raise Refusal(413, f"More than {_MAX_UNPACKED} bytes are too many for one push")
        return piece

    return receive


def _handler(
    service: Service, git: Repo, receive: Callable[[int], bytes], into: IO[bytes], advertise_refs: bool = False
) -> UploadPackHandler | ReceivePackHandler:
    kind = UploadPackHandler if service == "git-upload-pack" else _Receiver
    protocol = ReceivableProtocol(receive, into.write)
    return kind(_Opened(git), ["/"], protocol, stateless_rpc=True, advertise_refs=advertise_refs)


class _Opened(Backend):  # type: ignore[misc]
    def __init__(self, git: Repo) -> None:
        self._git = git

    def open_repository(self, path: str) -> Repo:
        """The one repository there is."""
        return self._git


class _Receiver(ReceivePackHandler):  # type: ignore[misc]
    check: _Check

    def _on_update(self, ref_name: Ref, old_sha: ObjectID, new_sha: ObjectID) -> bytes | None:
        try:
            self.check.update(ref_name, old_sha, new_sha)
        except Refusal as refusal:
            # A line of the answer holds no line breaks.
            return refusal.message.replace("\n", " ").encode("utf-8", "replace")
        return None


@dataclass
class _Check:
    repository: Repository
    git: Repo
    blobs: BlobStore
    seen: set[bytes] = field(default_factory=set)

    def update(self, ref: bytes, old: bytes, new: bytes) -> None:
        name = ref.decode("utf-8", "replace")
        self._require_ref(name, is_deletion=new == _ZERO)
        # dulwich takes no notice where the reference has moved meanwhile.
        if (self.git.refs.read_ref(Ref(ref)) or _ZERO) != old:
            raise Refusal(412, "the reference has moved; fetch first")
        if new != _ZERO:
            self._require_files(_peeled(self.git, new))

    def _require_ref(self, name: str, is_deletion: bool) -> None:
        if (pull := _PULL.fullmatch(name)) and not is_deletion:
            require_open(Discussions(self.repository).get(int(pull[1])))
        elif not name.startswith(("refs/heads/", "refs/tags/")):
            raise Refusal(400, "only branches, tags and open pull requests can be pushed")
        elif is_deletion and name == f"refs/heads/{MAIN}":
            raise Refusal(403, "the main branch cannot be deleted")
        else:
            checked_ref(name)

    def _require_files(self, head: ObjectID) -> None:
        known = [sha for sha in self.git.refs.as_dict().values() if isinstance(self.git.object_store[sha], Commit)]
        for sha in known:
            self.seen.add(self.git.object_store[sha].tree)
        for step in self.git.get_walker(include=[head], exclude=known):
            for path, mode, oid in self._new_entries(step.commit.tree, ""):
                self._require_file(path, mode, oid)

    def _new_entries(self, tree: bytes, base: str) -> Iterator[tuple[str, int, bytes]]:
        if tree in self.seen:
            return
        self.seen.add(tree)
        found = self.git.object_store[ObjectID(tree)]
        assert isinstance(found, Tree)
        for item in found.iteritems():
            path = base + item.path.decode("utf-8")
            yield path, item.mode, item.sha
            if stat.S_ISDIR(item.mode):
                yield from self._new_entries(item.sha, path + "/")

    def _require_file(self, path: str, mode: int, oid: bytes) -> None:
        require_path(path)
        if mode not in _MODES:
            raise Refusal(400, f"{path} is a submodule or of an unknown kind")
        if stat.S_ISDIR(mode) or oid in self.seen:
            return
        self.seen.add(oid)
        blob = self.git.object_store[ObjectID(oid)]
        assert isinstance(blob, Blob)
        if blob.raw_length() > BIG:
            raise Refusal(413, f"{path} has more than {BIG} bytes: track it with git-lfs")
        pointer = parse(blob.as_raw_string())
        if pointer and self.blobs.size(pointer.sha256) != pointer.size:
            raise Refusal(400, f"the content of {path} is not here: git lfs push first")


def _peeled(git: Repo, oid: bytes) -> ObjectID:
    found = git.object_store[ObjectID(oid)]
    while isinstance(found, Tag):
        found = git.object_store[found.object[1]]
    if not isinstance(found, Commit):
        raise Refusal(400, "a reference must name a commit")
    return found.id
