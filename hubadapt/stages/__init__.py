"""The contract of a stage: one file with a `Config` and one function `run` under `@stage(...)`.

A stage writes only inside its own folder, prints nothing and publishes nothing. What it made and measured goes into
its `StageResult`, from which the runner makes the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from hubadapt.errors import RecipeError, UserError
from hubadapt.licences import Text
from hubadapt.registry import Registry
from hubadapt.types import Artifact, ArtifactKind, Manifest, Metric, Progress


class StageConfig(BaseModel):
    """Base of every stage's `Config`: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Made:
    """A folder that a stage wrote, before it is hashed.

    Attributes:
        name: The artifact's name.
        kind: What it holds.
        folder: Where it is, inside the stage's folder.
        of: The source model it is a form of.
    """

    name: str
    kind: ArtifactKind
    folder: Path
    of: str = ""


@dataclass(frozen=True)
class StageResult:
    """What a stage returns: folders, numbers and plain facts."""

    made: tuple[Made, ...] = ()
    metrics: tuple[Metric, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StageContext:
    """What a stage is given.

    Attributes:
        folder: The stage's own folder; it may hold what an interrupted run of the same work left.
        run: The run folder.
        recipe_folder: Where relative paths of the recipe start.
        manifest: The run so far.
        sources: Local folders of the source models: `base` and the siblings by name.
        progress: Opens a progress bar.
        inputs: What goes into the stage's record: revisions of the source models, and what its `inputs` gave.
    """

    folder: Path
    run: Path
    recipe_folder: Path
    manifest: Manifest
    sources: Mapping[str, Path]
    progress: Progress
    inputs: Mapping[str, str] = field(default_factory=dict)

    def latest(self, kind: ArtifactKind, *, of: str = "base") -> Artifact:
        """The newest artifact of a kind for one source model.

        Raises:
            RecipeError: No earlier stage made one.
        """
        for artifact in reversed(self.manifest.artifacts()):
            if artifact.kind == kind and artifact.of in (of, ""):
                return artifact
        raise RecipeError(
            f"no earlier stage made a {kind} of {of}.", "Put the stage that makes it first: see `hubadapt stages`."
        )

    def latest_folder(self, kind: ArtifactKind, *, of: str = "base") -> Path:
        """Folder of `latest`."""
        return self.run / self.latest(kind, of=of).folder


@dataclass(frozen=True)
class Outlook:
    """What is known before anything runs, for checks and estimates.

    Attributes:
        recipe_folder: Where relative paths of the recipe start.
        language: Target language.
        siblings: How many siblings there are.
        folders: Configuration and tokenizer of each source that can be used, by name; weights may be missing.
        parameters: Parameters of the base, tables included once.
        table_rows: V, rows of the base's input table.
        hidden_size: D.
        model_bytes: Size of the base's weights on disk.
        flops: Float32 operations per second of this machine, measured.
        configs: Configuration of every stage of the recipe, by kind.
        texts: Licences of text; checks that read it put in what they find.
    """

    recipe_folder: Path
    language: str
    siblings: int
    folders: Mapping[str, Path]
    parameters: int
    table_rows: int
    hidden_size: int
    model_bytes: int
    flops: float
    configs: Mapping[str, StageConfig]
    texts: set[Text] = field(default_factory=set)

    def unknown_model(self, kind: str, name: str) -> Iterator[UserError]:
        """The error of a stage that names a model which the recipe has not.

        Args:
            kind: The stage.
            name: Of the model: `base`, or a sibling's.
        """
        if name not in self.folders:
            yield RecipeError(
                f"stage {kind}: there is no model {name!r} in the recipe.", f"Name one of: {', '.join(self.folders)}."
            )


@dataclass(frozen=True)
class Cost:
    """An estimate: seconds of wall time, peak bytes of memory, bytes left on disk."""

    seconds: float = 1.0
    memory: int = 0
    disk: int = 0


@dataclass(frozen=True)
class Stage:
    """A registered stage.

    Attributes:
        kind: Its word in a recipe.
        summary: One line for users.
        config: The class its parameters are read into.
        run: Does the work.
        needs: Kinds of stages that must stand before it.
        siblings: Whether it reads sibling models, so that another sibling means running it again.
        check: Problems that can be found before anything runs.
        inputs: Hashes or revisions of what it reads outside the run, by name.
        estimate: What it will cost.
    """

    kind: str
    summary: str
    config: type[StageConfig]
    run: Callable[[StageContext, Any], StageResult]
    needs: tuple[str, ...]
    siblings: bool
    check: Callable[[Any, Outlook], Iterable[UserError]]
    inputs: Callable[[Any, Path], Mapping[str, str]]
    estimate: Callable[[Any, Outlook], Cost]


_registry: Registry[Stage] = Registry("hubadapt.stages", "hubadapt.stages")


def stage(
    kind: str,
    config: type[StageConfig],
    *,
    needs: tuple[str, ...] = (),
    siblings: bool = True,
    check: Callable[[Any, Outlook], Iterable[UserError]] = lambda config, outlook: (),
    inputs: Callable[[Any, Path], Mapping[str, str]] = lambda config, folder: {},
    estimate: Callable[[Any, Outlook], Cost] = lambda config, outlook: Cost(),
) -> Callable[[Callable[[StageContext, Any], StageResult]], Callable[[StageContext, Any], StageResult]]:
    """Register a function as a stage; the first line of its docstring is shown to users."""

    def decorate(run: Callable[[StageContext, Any], StageResult]) -> Callable[[StageContext, Any], StageResult]:
        summary = (run.__doc__ or kind).strip().splitlines()[0]
        _registry.register(kind, Stage(kind, summary, config, run, needs, siblings, check, inputs, estimate))
        return run

    return decorate


def find_stage(kind: str) -> Stage:
    """The stage of that kind.

    Raises:
        RecipeError: There is none.
    """
    return _registry.find(kind, lambda kind, hint: RecipeError(f"there is no stage {kind!r}.", hint))


def stages() -> dict[str, Stage]:
    """All stages by kind."""
    return _registry.entries()
