"""Files of rows that a stage tunes on: how a recipe names them, and how they are checked and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from hubadapt.corpus.files import files_size
from hubadapt.errors import CorpusError, UserError
from hubadapt.licences import Text
from hubadapt.types import Progress


class FileSource(BaseModel):
    """A file or a folder of files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="A .jsonl or .parquet file, maybe compressed, or a folder of them")
    license: str | None = Field(None, description="Licence of rows that do not name one")


class Licensed(Protocol):
    """What is read: it names where it comes from and its licence."""

    @property
    def source(self) -> str:
        """Where it comes from."""

    @property
    def license(self) -> str:
        """Its licence."""


Read = TypeVar("Read", bound=Licensed)


def read_sources(
    sources: Sequence[FileSource], folder: Path, read: Callable[..., Iterator[Read]], progress: Progress
) -> Iterator[Read]:
    """The rows of all sources, one by one, with a bar each.

    Args:
        sources: As the recipe names them.
        folder: Where their paths begin.
        read: `read_conversations` or its like.
        progress: Opens progress bars.
    """
    for source in sources:
        path = folder / source.path
        with progress(f"reading {source.path.as_posix()}", files_size(path)) as advance:
            yield from read(path, license=source.license, advance=advance)


def source_problems(
    sources: Sequence[FileSource], folder: Path, read: Callable[..., Iterator[Read]], texts: set[Text]
) -> Iterator[UserError]:
    """Every problem of the sources; licences are noted.

    Args:
        sources: As the recipe names them.
        folder: Where their paths begin.
        read: As for `read_sources`.
        texts: The licences of what is read are added to these.
    """
    for source in sources:
        empty = True
        try:
            for row in read(folder / source.path, license=source.license):
                empty = False
                texts.add(Text(row.source, row.license, True))
        except UserError as error:
            yield error
            continue
        if empty:
            yield CorpusError(f"{source.path} is empty.", "Check `sources` of the stage in the recipe.")
