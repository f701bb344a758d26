"""The demo's one table: what was gained and what it cost, from the manifest alone."""

from __future__ import annotations

from collections.abc import Iterator

from hubadapt.card import comparison
from hubadapt.types import Artifact, Manifest

_WORDS = {
    "characters_per_token": "characters per token",
    "bits_per_byte": "bits per byte (lower is better)",
    "generated_characters_per_token": "generated characters per token",
    "generated_characters_per_second": "characters generated a second",
    "held_out_characters_per_second": "characters/s at the held-out text",
}


def before_and_after(manifest: Manifest) -> str:
    """Before, after and their ratio for the adapted base and each adapted sibling."""
    newest = {artifact.of: artifact for artifact in manifest.artifacts() if artifact.kind == "model"}
    lines = [f"{'':<44}{'before':>10}{'after':>10}{'ratio':>8}"]
    for source, artifact in newest.items():
        lines.append(f"{source} → {artifact.name}")
        lines += list(_rows(manifest, artifact))
    return "\n".join([*lines, "", *_caveat(manifest)])


def _rows(manifest: Manifest, artifact: Artifact) -> Iterator[str]:
    for row in comparison(manifest, artifact):
        if row["name"] in _WORDS:
            label = f"  {row['language']}  {_WORDS[row['name']]}"
            yield f"{label:<44}{row['before'].value:>10.3f}{row['after'].value:>10.3f}{row['ratio']:>8.2f}"


def _caveat(manifest: Manifest) -> Iterator[str]:
    facts = next((record.facts for record in manifest.stages if record.kind == "pretrain"), None)
    if facts:
        learnt = f"{facts['trained_parameters']:,} numbers of the new rows learnt, on {facts['tokens']:,} tokens"
        yield f"Only the {learnt}. That shows the gain in speed, and"
        yield "that English stays; more Russian it cannot teach: real adaptations train on billions of tokens."
