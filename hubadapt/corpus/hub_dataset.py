"""Reads the text of a dataset on the Hub as a stream, at a commit that was pinned before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hubadapt.corpus.documents import Document, Origin, make_documents
from hubadapt.corpus.files import Row, require_column
from hubadapt.errors import CorpusError, HubError
from hubadapt.hub.client import hub_api
from hubadapt.hub.errors import disk_is_full, explained

_CODES = 12
"""Digits of a commit that tell it from all others of a repository."""


@dataclass(frozen=True)
class HubDataset:
    """A dataset on the Hub, pinned.

    Attributes:
        id: `owner/name`.
        revision: Full commit sha.
        config: Which of its configurations; None where it has one, or a default.
        split: Which split of that.
    """

    id: str
    revision: str
    config: str | None = None
    split: str = "train"

    @property
    def name(self) -> str:
        """What its documents name as their source."""
        return f"{self.id}@{self.revision[:_CODES]}"


@dataclass(frozen=True)
class Pinned:
    """What the Hub says of a dataset.

    Attributes:
        id: `owner/name`.
        revision: Full commit sha.
        size: Bytes of all its files.
    """

    id: str
    revision: str
    size: int


def pin_dataset(text: str) -> Pinned:
    """Find the commit of a dataset that a user named.

    Args:
        text: `owner/name` or `owner/name@revision`.

    Raises:
        HubError: It does not exist, is private, or the Hub does not answer.
    """
    id, _, revision = text.partition("@")
    with explained(f"datasets/{text}"):
        info = hub_api().dataset_info(id, revision=revision or None, files_metadata=True)
    return Pinned(id, info.sha or "", sum(file.size or 0 for file in info.siblings or ()))


def stream_documents(dataset: HubDataset, *, license: str | None, column: str = "text") -> Iterator[Document]:
    """Read a dataset's documents one by one; nothing but its card is stored on this machine.

    `datasets` takes Parquet a row group at a time, in some four times the memory of its text.

    Args:
        dataset: The pinned dataset.
        license: Licence of rows that have no column `license`.
        column: The column that holds the text.

    Raises:
        CorpusError: It has no such configuration, split or column, cannot be read, or a row has no text or licence.
        HubError: The Hub refuses or does not answer.
    """
    name = f"the Hub dataset {dataset.name}"
    origin = Origin(f"{name} row", dataset.name, license, column)
    with _quiet(), explained(f"datasets/{dataset.id}@{dataset.revision}"), _readable(name):
        yield from make_documents(enumerate(_rows(dataset, name, column), start=1), origin)


def _rows(dataset: HubDataset, name: str, column: str) -> Iterator[Row]:
    import datasets

    try:
        splits = datasets.load_dataset(dataset.id, dataset.config, revision=dataset.revision, streaming=True)
    except ValueError:
        _require_config(dataset, name)
        raise
    if dataset.split not in splits:
        raise CorpusError(
            f"{name} has no split {dataset.split!r}; it has {_listed(splits)}.",
            "Name one with `split:` of this source in the recipe.",
        )
    rows = splits[dataset.split]
    if rows.column_names is not None:
        require_column(column, rows.column_names, name)
        # Columns that are not taken are not decoded, which for pictures and sound takes most of the time.
        rows = rows.select_columns([key for key in rows.column_names if key in (column, "license", "id")])
    for row in rows:
        # What a column `source` means differs between datasets; the dataset itself is the source.
        yield {key: value for key, value in row.items() if key != "source" or column == "source"}


def _require_config(dataset: HubDataset, name: str) -> None:
    import datasets

    known = datasets.get_dataset_config_names(dataset.id, revision=dataset.revision)
    if dataset.config in known or (dataset.config is None and (len(known) == 1 or "default" in known)):
        return
    asked = f"no configuration {dataset.config!r}" if dataset.config else "several configurations"
    raise CorpusError(
        f"{name} has {asked}; there are {_listed(known)}.", "Name one with `config:` of this source in the recipe."
    )


def _listed(names: Any) -> str:
    return ", ".join(repr(str(name)) for name in names) or "none"


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Errors of `datasets` that a user can do something about."""
    import pyarrow
    from datasets.exceptions import DatasetsError
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError:
        raise
    except ConnectionError as error:
        raise HubError(
            f"the Hub at {constants.ENDPOINT} does not answer ({name}).",
            "Check the network and HF_ENDPOINT; what was read before is read again.",
        ) from error
    except (DatasetsError, pyarrow.ArrowException, OSError, ValueError, RuntimeError) as error:
        if disk_is_full(error):
            raise
        raise CorpusError(
            f"{name} cannot be read: {error}.",
            "Choose another dataset, configuration or revision: owner/name@revision under `hub:` in the recipe.",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep `datasets` from printing: what fails is an error of ours, and bars are the caller's."""
    import datasets

    level, bars = datasets.logging.get_verbosity(), datasets.is_progress_bar_enabled()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)
        if bars:
            datasets.enable_progress_bars()
