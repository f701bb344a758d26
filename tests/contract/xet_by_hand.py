"""Xorbs and shards put together by hand, for what no client sends."""

from __future__ import annotations

import struct


def xorb_of(*chunks: bytes) -> bytes:
    """A xorb of those chunks, none of them compressed."""
    sizes = [len(chunk).to_bytes(3, "little") for chunk in chunks]
    return b"".join(b"\0" + size + b"\0" + size + chunk for size, chunk in zip(sizes, chunks, strict=True))


def shard_of(xorb: str, chunks: int, sha256: str, size: int) -> bytes:
    """A shard that says: a file of this sha256 and size is made of the first chunks of that xorb."""

    def raw(text: str) -> bytes:
        return struct.pack("<4Q", *(int(text[start : start + 16], 16) for start in range(0, 64, 16)))

    head = b"HFRepoMetaData".ljust(32, b"\0") + struct.pack("<QQ", 2, 0)
    block = raw(sha256) + struct.pack("<IIQ", 1 << 30, 1, 0)
    block += raw(xorb) + struct.pack("<IIII", 0, size, 0, chunks)
    return head + block + raw(sha256) + bytes(16) + b"\xff" * 32 + bytes(16)
