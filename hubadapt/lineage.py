"""Which models an artifact descends from, and what everything is called on the Hub: pure functions of the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hubadapt.types import Artifact, Manifest

MAIN = "main"
"""The branch that everybody gets who names none."""

Layout = Literal["repositories", "revisions"]
"""How a run's models lie on the Hub: each in a repository of its own, or all forms of one source as branches of one
repository, the last of them on `main`."""


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
        layout: How its models are laid out.
        given: Addresses that follow no rule, by name: `owner/name`, or `owner/name@branch`.
        commits: Full sha of the commit that holds an artifact, by name, as far as it is known.
        collection: Slug of the run's collection; empty while there is none.
    """

    manifest: Manifest
    namespace: str
    layout: Layout = "repositories"
    given: Mapping[str, str] = field(default_factory=dict)
    commits: Mapping[str, str] = field(default_factory=dict)
    collection: str = ""

    def __getitem__(self, name: str) -> str:
        """Hub id of a source or artifact; a source that is on the Hub already keeps its own."""
        return self.address(name).partition("@")[0]

    def address(self, name: str) -> str:
        """Hub id of a source or artifact, with `@branch` where it is not on `main`."""
        if name in self.given:
            return self.given[name]
        source = self.manifest.sources().get(name)
        if source is not None and not source.local:
            return source.id
        prefix = f"{self.namespace}/{self.manifest.name}"
        if source is not None:
            return f"{prefix}-source-{name}"
        forms = self._forms(name) if self.layout == "revisions" else ()
        if not forms:
            return f"{prefix}-{name}"
        repository = prefix if forms[-1].of == "base" else f"{prefix}-{forms[-1].of}"
        return repository if forms[-1].name == name else f"{repository}@{name}"

    def revision(self, name: str) -> str:
        """Branch that a source or artifact lies on."""
        return self.address(name).partition("@")[2] or MAIN

    def commit(self, name: str) -> str:
        """Exact revision of a source or artifact; empty where it is not known."""
        source = self.manifest.sources().get(name)
        return source.revision if source is not None else self.commits.get(name, "")

    def title(self, name: str) -> str:
        """What a card calls an artifact: its repository without the namespace, and its branch if that is not `main`."""
        repository, _, branch = self.address(name).partition("@")
        return repository.split("/")[-1] + (f" ({branch})" if branch else "")

    def page(self, name: str) -> str:
        """Address of a model on the Hub, without the Hub: `/owner/name`, or `/owner/name/tree/branch`."""
        repository, _, branch = self.address(name).partition("@")
        return f"/{repository}/tree/{branch}" if branch else f"/{repository}"

    @property
    def space(self) -> str:
        """Hub id of the Space that compares the run's models."""
        return f"{self.namespace}/{self.manifest.name}-compare"

    def base_models(self, artifact: Artifact) -> list[str]:
        """Hub ids of the closest models that an artifact descends from and that lie in other repositories."""
        found: list[str] = []
        made = {other.name: other for other in self.manifest.artifacts()}
        for name in parents(self.manifest, artifact):
            if name in made and self[name] == self[artifact.name]:
                found += self.base_models(made[name])
            else:
                found.append(self[name])
        return list(dict.fromkeys(found))

    def _forms(self, name: str) -> tuple[Artifact, ...]:
        """All forms of the source that a model is a form of, in the order they were made; none for what is no model."""
        models = [artifact for artifact in self.manifest.artifacts() if artifact.kind == "model"]
        own = next((artifact for artifact in models if artifact.name == name), None)
        return tuple(artifact for artifact in models if own is not None and artifact.of == own.of)
