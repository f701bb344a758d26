"""Brings bytes from file to file without reading them into this process, where the system can."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from io import FileIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hubadapt.errors import UserError

_STEP = 64 * 1024 * 1024
_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_COPY_HINT = "Copy the files instead of linking them."

Advance = Callable[[int], object]


def reflink(source: Path, target: Path) -> bool:
    """Make `target` share `source`'s blocks until one of them changes, as btrfs, XFS and bcachefs can on Linux.

    Returns:
        Whether it worked; if not, nothing was made.
    """
    if not sys.platform.startswith("linux"):
        return False
    from fcntl import ioctl

    try:
        with source.open("rb") as reader, target.open("xb") as writer:
            ioctl(writer.fileno(), _FICLONE, reader.fileno())
    except OSError as error:
        target.unlink(missing_ok=True)
        if error.errno in (*_CANNOT, errno.ENOTTY):
            return False
        raise
    return True


def can_reflink(source: Path, target: Path) -> bool:
    """Whether the disk of `target`, a folder that need not exist, can share a file's blocks; finds out by trying."""
    place = next(parent for parent in (target.absolute(), *target.absolute().parents) if parent.is_dir())
    with TemporaryDirectory(prefix=".probe-", dir=place) as folder:
        return reflink(source, Path(folder) / "probe")


def require_linkable(source: Path) -> None:
    """Stop before a hard link that could not last.

    Raises:
        UserError: The file is a symbolic link or lies in a Hub cache, where any cleaning up or download may replace it.
    """
    parts = source.resolve().parts
    in_cache = any(
        folder.startswith("models--") and inside in ("blobs", "snapshots") for folder, inside in pairwise(parts)
    )
    if source.is_symlink() or in_cache:
        what = "is a symbolic link" if source.is_symlink() else "lies in a Hub cache"
        raise UserError(f"{source} {what} and cannot be hard-linked.", _COPY_HINT)


def hard_link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`.

    Raises:
        UserError: They are on different disks, or the file system has no hard links.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise UserError(f"{source} is on another disk than {target.parent.parent}.", _COPY_HINT) from error
        if error.errno in (*_CANNOT, errno.EMLINK):
            raise UserError(f"{source} cannot be hard-linked: {error.strerror}.", _COPY_HINT) from error
        raise


def copy_file(source: Path, target: Path, advance: Advance) -> None:
    """Copy a file's bytes and flush them to the disk.

    Args:
        source: The file, or a link to it.
        target: File to make.
        advance: Called with the number of bytes just written.
    """
    with source.open("rb", buffering=0) as reader, target.open("xb", buffering=0) as writer:
        copy_range(reader, writer, 0, source.stat().st_size, advance)
        os.fsync(writer.fileno())


def copy_range(source: FileIO, target: FileIO, start: int, size: int, advance: Advance) -> None:
    """Append `size` bytes of `source` from `start` on to `target`.

    Args:
        source: Unbuffered file, open for reading.
        target: Unbuffered file, open for writing, at its end.
        start: First byte.
        size: Number of bytes.
        advance: Called with the number of bytes just written.

    Raises:
        EOFError: The source ended before.
    """
    end = start + size
    while start < end:
        count = _copy_some(source, target, start, min(_STEP, end - start))
        if count == 0:
            raise EOFError(f"{source.name} ended at byte {start:,} while it was read")
        start += count
        advance(count)


def _copy_some(source: FileIO, target: FileIO, start: int, size: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            count = os.copy_file_range(source.fileno(), target.fileno(), size, offset_src=start)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
        else:
            if count:
                return count
    source.seek(start)
    return write_all(target, source.read(min(size, _STEP // 8)))


def write_all(target: FileIO, data: bytes | memoryview) -> int:
    """Write every byte to an unbuffered file; how many they were."""
    rest = memoryview(data)
    while rest:
        rest = rest[target.write(rest) :]
    return len(data)
