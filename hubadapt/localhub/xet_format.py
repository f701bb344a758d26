"""The two file formats of Xet uploads, as bytes: xorbs (compressed chunks) and shards (what files are made of).

A *chunk* is a piece of some file, about 64 kB; a *xorb* is a row of compressed chunks of up to 64 MiB; a *shard* says
for each file of which chunks of which xorbs it is made, its *terms*. This module knows neither disk nor network.

Source: the public Xet specification (huggingface/hub-docs, docs/xet) and uploads of hf_xet 1.8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import lz4.frame

MAX_XORB = 72 << 20
"""Cap on a serialised xorb in bytes: 64 MiB of chunks and their headers."""
MAX_SHARD = 64 << 20
"""Cap on a shard in bytes; clients cut them far below."""
MAX_CHUNK = 4 << 20
"""Cap on the raw size of one chunk in bytes; clients cut them at 128 KiB."""

CHUNK_HEADER = 8
_FOOTER = b"XETBLOB"
_SHARD_HEADER = 48
_RECORD = 48
_BOOKEND = b"\xff" * 32
_WITH_VERIFICATION = 1 << 31
_WITH_SHA256 = 1 << 30


class FormatError(ValueError):
    """The bytes are not what the format says."""


@dataclass(frozen=True)
class Chunk:
    """One chunk of a xorb: where its compressed bytes lie, how they are compressed, and its raw size in bytes."""

    offset: int
    packed_size: int
    scheme: int
    size: int


@dataclass(frozen=True)
class Term:
    """A run of chunks of one xorb, `start` to before `end`, which make `size` bytes of a file."""

    xorb: str
    start: int
    end: int
    size: int


@dataclass(frozen=True)
class FileRecipe:
    """What one file is made of; `sha256` is None where the client did not say."""

    xet_hash: str
    sha256: str | None
    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return sum(term.size for term in self.terms)


def hash_text(raw: bytes) -> str:
    """The text of a 32-byte hash: four little-endian 64-bit numbers in hexadecimal."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


def chunk_at(header: bytes, offset: int) -> Chunk | None:
    """Read the chunk header that stands at `offset` of a xorb; None where the footer begins or the xorb ends.

    Raises:
        FormatError: It is no chunk header.
    """
    if not header or header.startswith(_FOOTER):
        return None
    if len(header) < CHUNK_HEADER:
        raise FormatError("the xorb ends inside a chunk header")
    version, scheme = header[0], header[4]
    packed, size = int.from_bytes(header[1:4], "little"), int.from_bytes(header[5:8], "little")
    if version != 0 or scheme > 2 or not 0 < size <= MAX_CHUNK or (scheme == 0 and packed != size):
        raise FormatError(f"byte {offset} of the xorb begins no chunk")
    return Chunk(offset + CHUNK_HEADER, packed, scheme, size)


def unpack(chunk: Chunk, packed: bytes) -> bytes:
    """The raw bytes of a chunk.

    Raises:
        FormatError: They cannot be unpacked, or to another size than the header says.
    """
    if chunk.scheme == 0:
        return packed
    try:
        # The cap keeps a hostile frame from growing without bound.
        raw: bytes = lz4.frame.LZ4FrameDecompressor().decompress(packed, max_length=chunk.size + 1)
    except RuntimeError as error:
        raise FormatError(f"the chunk at byte {chunk.offset} is damaged: {error}") from error
    if len(raw) != chunk.size:
        raise FormatError(f"the chunk at byte {chunk.offset} has not the size its header says")
    return _ungroup(raw) if chunk.scheme == 2 else raw


def parse_shard(body: bytes) -> list[FileRecipe]:
    """The files that a shard describes.

    Raises:
        FormatError: The shard is cut short or malformed.
    """
    if not body.startswith(b"HFRepoMetaData") or len(body) < _SHARD_HEADER:
        raise FormatError("this is no shard")
    if struct.unpack_from("<Q", body, 32)[0] != 2:
        raise FormatError("this version of the shard format is unknown")
    files = []
    position = _SHARD_HEADER
    while _record(body, position)[:32] != _BOOKEND:
        file, position = _parse_file(body, position)
        files.append(file)
    return files


def _parse_file(body: bytes, position: int) -> tuple[FileRecipe, int]:
    raw_hash, flags, count, _ = struct.unpack("<32sIIQ", _record(body, position))
    if position + count * _RECORD > len(body):
        raise FormatError("the shard ends inside a file")
    position += _RECORD
    terms = tuple(_parse_term(_record(body, position + index * _RECORD)) for index in range(count))
    position += count * _RECORD * (2 if flags & _WITH_VERIFICATION else 1)
    sha256 = None
    if flags & _WITH_SHA256:
        sha256 = hash_text(_record(body, position)[:32])
        position += _RECORD
    return FileRecipe(hash_text(raw_hash), sha256, terms), position


def _parse_term(record: bytes) -> Term:
    raw_hash, _, size, start, end = struct.unpack("<32sIIII", record)
    if start >= end:
        raise FormatError("a term of the shard names no chunks")
    return Term(hash_text(raw_hash), start, end, size)


def _record(body: bytes, position: int) -> bytes:
    record = body[position : position + _RECORD]
    if len(record) != _RECORD:
        raise FormatError("the shard is cut short")
    return record


def _ungroup(raw: bytes) -> bytes:
    # Scheme 2 stores all first bytes of groups of four, then all second ones, and so on. Slice assignment is a loop
    # in C, and twice as fast here as a NumPy transpose.
    whole = bytearray(len(raw))
    position = 0
    for lane in range(4):
        length = (len(raw) - lane + 3) // 4
        whole[lane::4] = raw[position : position + length]
        position += length
    return bytes(whole)
