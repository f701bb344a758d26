"""Resolves what a user wrote to a pinned `ModelRef`, and brings the model to a local folder."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hubadapt.errors import ManifestError, ModelError
from hubadapt.front_matter import licence_in, licence_of
from hubadapt.hub.client import hub_api
from hubadapt.hub.errors import explained
from hubadapt.licence_texts import LARGEST, LICENCE_PATTERNS, licence_of_folder
from hubadapt.manifest import HashOf, hash_file, hash_folder
from hubadapt.types import ModelRef

_TERMS = [*LICENCE_PATTERNS, "NOTICE*", "USE_POLICY*"]
_SMALL = ["*.json", "*.jinja", "*.model", *_TERMS]


@dataclass(frozen=True)
class Resolved:
    """A model reference with what the Hub or the folder says of it.

    Attributes:
        ref: The pinned reference.
        model_bytes: Size of its safetensors files.
        private: Whether it is a private repository.
    """

    ref: ModelRef
    model_bytes: int
    private: bool = False


def resolve(text: str, start: Path) -> Resolved:
    """Pin a model that a user named, and read the licence that its card names, or else whose text lies beside it.

    Args:
        text: A folder (relative to `start` or absolute) or a Hub id, `owner/name` or `owner/name@revision`.
        start: Where relative folders begin.

    Raises:
        ModelError: A folder that does not exist or holds no weights.
        HubError: An id that does not exist, is gated, or a Hub that does not answer.
    """
    folder = start / Path(text).expanduser()
    if folder.is_dir():
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        card = folder / "README.md"
        licence = licence_of(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else ""
        ref = ModelRef(id=text, revision=hash_folder(folder), local=True, license=licence or licence_of_folder(folder))
        return Resolved(ref, size)
    if text.startswith((".", "/", "~")) or text.count("/") != 1:
        raise ModelError(
            f"the model folder {text} does not exist.",
            "Check `base` and `siblings` in the recipe; paths start at its folder.",
        )
    name, _, revision = text.partition("@")
    with explained(text):
        info = hub_api().model_info(name, revision=revision or None, files_metadata=True)
    size = sum(file.size or 0 for file in info.siblings or () if file.rfilename.endswith(".safetensors"))
    named: Any = info.card_data or {}
    licence = licence_in({key: named.get(key) for key in ("license", "license_name")})
    ref = ModelRef(id=name, revision=info.sha or "", license=licence or _licence_text(info))
    return Resolved(ref, size, bool(info.private))


def _licence_text(info: Any) -> str:
    """The licence whose text a repository holds, read into the Hub's cache; empty where it holds none that is known."""
    sizes = [
        file.size or 0
        for file in info.siblings or ()
        if any(fnmatch(file.rfilename, pattern) for pattern in LICENCE_PATTERNS)
    ]
    if not sizes or max(sizes) > LARGEST:
        return ""
    with explained(f"{info.id}@{info.sha}"):
        folder = hub_api().snapshot_download(info.id, revision=info.sha, allow_patterns=list(LICENCE_PATTERNS))
    return licence_of_folder(Path(folder))


def local_folder(ref: ModelRef, start: Path, *, weights: bool = True) -> Path:
    """The folder a pinned model lies in, downloaded into the Hub's cache where needed.

    Args:
        ref: The reference.
        start: Where relative folders begin.
        weights: Also bring the weights, not only configuration and tokenizer.

    Raises:
        HubError: The download failed.
    """
    if ref.local:
        return start / Path(ref.id).expanduser()
    patterns = [*_SMALL, *(["*.safetensors"] if weights else [])]
    with explained(f"{ref.id}@{ref.revision}"):
        return Path(hub_api().snapshot_download(ref.id, revision=ref.revision, allow_patterns=patterns))


def cached_folder(ref: ModelRef) -> Path | None:
    """The folder in the Hub's cache with a model's licence files, and perhaps more; None where they are not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(ref.id, revision=ref.revision, allow_patterns=_TERMS, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def source_folder(ref: ModelRef, run: Path, hash_of: HashOf = hash_file) -> Path:
    """The folder of a model that a run started from.

    A run does not record where its recipe lay. A relative folder is looked for beside the run folder, in the folders
    above it and in the current one; only one with the recorded content is taken.

    Args:
        ref: The reference.
        run: The run folder.
        hash_of: Hashes a file.

    Raises:
        ManifestError: It is gone or has changed.
        HubError: The download failed.
    """
    if not ref.local:
        return local_folder(ref, run)
    for start in dict.fromkeys((*run.resolve().parents, Path.cwd())):
        folder = start / Path(ref.id).expanduser()
        if folder.is_dir() and hash_folder(folder, hash_of) == ref.revision:
            return folder
    raise ManifestError(
        f"the source model {ref.id} is gone or has changed since the run.",
        "Put it back as it was, or run the recipe again.",
    )
