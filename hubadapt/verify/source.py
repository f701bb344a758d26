"""The model that a published one was made from: its tokenizer to try gates beside, its weights to measure before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hubadapt.lineage import Names
from hubadapt.types import Manifest
from hubadapt.verify.published import LOADED, Published, find_published

_NEVER = ("consolidated", "adapter_")


@dataclass(frozen=True)
class Source:
    """A source as it is on the Hub, and which of its files are downloaded.

    Attributes:
        published: The repository, at the recorded commit.
        files: Of the tokenizer and configuration, and the weights where they are wanted.
    """

    published: Published
    files: Sequence[str]


def find_source(record: Manifest, name: str, names: Names, *, weights: bool) -> Source:
    """Look a source up; nothing is downloaded.

    Args:
        record: The run.
        name: `base`, or a sibling's name.
        names: What things are called on the Hub.
        weights: Whether its weights are wanted too.

    Raises:
        HubError: It is not there, gated or private.
        ModelError: It holds no safetensors weights.
    """
    ref = record.sources()[name]
    published = find_published(names[name] if ref.local else f"{ref.id}@{ref.revision}")
    endings = LOADED if weights else tuple(ending for ending in LOADED if ending != ".safetensors")
    files = [
        path for path in sorted(published.files)
        if "/" not in path and path.endswith(endings) and not path.startswith(_NEVER)
    ]  # fmt: skip
    return Source(published, files)
