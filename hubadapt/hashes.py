"""SHA-256 of files, remembered between commands, so that gigabytes which nobody touched are not read again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time_ns

from hubadapt.manifest import hash_file, write_atomic

_COARSEST_CLOCK = 2_000_000_000
"""Nanoseconds between two ticks of the slowest file system in use, FAT: a change within them shows in no time stamp."""

Stamp = list[int]
"""What a file system says of a file without reading it: device, inode, size, time of content and time of change."""


class Hashes:
    """Hashes files, and remembers those that it hashed.

    A file is read again unless device, inode, size, modification time and change time are all what they were. The last
    of these is the file system's own: no program can set it back, so that a changed file is always read again. As git
    does with its index, files that changed just before they were read are not remembered.

    Args:
        memory: File to keep what was hashed in; one that is missing or damaged counts as empty.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known = _read(memory)
        self._used: dict[str, tuple[Stamp, str]] = {}

    def __call__(self, path: Path) -> str:
        """SHA-256 of a file's bytes, in hex."""
        name, start, stamp = str(path.resolve()), time_ns(), _stamp(path)
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            self._used[name] = known
            return known[1]
        digest = hash_file(path)
        if stamp == _stamp(path) and max(stamp[-2:]) + _COARSEST_CLOCK < start:
            self._used[name] = stamp, digest
        return digest

    def save(self) -> None:
        """Keep what was asked for since the beginning, and no more; where that cannot be written, nothing is kept."""
        if self._used != self._known:
            with suppress(OSError):
                write_atomic(self._memory, json.dumps(self._used))


@contextmanager
def remembered(folder: Path) -> Iterator[Hashes]:
    """Hashes of the files that belong to a folder, kept in the user's cache."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]
    hashes = Hashes(cache_folder() / "hashes" / f"{name}.json")
    yield hashes
    hashes.save()


def cache_folder() -> Path:
    """Where this user's caches of hubadapt lie, as the XDG base directory specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hubadapt"


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(memory: Path) -> dict[str, tuple[Stamp, str]]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
        return {str(name): (list(map(int, stamp)), str(digest)) for name, (stamp, digest) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
