"""Reads, writes and checks a run's manifest, `hubadapt.json`, and hashes what it names."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hubadapt.errors import ManifestError
from hubadapt.types import Artifact, FileEntry, Manifest, StageRecord

MANIFEST_NAME = "hubadapt.json"
HashOf = Callable[[Path], str]
"""Gives the SHA-256 of a file's bytes, in hex."""


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` so that a reader, or a crash, sees the old file or the new one and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_manifest(run: Path, manifest: Manifest) -> None:
    """Write the manifest of the run folder `run`, atomically."""
    write_atomic(run / MANIFEST_NAME, manifest.model_dump_json(indent=2) + "\n")


def read_manifest(run: Path) -> Manifest:
    """Read the manifest of the run folder `run`.

    Raises:
        ManifestError: The file is missing, or is no manifest of a version this release knows.
    """
    path = run / MANIFEST_NAME
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(
            f"{run} is no run folder: it holds no {MANIFEST_NAME}.", f"hubadapt run RECIPE.yaml --out {run}"
        ) from None
    except (ValidationError, UnicodeDecodeError) as error:
        where = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("file",), "msg": "not UTF-8"}
        place = ".".join(str(part) for part in where["loc"]) or "file"
        raise ManifestError(
            f"{path} is damaged at {place}: {where['msg']}.",
            f"Delete {path} and run the recipe again: hubadapt run RECIPE.yaml --out {run}",
        ) from error


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_bytes(data: bytes) -> str:
    """SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def list_files(folder: Path, hash_of: HashOf = hash_file) -> tuple[FileEntry, ...]:
    """Every file below `folder` with size and hash, in order of path; hidden and cache files are left out."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return tuple(
        file_entry(folder, name, hash_of)
        for name in names
        if not any(part.startswith((".", "__pycache__")) for part in name.split("/"))
    )


def file_entry(folder: Path, name: str, hash_of: HashOf = hash_file) -> FileEntry:
    """Size and hash of one file of a folder."""
    return FileEntry(path=name, size=(folder / name).stat().st_size, sha256=hash_of(folder / name))


def hash_folder(folder: Path, hash_of: HashOf = hash_file) -> str:
    """One hash over names and contents of a folder's files, as `sha256:…`; names of parents do not matter."""
    return "sha256:" + fingerprint([entry.model_dump() for entry in list_files(folder, hash_of)])


def fingerprint(value: Mapping[str, Any] | list[Any]) -> str:
    """SHA-256 of a value's canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def damage(run: Path, artifact: Artifact, *, thorough: bool = True, hash_of: HashOf = hash_file) -> str | None:
    """What is wrong with an artifact on disk: a sentence, or None when it is as its record says.

    Args:
        run: The run folder.
        artifact: The record's entry.
        thorough: Also compare hashes, not only names and sizes.
        hash_of: Hashes a file.
    """
    for entry in artifact.files:
        path = run / artifact.folder / entry.path
        if not path.is_file():
            return f"{artifact.folder}/{entry.path} is missing"
        if path.stat().st_size != entry.size:
            return f"{artifact.folder}/{entry.path} has {path.stat().st_size} bytes, recorded were {entry.size}"
        if thorough and hash_of(path) != entry.sha256:
            return f"{artifact.folder}/{entry.path} differs from the recorded hash {entry.sha256[:12]}…"
    return None


def is_intact(run: Path, record: StageRecord) -> bool:
    """Whether every file that a stage's record names exists with the hash it names."""
    return all(damage(run, artifact) is None for artifact in record.artifacts)
