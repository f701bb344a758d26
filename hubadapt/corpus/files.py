"""Rows of the file formats that corpora come in, read a piece at a time."""

from __future__ import annotations

import json
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from hubadapt.corpus.streams import COMPRESSIONS, Advance, opened, text_lines, unpacked_name
from hubadapt.errors import CorpusError
from hubadapt.manifest import hash_file

Row = Mapping[str, Any]

FORMATS = (".txt", ".jsonl", ".parquet")
LONGEST_JSON_LINE = 2**27
"""Characters. JSON has no value before its end, so that a line must fit into memory."""

_PIECE = 2**16
# Few rows, since nothing says how long one is.
_BATCH = 64


def format_of(path: Path) -> str:
    """One of `FORMATS`, by the file's name, or nothing."""
    suffix = unpacked_name(path).suffix.lower()
    return suffix if suffix in FORMATS else ""


def corpus_files(path: Path) -> list[Path]:
    """The file, or every file below a folder that is of a known format, in order of their paths.

    Raises:
        CorpusError: There is none.
    """
    known = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}, plain or with {', '.join(COMPRESSIONS)} after it"
    if path.is_dir():
        below = sorted(item for item in path.rglob("*") if item.is_file() and format_of(item))
        files = [item for item in below if not any(part.startswith(".") for part in item.relative_to(path).parts)]
        if not files:
            raise CorpusError(f"the folder {path} holds no corpus file.", f"Put files into it: {known}.")
        return files
    if not path.is_file():
        raise CorpusError(f"the corpus {path} does not exist.", "Check `path` under `corpus.sources` in the recipe.")
    if not format_of(path):
        raise CorpusError(f"{path} is of a format that hubadapt does not read.", f"Use {known}.")
    return [path]


def file_hashes(paths: Iterable[Path], folder: Path) -> dict[str, str]:
    """SHA-256 of every file below some paths, by the path as it was given.

    Args:
        paths: Files or folders, relative to `folder`.
        folder: Where they begin.

    Raises:
        CorpusError: There is no file of a known format.
    """
    return {
        (path / file.relative_to(folder / path)).as_posix(): hash_file(file)
        for path in paths
        for file in corpus_files(folder / path)
    }


def files_size(path: Path) -> int:
    """Bytes on disk of a file, or of every file below a folder that is of a known format."""
    return sum(file.stat().st_size for file in corpus_files(path))


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Read a file of any format; what the readers raise on content that is not what the name says becomes one error.

    Raises:
        CorpusError: The file is damaged, or may not be read.
    """
    import pyarrow

    damages = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, pyarrow.ArrowException)
    try:
        yield
    except PermissionError as error:
        raise CorpusError(f"{path} may not be read.", f"Give yourself the right: chmod u+r {path}") from error
    except damages as error:
        raise CorpusError(f"{path} is damaged: {error}.", "Download or copy the file again.") from error


def paragraphs(path: Path, advance: Advance) -> Iterator[Iterator[str]]:
    """Paragraphs of a text file, each as pieces of its lines; blank lines stand between them."""
    for blank, lines in groupby(_marked(path, advance), key=itemgetter(0)):
        if not blank:
            yield (line for _, line in lines)


def _marked(path: Path, advance: Advance) -> Iterator[tuple[bool, str]]:
    last = 0
    for number, piece in text_lines(path, _PIECE, advance):
        # The rest of a long line may look blank, but ends no paragraph.
        yield number != last and piece.isspace(), piece
        last = number


def json_rows(path: Path, advance: Advance) -> Iterator[tuple[int, Row]]:
    """Objects of a JSON Lines file with the numbers of their lines, from 1; blank lines are left out.

    Raises:
        CorpusError: A line is no JSON object, or longer than `LONGEST_JSON_LINE`.
    """
    for number, line in text_lines(path, LONGEST_JSON_LINE, advance):
        if len(line) == LONGEST_JSON_LINE and not line.endswith("\n"):
            raise CorpusError(
                f"{path} line {number} is longer than {LONGEST_JSON_LINE:,} characters.",
                "Write each document as a line of its own, or give text as .txt, where a line may have any length.",
            )
        if not line.isspace():
            yield number, _json_object(line, path, number)


def parquet_rows(path: Path, columns: Sequence[str], advance: Advance) -> Iterator[tuple[int, Row]]:
    """Rows of a Parquet file with their number, from 1.

    Args:
        path: The file, which may be compressed as a whole; it is then unpacked into a temporary file.
        columns: The columns wanted; the first must exist.
        advance: Called with bytes of the file, in proportion to the rows read.

    Raises:
        CorpusError: The first column does not exist, or a text in the file is not UTF-8.
    """
    import pyarrow.parquet

    size, told, number = path.stat().st_size, 0, 0
    with _seekable(path) as stream:
        file = pyarrow.parquet.ParquetFile(stream)
        names = file.schema_arrow.names
        require_column(columns[0], names, str(path))
        for batch in file.iter_batches(batch_size=_BATCH, columns=[name for name in columns if name in names]):
            for place in range(batch.num_rows):
                number += 1
                yield number, _parquet_row(batch, place, f"{path} row {number}")
            done = size * number // file.metadata.num_rows
            advance(done - told)
            told = done


def require_column(column: str, names: Sequence[str], where: str) -> None:
    """Stop where a column is missing.

    Raises:
        CorpusError: It is; the columns that exist are named.
    """
    if column not in names:
        there = ", ".join(repr(name) for name in names) or "nothing"
        raise CorpusError(
            f"{where} has no column {column!r}; it has {there}.",
            "Name the column that holds the text: `column:` of this source in the recipe.",
        )


def _json_object(line: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise CorpusError(
            f"{path} line {number} is not JSON: {error.msg} at character {error.pos + 1}.", "Mend or remove the line."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} line {number} cannot be read: {error}.", "Mend or remove the line.") from error
    if not isinstance(row, dict):
        raise CorpusError(f"{path} line {number} is no JSON object.", 'Write rows as {"text": "…"}.')
    return row


@contextmanager
def _seekable(path: Path) -> Iterator[Any]:
    with opened(path, lambda count: None) as stream:
        if unpacked_name(path) == path:
            yield stream
        else:
            with tempfile.TemporaryFile() as unpacked:
                shutil.copyfileobj(stream, unpacked)
                yield unpacked


def _parquet_row(batch: Any, place: int, where: str) -> Row:
    try:
        return {name: batch.column(name)[place].as_py() for name in batch.schema.names}
    except UnicodeDecodeError as error:
        found = f"byte {error.start} of it is 0x{error.object[error.start]:02x}"
        raise CorpusError(f"{where} is not UTF-8: {found}.", "Write the file again, with text as UTF-8.") from error
