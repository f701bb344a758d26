"""Checksums of a published model, in the form that `sha256sum -c SHA256SUMS` reads: nothing of hubadapt is needed."""

from __future__ import annotations

from collections.abc import Mapping

CHECKSUMS = "SHA256SUMS"


def checksums(hashes: Mapping[str, str]) -> str:
    """A line for each file: its SHA-256, two spaces, its path.

    Args:
        hashes: SHA-256 in hex, by path.
    """
    return "".join(f"{sha256}  {path}\n" for path, sha256 in hashes.items())


def read_checksums(text: str) -> dict[str, str]:
    """What `checksums` wrote, by path; lines of another form count as files that nobody has."""
    pairs = (line.partition("  ") for line in text.splitlines())
    return {path or sha256: sha256 for sha256, _, path in pairs}
