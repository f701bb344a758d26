"""A published model before anything of it is loaded: what is there, what is downloaded, and what is refused."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hubadapt.checkpoint.whole import require_space
from hubadapt.errors import ModelError
from hubadapt.hub.client import OURSELVES, hub_api
from hubadapt.hub.errors import explained
from hubadapt.lineage import MAIN

LOADED = (".safetensors", ".json", ".jinja", ".model")
"""Endings of the files that a model and its tokenizer are loaded from."""

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class HubFile:
    """A file as the Hub lists it; the hash is that of a large file, else None."""

    size: int
    sha256: str | None


@dataclass(frozen=True)
class Published:
    """A model repository at one commit.

    Attributes:
        id: Hub id.
        branch: Branch, tag or commit that was asked for.
        commit: Full commit sha.
        files: Path → file.
    """

    id: str
    branch: str
    commit: str
    files: Mapping[str, HubFile]

    @property
    def at(self) -> str:
        """Its id and commit, for messages."""
        return f"{self.id}@{self.commit[:12]}"


def find_published(text: str) -> Published:
    """Look a model up; nothing is downloaded.

    Args:
        text: `owner/name` or `owner/name@revision`.

    Raises:
        HubError: It does not exist, is gated or private, or the Hub does not answer.
        ModelError: It holds no safetensors weights.
    """
    name, _, revision = text.partition("@")
    with explained(text):
        info = hub_api().model_info(name, revision=revision or None, files_metadata=True)
    files = {
        file.rfilename: HubFile(file.size or 0, file.lfs.sha256 if file.lfs else None) for file in info.siblings or ()
    }
    _require_safetensors(text, files)
    return Published(name, revision or MAIN, info.sha or "", files)


def _require_safetensors(text: str, files: Iterable[str]) -> None:
    if any(name.endswith(".safetensors") for name in files):
        return
    pickled = next((name for name in sorted(files) if name.endswith(_PICKLES)), None)
    if pickled:
        raise ModelError(
            f"{text} has its weights as pickle alone ({pickled}), which can run any code and is never opened.",
            "Ask its owner for safetensors: model.save_pretrained(...) writes them.",
        )
    raise ModelError(f"{text} holds no safetensors weights.", "Name a repository with a model.")


def missing_bytes(published: Published, names: Iterable[str]) -> int:
    """How much of some files is not in the Hub's cache yet."""
    from huggingface_hub import try_to_load_from_cache

    cached = [isinstance(try_to_load_from_cache(published.id, n, revision=published.commit), str) for n in names]
    return sum(published.files[name].size for name, there in zip(names, cached, strict=True) if not there)


def require_cache_space(needed: int) -> None:
    """Stop where the disk of the Hub's cache has no room for a download.

    Raises:
        UserError: Less is free.
    """
    from huggingface_hub import constants

    require_space(Path(constants.HF_HUB_CACHE), needed)


def download(published: Published, names: Iterable[str]) -> Path:
    """Bring some files, and no others, into the Hub's cache; the folder of the snapshot.

    Raises:
        HubError: The download failed, or the disk was full.
    """
    from huggingface_hub import snapshot_download

    with explained(published.at):
        patterns = [glob.escape(name) for name in names]
        return Path(snapshot_download(published.id, revision=published.commit, allow_patterns=patterns, **OURSELVES))
