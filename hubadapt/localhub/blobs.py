"""Content by sha256: the store of big files, and the way any upload reaches the disk.

Content is written to a temporary file, hashed on the way, checked, flushed, and renamed into place, so that a name
in the store always stands for whole and right content, whatever was killed when.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from hubadapt.localhub.addresses import require_hash
from hubadapt.localhub.refusals import Refusal

BLOCK = 1 << 20


class Incoming:
    """A file that is being received; gone when the `with` block ends unless it was kept."""

    def __init__(self, folder: Path) -> None:
        handle, name = tempfile.mkstemp(dir=folder)
        self._file = os.fdopen(handle, "wb", buffering=BLOCK)
        self.path = Path(name)
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append a piece."""
        self._file.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """Make what was written readable under `path`."""
        self._file.flush()

    def keep(self, target: Path) -> None:
        """Move the whole file to its place; safe against a power cut, and against another upload of the same."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.path, target)
        _sync_folder(target.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        finally:
            # On a full disk closing fails too, and the space is wanted all the more.
            self.path.unlink(missing_ok=True)


class IncomingBlob(Incoming):
    """A file that is being received and whose sha256 is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._sha256 = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append a piece."""
        self._sha256.update(data)
        super().write(data)

    @property
    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._sha256.hexdigest()


class BlobStore:
    """The content of big files, by sha256.

    Blobs belong to no repository: two that hold the same content share one. Who may read one is decided by the
    repositories that point to it.

    Args:
        root: Folder of the blobs.
        incoming: Folder for uploads under way, on the same file system.
    """

    def __init__(self, root: Path, incoming: Path) -> None:
        self._root = root
        self._incoming = incoming

    def path(self, sha256: str) -> Path:
        """Where a blob lies, or would."""
        require_hash(sha256)
        return self._root / sha256[:2] / sha256[2:4] / sha256

    def size(self, sha256: str) -> int | None:
        """Size of a blob in bytes, or None where it is absent."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def incoming(self) -> IncomingBlob:
        """Begin to receive a file."""
        return IncomingBlob(self._incoming)

    def scratch(self) -> IO[bytes]:
        """A nameless file on the same disk, gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._incoming)

    def keep(self, received: IncomingBlob, sha256: str, size: int | None = None) -> None:
        """Move a received file into the store.

        Raises:
            Refusal: Its content is not what its name says (422).
        """
        if received.sha256 != require_hash(sha256):
            raise Refusal(422, f"The content received has the sha256 {received.sha256}, not {sha256}")
        if size is not None and received.size != size:
            raise Refusal(422, f"{received.size} bytes were received, not {size}")
        received.keep(self.path(sha256))

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of a blob from `start` to before `end`, in blocks."""
        return read_file(self.path(sha256), start, end)


def read_file(path: Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from `start` to before `end`, in blocks."""
    with path.open("rb") as file:
        left = (os.fstat(file.fileno()).st_size if end is None else end) - start
        file.seek(start)
        while left > 0 and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            yield block


def _sync_folder(folder: Path) -> None:
    # A rename is only sure to outlive a power cut once its folder is flushed; not every system can open a folder.
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
