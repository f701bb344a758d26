"""Reads documents from text, JSON Lines and Parquet files."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hubadapt.errors import CorpusError


@dataclass(frozen=True)
class Document:
    """One document with its provenance.

    Attributes:
        text: The text.
        source: Where it comes from, as its row or file says.
        license: Its licence.
        id: Unique in its file.
    """

    text: str
    source: str
    license: str
    id: str


def read_documents(path: Path, *, license: str | None) -> Iterator[Document]:
    """Read a file's documents one by one.

    `.txt` holds one a paragraph (blank lines between), `.jsonl` one a line and `.parquet` one a row, with `text` and,
    where they exist, `source`, `license` and `id`; `.gz` is unpacked on the way.

    Args:
        path: The file.
        license: Licence of rows that do not name one.

    Raises:
        CorpusError: The file is missing, not UTF-8, damaged or of another format, or a row has no text or licence.
    """
    if not path.is_file():
        raise CorpusError(f"the corpus {path} does not exist.", "Check `path` under `corpus.sources` in the recipe.")
    try:
        for number, row in enumerate(_rows(path)):
            yield _document(row, path, number, license)
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}.",
            f"Convert it, for example: iconv -f cp1251 -t utf-8 {path.name} > {path.stem}.utf8{path.suffix}",
        ) from error
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise CorpusError(f"{path} is damaged: {error}.", "Download or copy the file again.") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    kind = suffixes[-1] if suffixes else ""
    if kind == ".txt":
        with _open(path) as file:
            yield from ({"text": paragraph} for paragraph in re.split(r"\n\s*\n", file.read()) if paragraph.strip())
    elif kind == ".jsonl":
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                yield _json_row(line, path, number)
    elif kind == ".parquet":
        import pyarrow.parquet

        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    else:
        raise CorpusError(
            f"{path} is of a format that hubadapt does not read.", "Use .txt, .jsonl or .parquet, plain or .gz."
        )


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _json_row(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{path} line {number} is not JSON: {error}.", "Mend or remove the line.") from error
    if not isinstance(row, dict):
        raise CorpusError(f"{path} line {number} is no JSON object.", 'Write rows as {"text": "…"}.')
    return row


def _document(row: dict[str, Any], path: Path, number: int, license: str | None) -> Document:
    text, row_license = row.get("text"), row.get("license") or license
    if not isinstance(text, str):
        raise CorpusError(f"{path} row {number + 1} has no text.", 'Write rows as {"text": "…"}.')
    if not row_license:
        raise CorpusError(f"{path} row {number + 1} names no licence.", "Add `license:` to this source in the recipe.")
    return Document(text, str(row.get("source") or path.name), str(row_license), str(row.get("id") or number))
