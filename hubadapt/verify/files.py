"""The files of a published model beside the hashes that its record names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hubadapt.hub.checksums import CHECKSUMS, read_checksums
from hubadapt.hub.plan import LICENCE_FILES
from hubadapt.manifest import MANIFEST_NAME, hash_file
from hubadapt.types import Artifact
from hubadapt.verify.finding import Finding, differs, same
from hubadapt.verify.published import LOADED, Published

_READ_TOO = (*LOADED, ".bin", ".pt", ".pth", ".py", ".txt")
_OURS = (MANIFEST_NAME, CHECKSUMS)


def file_findings(published: Published, artifact: Artifact, folder: Path) -> Iterator[Finding]:
    """Hashes of all files that were downloaded, and files that loaders read though the record names none of that name.

    Args:
        published: The repository.
        artifact: The record's entry of the model.
        folder: Where its files lie, those of `files_to_load` and the list of checksums.
    """
    recorded = {entry.path: entry.sha256 for entry in artifact.files}
    there = {path: sha256 for path, sha256 in recorded.items() if (folder / path).is_file()}
    found = {path: hash_file(folder / path) for path in there}
    wrong = [path for path in there if found[path] != recorded[path]]
    right = len(there) - len(wrong)
    if right:
        yield same("sha256", f"{right} file{'' if right == 1 else 's'}")
    for path in wrong:
        yield differs(f"sha256 of {path}", recorded[path][:12] + "…", found[path][:12] + "…", "the file was changed")
    strangers = sorted(name for name in published.files if _is_stranger(name, recorded))
    if strangers:
        yield differs("files", "none but those", ", ".join(strangers[:5]), "loaders read what the record does not name")
    listed = folder / CHECKSUMS
    told = read_checksums(listed.read_text(encoding="utf-8", errors="replace")) if listed.is_file() else {}
    lies = [path for path, sha256 in told.items() if recorded.get(path) != sha256]
    if lies:
        yield differs(f"{CHECKSUMS}: {lies[0]}", "the record's hash", "another", "the list was changed")


def _is_stranger(name: str, recorded: dict[str, str]) -> bool:
    """Whether a file at the top is one that loaders may read, and is not the model's own as recorded."""
    return "/" not in name and name.endswith(_READ_TOO) and name not in {*recorded, *_OURS, *LICENCE_FILES}
