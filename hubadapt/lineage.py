"""Which models an artifact descends from, and what everything is called on the Hub: pure functions of the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hubadapt.types import Artifact, Manifest


def parents(manifest: Manifest, artifact: Artifact) -> tuple[str, ...]:
    """Names of the sources or artifacts a model was made from, the closest first.

    A form of the base descends from the form before it; a sibling's form from the sibling and from the adapted base
    whose rows it was given.
    """
    before: list[Artifact] = []
    for other in manifest.artifacts():
        if other == artifact:
            break
        if other.kind == "model":
            before.append(other)
    own = next((other.name for other in reversed(before) if other.of == artifact.of), artifact.of)
    base = next((other.name for other in reversed(before) if other.of == "base"), None)
    return (own,) if artifact.of == "base" or base is None else (own, base)


@dataclass(frozen=True)
class Names:
    """What sources and artifacts are called on the Hub.

    Attributes:
        manifest: The run.
        namespace: User or organisation that publishes it.
        given: Hub ids that follow no rule, by name.
    """

    manifest: Manifest
    namespace: str
    given: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """Hub id of a source or artifact; a source that is on the Hub already keeps its own."""
        if name in self.given:
            return self.given[name]
        source = self.manifest.sources().get(name)
        if source is not None and not source.local:
            return source.id
        part = f"source-{name}" if source is not None else name
        return f"{self.namespace}/{self.manifest.name}-{part}"
