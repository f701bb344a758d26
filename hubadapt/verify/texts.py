"""The texts that a published model was measured on: found on the Hub, and taken only with the recorded hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubadapt.corpus.dataset import split_file
from hubadapt.errors import HubError
from hubadapt.hub.client import OURSELVES
from hubadapt.hub.errors import explained
from hubadapt.lineage import Names
from hubadapt.manifest import hash_file
from hubadapt.types import FileEntry, Manifest

_TEST = split_file(Path(), "test").as_posix()


@dataclass(frozen=True)
class Texts:
    """Where a run's held-out texts are published, and what they are.

    Attributes:
        ids: Datasets that may hold them, the likeliest first.
        file: The file as the record names it.
    """

    ids: Sequence[str]
    file: FileEntry


def texts_of(record: Manifest, names: Names, told: Sequence[str]) -> Texts | None:
    """Where a run's held-out texts are; None where it published none.

    Args:
        record: The run.
        names: What things are called on the Hub.
        told: Datasets that the card names, which may have been published under another name.
    """
    for artifact in record.artifacts():
        for entry in artifact.files if artifact.kind == "dataset" else ():
            if entry.path == _TEST:
                return Texts(list(dict.fromkeys([names[artifact.name], *told])), entry)
    return None


def fetch_texts(texts: Texts) -> Path:
    """The dataset folder with the held-out split alone, in the Hub's cache.

    Raises:
        HubError: They are not on the Hub, or no longer what was measured on.
    """
    from huggingface_hub import hf_hub_download

    failed: HubError | None = None
    for id in texts.ids:
        try:
            with explained(id):
                path = Path(hf_hub_download(id, texts.file.path, repo_type="dataset", **OURSELVES))
        except HubError as error:
            failed = failed or error
            continue
        if hash_file(path) == texts.file.sha256:
            _require_columns(path, id)
            return path.parent.parent
        failed = HubError(f"{texts.file.path} of {id} is no longer what was measured on.", "Push the run again.")
    raise failed or HubError("the texts are not published.", "Push the run again.")


def _require_columns(path: Path, id: str) -> None:
    """Stop at a file that is no table of texts, whatever its hash.

    Raises:
        HubError: It is none.
    """
    import pyarrow.parquet

    try:
        columns = {*pyarrow.parquet.read_schema(path).names}
    except (pyarrow.ArrowException, OSError) as error:
        raise HubError(f"{path.name} of {id} is no Parquet file: {error}.", "Push the run again.") from error
    if not {"text", "language"} <= columns:
        raise HubError(f"{path.name} of {id} has no columns `text` and `language`.", "Push the run again.")
