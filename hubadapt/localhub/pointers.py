"""git-lfs pointers: the few lines that stand in git for the content of a big file."""

from __future__ import annotations

import re
from dataclasses import dataclass

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n",
)

MAX_LENGTH = 200
"""No pointer of ours is longer, so that longer content need not be looked at."""


@dataclass(frozen=True)
class Pointer:
    """The sha256 and size of the content that a pointer stands for."""

    sha256: str
    size: int

    def text(self) -> bytes:
        """The pointer file, byte for byte as git-lfs writes it."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()


def parse(content: bytes) -> Pointer | None:
    """Read a pointer, or return None where the content is no pointer."""
    found = _POINTER.fullmatch(content) if len(content) <= MAX_LENGTH else None
    return Pointer(found[1].decode(), int(found[2])) if found else None
