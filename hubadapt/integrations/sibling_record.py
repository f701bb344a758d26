"""A sibling that was given what a user's own trainer taught the base, as the last stage of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubadapt.integrations.training_record import Training, with_training, without_models
from hubadapt.manifest import fingerprint, list_files
from hubadapt.surgery.propagate import Lep, Propagated
from hubadapt.types import Artifact, Manifest, Metric, StageRecord


@dataclass(frozen=True)
class Carried:
    """What one checkpoint taught a sibling.

    Attributes:
        sibling: Its name in the run.
        folder: Where the model lies.
        lep: How it was made.
        found: What was done to it.
        metrics: What was measured of the sibling, before and after.
        seconds: Wall time of LEP into it.
    """

    sibling: str
    folder: Path
    lep: Lep
    found: Propagated
    metrics: tuple[Metric, ...]
    seconds: float


def artifact_name(sibling: str) -> str:
    """What the model is called in the record."""
    return f"lep-{sibling}"


def with_sibling(manifest: Manifest, training: Training, carried: Carried, *, published: Sequence[str]) -> Manifest:
    """The run's manifest with what the trainer did, and what a sibling was given of it, as its last stages.

    Args:
        manifest: The run that the trainer's model came from.
        training: The trainer's arguments and state.
        carried: The sibling.
        published: Names of the run's artifacts that are on the Hub; the card names no other as a parent.
    """
    name = carried.sibling
    # Its rows are made of the sibling as it was: an earlier form of it is no parent.
    kept = [made.name for made in manifest.artifacts() if made.name in published and made.of != name]
    trained = without_models(with_training(manifest, training, carried.folder, published=frozenset(kept)), kept)
    params = {"form": carried.lep.form, "ridge": carried.lep.ridge, "body_scale": carried.lep.body_scale}
    made = artifact_name(name)
    files = list_files(carried.folder)
    record = StageRecord(
        name=made,
        kind="propagate",
        params=params,
        inputs={name: manifest.siblings[name].revision},
        artifacts=(Artifact(name=made, kind="model", folder=carried.folder.name, of=name, files=files),),
        metrics=carried.metrics,
        facts={name: carried.found.facts()},
        seconds=carried.seconds,
        fingerprint=fingerprint({"kind": "propagate", **params}),
    )
    return trained.model_copy(update={"stages": (*trained.stages, record)})
