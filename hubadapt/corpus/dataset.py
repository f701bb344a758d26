"""A run's own dataset folder: both splits are written, and read back, one row group at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

SPLITS = ("train", "test")
COLUMNS = ("text", "language", "source", "license", "id")

# Rows and weight of each source in order, in the footer: a column would repeat one number for every row.
_WEIGHTS = "hubadapt.weights"
# Reading a row group takes some four times this.
_GROUP_CHARACTERS = 2**22


def split_file(folder: Path, split: str) -> Path:
    """The Parquet file of one split."""
    return folder / "data" / f"{split}-00000-of-00001.parquet"


class DatasetWriter:
    """Writes both splits of a dataset folder; equal rows give equal bytes.

    Used as a context manager: files have their names only once all is written, and none stays after an error.

    Args:
        folder: Folder of the dataset artifact.
    """

    def __init__(self, folder: Path) -> None:
        self._data = split_file(folder, SPLITS[0]).parent
        self._data.mkdir(parents=True, exist_ok=True)
        self._splits = {split: _SplitWriter(split_file(folder, split)) for split in SPLITS}

    def add(self, split: str, row: Mapping[str, str]) -> None:
        """Add a row with all of `COLUMNS` to a split."""
        self._splits[split].add(row)

    def end_source(self, weight: float) -> None:
        """Give the rows since the last call, or the beginning, their weight; see `read_weighted`."""
        for writer in self._splits.values():
            writer.end_source(weight)

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for writer in self._splits.values():
            writer.close(keep=error is None)
        if error is not None:
            with suppress(OSError):
                self._data.rmdir()
                self._data.parent.rmdir()


class _SplitWriter:
    def __init__(self, path: Path) -> None:
        import pyarrow.parquet

        self._path, self._partial = path, path.with_name(f".{path.name}.partial")
        # The schema is given, since an empty split has no values to guess it from.
        self._schema = pyarrow.schema([(name, pyarrow.string()) for name in COLUMNS])
        self._file = pyarrow.parquet.ParquetWriter(self._partial, self._schema)
        self._group: list[Mapping[str, str]] = []
        self._characters = self._rows = 0
        self._weights: list[tuple[int, float]] = []

    def add(self, row: Mapping[str, str]) -> None:
        self._group.append(row)
        self._rows += 1
        self._characters += len(row["text"])
        if self._characters >= _GROUP_CHARACTERS:
            self._write_group()

    def end_source(self, weight: float) -> None:
        self._weights.append((self._rows - sum(rows for rows, _ in self._weights), weight))

    def close(self, *, keep: bool) -> None:
        if keep:
            if self._group or not self._rows:
                self._write_group()
            self._file.add_key_value_metadata({_WEIGHTS: json.dumps(self._weights)})
        self._file.close()
        if keep:
            self._partial.replace(self._path)
        else:
            self._partial.unlink()

    def _write_group(self) -> None:
        import pyarrow

        self._file.write_table(pyarrow.Table.from_pylist(self._group, self._schema))
        self._group, self._characters = [], 0


def read_split(folder: Path, split: str, language: str) -> list[str]:
    """Texts of one split in one language, in order; where a list is not needed, `iter_split` takes less memory.

    Args:
        folder: Folder of the dataset artifact.
        split: `train` or `test`.
        language: ISO 639-1 code.
    """
    return list(chain.from_iterable(iter_split(folder, split, language)))


def iter_split(folder: Path, split: str, language: str) -> Iterator[list[str]]:
    """Texts of one split in one language, in order, a row group at a time: some megabytes.

    Args:
        folder: Folder of the dataset artifact.
        split: `train` or `test`.
        language: ISO 639-1 code.
    """
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(split_file(folder, split)) as file:
        for _, texts in _groups(file, language):
            yield texts


def split_languages(folder: Path, split: str) -> tuple[str, ...]:
    """Languages of the texts in one split, in alphabetical order.

    Args:
        folder: Folder of the dataset artifact.
        split: `train` or `test`.
    """
    import pyarrow.parquet

    found: set[str] = set()
    with pyarrow.parquet.ParquetFile(split_file(folder, split)) as file:
        for batch in file.iter_batches(columns=["language"]):
            found.update(batch.column("language").unique().to_pylist())
    return tuple(sorted(found))


def read_weighted(folder: Path, split: str, language: str) -> Iterator[tuple[str, float]]:
    """Texts of one split in one language, in order, each with the weight of its source; read a row group at a time.

    Args:
        folder: Folder of the dataset artifact.
        split: `train` or `test`.
        language: ISO 639-1 code.

    Returns:
        Pairs of a text and how many times it counts, > 0; 1 where the recipe says nothing.
    """
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(split_file(folder, split)) as file:
        weights = _weights(file.metadata.metadata or {})
        end, weight = next(weights)
        for rows, texts in _groups(file, language):
            for row, text in zip(rows, texts, strict=True):
                while row >= end:
                    end, weight = next(weights)
                yield text, weight


def _groups(file: Any, language: str) -> Iterator[tuple[list[int], list[str]]]:
    """Row numbers in the file, and texts, of each row group's rows in a language."""
    import pyarrow.compute

    first = 0
    for number in range(file.num_row_groups):
        table = file.read_row_group(number, columns=["text", "language"])
        chosen = pyarrow.compute.equal(table["language"], language)
        rows = [first + row for row in pyarrow.compute.indices_nonzero(chosen).to_pylist()]
        first += table.num_rows
        yield rows, table["text"].filter(chosen).to_pylist()


def _weights(metadata: Mapping[bytes, bytes]) -> Iterator[tuple[float, float]]:
    """For each source the number of the row after its last, and its weight; 1 from there on."""
    end = 0
    for rows, weight in json.loads(metadata.get(_WEIGHTS.encode(), b"[]")):
        end += rows
        yield end, weight
    yield float("inf"), 1.0
