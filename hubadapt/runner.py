"""Runs a recipe: resolve all first, run stages in order, skip what is intact, write the manifest after each."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from hubadapt.energy import metered, total
from hubadapt.errors import UserError
from hubadapt.hub.fetch import local_folder
from hubadapt.licences import chain_of
from hubadapt.machine import hardware, packages
from hubadapt.manifest import (
    MANIFEST_NAME,
    fingerprint,
    is_intact,
    list_files,
    read_manifest,
    write_atomic,
    write_manifest,
)
from hubadapt.outlook import Forecast, forecast
from hubadapt.recipe import Recipe
from hubadapt.stages import Made, Stage, StageConfig, StageContext, find_stage
from hubadapt.types import Artifact, Manifest, Progress, StageRecord

_STARTED = ".started"
_READINGS = ".energy.json"


class InterruptedRunError(UserError):
    """The user stopped a run; finished stages are kept."""


def run_recipe(
    recipe: Recipe, run: Path, *, progress: Progress, report: Callable[[str, str], None] = lambda kind, event: None
) -> Manifest:
    """Fill a run folder.

    A stage whose record has the fingerprint it would get now, and whose files are intact, is skipped. The first that
    is not, and all after it, run again; one that was interrupted finds its own folder as it left it.

    Args:
        recipe: What to run.
        run: The run folder.
        progress: Opens progress bars.
        report: Called with a stage's kind and `skipped`, `started` or `done`.

    Raises:
        UserError: The recipe, a source or a stage has a problem; what was finished before is kept.
        InterruptedRunError: The user pressed Ctrl-C.
    """
    outlook = forecast(recipe)
    earlier = read_manifest(run) if (run / MANIFEST_NAME).is_file() else None
    records = {record.name: record for record in earlier.stages} if earlier else {}
    manifest = _empty_manifest(recipe, outlook)
    sources = {name: local_folder(source.ref, recipe.path.parent) for name, source in outlook.sources.items()}
    revisions = {name: source.ref.revision for name, source in outlook.sources.items()}
    done: dict[str, str] = {}
    for number, (kind, config) in enumerate(recipe.stages.items()):
        stage = find_stage(kind)
        read = revisions if stage.siblings else {"base": revisions["base"]}
        inputs = {**read, **done, **stage.inputs(config, recipe.path.parent)}
        mark = fingerprint(
            {"kind": kind, "params": config.model_dump(mode="json"), "language": recipe.language, "inputs": inputs}
        )
        record = records.get(kind)
        if record is not None and record.fingerprint == mark and is_intact(run, record):
            report(kind, "skipped")
        else:
            report(kind, "started")
            folder, resumed = _stage_folder(run, number, kind, mark)
            context = StageContext(folder, run, recipe.path.parent, manifest, sources, progress, inputs)
            meter = metered(recipe.energy.country, folder / _READINGS, resumed=resumed) if recipe.energy else None
            record = _run_stage(stage, config, context, mark, meter)
            records.clear()
            report(kind, "done")
            write_manifest(run, _with(manifest, record))
        manifest = _with(manifest, record)
        done[kind] = mark
    return _settle(run, manifest, earlier)


def _run_stage(
    stage: Stage, config: StageConfig, context: StageContext, mark: str, meter: AbstractContextManager[None] | None
) -> StageRecord:
    try:
        with meter or nullcontext():
            start = time.perf_counter()
            result = stage.run(context, config)
            seconds = time.perf_counter() - start
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"stopped by Ctrl-C in the stage {stage.kind}; finished stages are kept.",
            "Run the same command again to go on where it stopped.",
        ) from None
    energy = total(context.folder / _READINGS) if meter else None
    (context.folder / _STARTED).unlink()
    return StageRecord(
        name=stage.kind,
        kind=stage.kind,
        params=config.model_dump(mode="json"),
        inputs=dict(context.inputs),
        artifacts=tuple(_artifact(made, context.run) for made in result.made),
        metrics=result.metrics,
        facts=dict(result.facts),
        seconds=round(seconds, 3),
        energy=energy,
        fingerprint=mark,
    )


def _artifact(made: Made, run: Path) -> Artifact:
    return Artifact(
        name=made.name,
        kind=made.kind,
        folder=made.folder.relative_to(run).as_posix(),
        of=made.of,
        files=list_files(made.folder),
    )


def _stage_folder(run: Path, number: int, kind: str, mark: str) -> tuple[Path, bool]:
    """The stage's folder, as it was left if the same work was interrupted in it, else empty; and which of the two."""
    folder = run / f"{number}-{kind}"
    started = folder / _STARTED
    resumed = started.is_file() and started.read_text(encoding="utf-8") == mark
    if not resumed:
        shutil.rmtree(folder, ignore_errors=True)
        write_atomic(started, mark)
    return folder, resumed


def _with(manifest: Manifest, record: StageRecord) -> Manifest:
    return manifest.model_copy(update={"stages": (*manifest.stages, record)})


def _settle(run: Path, manifest: Manifest, earlier: Manifest | None) -> Manifest:
    """The manifest as it stays on disk; where no stage ran, the machine is still the one that did the work."""
    manifest = manifest.model_copy(update={"licences": chain_of(manifest)})
    if earlier is not None and earlier.stages == manifest.stages:
        manifest = manifest.model_copy(update={"packages": earlier.packages, "hardware": earlier.hardware})
    if manifest != earlier:
        write_manifest(run, manifest)
    return manifest


def _empty_manifest(recipe: Recipe, outlook: Forecast) -> Manifest:
    refs = {name: source.ref for name, source in outlook.sources.items()}
    return Manifest(
        name=recipe.name,
        language=recipe.language,
        license=recipe.license,
        license_name=recipe.license_name,
        license_link=recipe.license_link,
        license_decisions=recipe.license_decisions,
        base=refs["base"],
        siblings={name: ref for name, ref in refs.items() if name != "base"},
        recipe=recipe.text,
        packages=packages(),
        hardware=hardware(),
    )
