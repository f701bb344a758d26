"""Reads documents from text, JSON Lines and Parquet files, plain or compressed, with bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hubadapt.corpus.files import (
    Row,
    corpus_files,
    format_of,
    json_rows,
    paragraphs,
    parquet_rows,
    require_column,
    undamaged,
)
from hubadapt.corpus.streams import Advance
from hubadapt.errors import CorpusError

LONGEST_DOCUMENT = 1_000_000
"""Characters. A longer document is cut into several, at the end of a line or else at white space."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s")


@dataclass(frozen=True)
class Document:
    """One document with its provenance.

    Attributes:
        text: The text, of at most `LONGEST_DOCUMENT` characters.
        source: Where it comes from, as its row or file says.
        license: Its licence.
        id: Unique in its file; later parts of a longer document end in `-2`, `-3` and so on.
    """

    text: str
    source: str
    license: str
    id: str


@dataclass(frozen=True)
class Origin:
    """What the documents of one file or dataset have in common.

    Attributes:
        name: What it is called in an error; a row's number follows.
        source: `Document.source` of rows that do not name one.
        license: Licence of rows that do not name one.
        column: The column that holds the text.
    """

    name: str
    source: str
    license: str | None
    column: str = "text"


def read_documents(
    path: Path, *, license: str | None, column: str = "text", advance: Advance = lambda count: None
) -> Iterator[Document]:
    """Read the documents of a file, or of every file in a folder, one by one.

    `.txt` holds one a paragraph (blank lines between), `.jsonl` one a line and `.parquet` one a row, with the text and,
    where they exist, `source`, `license` and `id`. Each may be compressed: `.gz`, `.bz2`, `.xz`, `.zst`. A document of
    any length is read; only a line of JSON must fit into memory.

    Args:
        path: The file or folder.
        license: Licence of rows that do not name one.
        column: The column of `.jsonl` and `.parquet` that holds the text.
        advance: Called with bytes read of the files on disk.

    Raises:
        CorpusError: The file is missing, not UTF-8, damaged or of another format, or a row has no text or licence.
    """
    for file in corpus_files(path):
        with undamaged(file):
            yield from _documents(file, license, column, advance)


def make_documents(rows: Iterable[tuple[int, Row]], origin: Origin) -> Iterator[Document]:
    """Documents of numbered rows, long ones cut.

    Args:
        rows: Each with its number for errors; `origin.column` holds the text, `source`, `license` and `id` are taken
            where they exist.
        origin: What they have in common.

    Raises:
        CorpusError: A row has no text or licence, or text that UTF-8 cannot hold.
    """
    for count, (number, row) in enumerate(rows):
        where = f"{origin.name} {number}"
        text = _text(row, origin.column, where)
        source, license, id = (
            checked(str(row.get(key) or default), where)
            for key, default in (("source", origin.source), ("license", origin.license or ""), ("id", count))
        )
        yield from _parts(cut((text,)), source, licensed(license, where), id)


def cut(pieces: Iterable[str], longest: int = LONGEST_DOCUMENT) -> Iterator[str]:
    """Cut a text into parts: at the last line end of a part's second half, else at white space there, else anywhere.

    Args:
        pieces: The text; only `longest` characters and one piece of it are held.
        longest: Characters of a part at the most.

    Returns:
        The parts; joined, they are the text. No text gives no part.
    """
    kept = ""
    for piece in pieces:
        kept += piece
        start = 0
        while len(kept) - start > longest:
            end = _break(kept, start, start + longest)
            yield kept[start:end]
            start = end
        kept = kept[start:]
    if kept:
        yield kept


def _documents(file: Path, license: str | None, column: str, advance: Advance) -> Iterator[Document]:
    kind = format_of(file)
    columns = (column, "source", "license", "id")
    if kind == ".txt":
        for number, pieces in enumerate(paragraphs(file, advance)):
            texts = (text.removesuffix("\n") for text in cut(pieces))
            yield from _parts(texts, file.name, licensed(license, f"{file} paragraph {number + 1}"), str(number))
    elif kind == ".jsonl":
        yield from make_documents(json_rows(file, advance), Origin(f"{file} line", file.name, license, column))
    else:
        rows = parquet_rows(file, columns, advance)
        yield from make_documents(rows, Origin(f"{file} row", file.name, license, column))


def _parts(texts: Iterable[str], source: str, license: str, id: str) -> Iterator[Document]:
    for number, text in enumerate(texts, start=1):
        yield Document(text, source, license, id if number == 1 else f"{id}-{number}")


def _break(text: str, start: int, end: int) -> int:
    middle = (start + end) // 2
    line_end = text.rfind("\n", middle, end) + 1
    return line_end or max((space.end() for space in _SPACE.finditer(text, middle, end)), default=end)


def _text(row: Row, column: str, where: str) -> str:
    require_column(column, list(row), where)
    text = row[column]
    if text is None:
        raise CorpusError(f"{where} has no text: {column!r} is empty.", "Remove the row, or fill it.")
    if not isinstance(text, str):
        raise CorpusError(
            f"{where} holds no text in {column!r}, but {type(text).__name__}: {str(text)[:40]}.",
            "Name the column that holds the text: `column:` of this source in the recipe.",
        )
    return checked(text, where)


def checked(text: str, where: str) -> str:
    """The text, if a file of UTF-8 text can hold it.

    Raises:
        CorpusError: It cannot.
    """
    if "\0" in text:
        raise CorpusError(
            f"{where} holds a NUL character, at character {text.index(chr(0)) + 1}.", "Remove it, or the row."
        )
    if not text.isascii() and (half := _SURROGATE.search(text)):
        raise CorpusError(
            f"{where} holds half of a surrogate pair, \\u{ord(half[0]):04x}, at character {half.start() + 1}.",
            "Mend or remove the row: text was cut inside a character when the file was written.",
        )
    return text


def licensed(license: str | None, where: str) -> str:
    """The licence, if there is one.

    Raises:
        CorpusError: There is none.
    """
    if not license:
        raise CorpusError(f"{where} names no licence.", "Add `license:` to this source in the recipe.")
    return license
