"""Opens files that may be compressed, as bytes or as lines of UTF-8 text; no more than a piece is ever in memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hubadapt.errors import CorpusError

Advance = Callable[[int], object]

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
_BUFFER = 2**18


def unpacked_name(path: Path) -> Path:
    """The path without the suffix of a compression."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path


@contextmanager
def opened(path: Path, advance: Advance) -> Iterator[Any]:
    """A binary stream of a file's content, decompressed.

    Args:
        path: The file; its last suffix says how it is compressed.
        advance: Called with the bytes read of the file itself.
    """
    with io.BufferedReader(_Metered(path, advance), _BUFFER) as file:
        yield _decompressed(file, path.suffix.lower())


def text_lines(path: Path, longest: int, advance: Advance) -> Iterator[tuple[int, str]]:
    r"""Lines of a file with their number, from 1; line ends become `\n`, and a byte order mark is left out.

    Args:
        path: A file of UTF-8 text, which may be compressed.
        longest: Characters; a longer line comes in pieces of this length, all with its number.
        advance: Called with the bytes read of the file itself.

    Raises:
        CorpusError: The content is not UTF-8, or a binary file.
    """
    with opened(path, advance) as stream:
        # The buffer between keeps the decoder's own reads, of 8 KiB, from the decompressor.
        text = io.TextIOWrapper(io.BufferedReader(_Counted(stream), _BUFFER), encoding="utf-8-sig")
        number = 1
        try:
            while piece := text.readline(longest):
                if "\0" in piece:
                    raise CorpusError(f"{path} line {number} holds a NUL character.", "Give a file of text, in UTF-8.")
                yield number, piece
                number += piece.endswith("\n")
        except UnicodeDecodeError as error:
            # The decoder's last input ends where the buffer stands.
            place = text.buffer.tell() - len(error.object) + error.start
            raise _not_utf8(path, place, error.object[error.start :]) from error


def _decompressed(file: Any, suffix: str) -> Any:
    if suffix == ".gz":
        return gzip.open(file)
    if suffix == ".bz2":
        return bz2.open(file)
    if suffix == ".xz":
        return lzma.open(file)
    if suffix == ".zst":
        import pyarrow

        return pyarrow.CompressedInputStream(file, "zstd")
    return file


def _not_utf8(path: Path, place: int, data: bytes) -> CorpusError:
    encoding = "utf-16" if place == 0 and data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1251"
    problem = f"{path} is not UTF-8: byte {place} is 0x{data[0]:02x}."
    name = unpacked_name(path)
    if name != path:
        return CorpusError(problem, f"Unpack it and convert it, for example: iconv -f {encoding} -t utf-8 {name.name}")
    converted = f"{name.stem}.utf8{name.suffix}"
    return CorpusError(problem, f"Convert it, for example: iconv -f {encoding} -t utf-8 {name.name} > {converted}")


class _Metered(io.FileIO):
    """A file that tells how many bytes were read of it."""

    def __init__(self, path: Path, advance: Advance) -> None:
        super().__init__(path)
        self._advance = advance

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        self._advance(count)
        return count


class _Counted(io.RawIOBase):
    """A stream that knows how many bytes it has given, which not every decompressor does."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._given = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given

    def readinto(self, buffer: Any) -> int:
        count = int(self._stream.readinto(buffer))
        self._given += count
        return count
