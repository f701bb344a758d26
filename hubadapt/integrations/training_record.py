"""What a user's own trainer did, as a stage of the run that its model came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hubadapt.manifest import fingerprint, list_files
from hubadapt.types import Artifact, Manifest, StageRecord

ARTIFACT = "trained"
_PRIVATE = ("token", "dir", "hub", "path", "report", "run_name", "project")


@dataclass(frozen=True)
class Training:
    """What transformers tells of a training: its `TrainingArguments` and its `TrainerState`."""

    arguments: Any
    state: Any


def with_training(manifest: Manifest, training: Training, folder: Path, *, published: frozenset[str]) -> Manifest:
    """The run's manifest, with what a trainer did as its last stage.

    Args:
        manifest: The run that the trainer's model came from.
        training: The trainer's arguments and state.
        folder: Where the trained model lies, or will.
        published: Names of the run's artifacts that are on the Hub; the card names no other as a parent.
    """
    params, state = changed_arguments(training.arguments), training.state
    files = list_files(folder) if folder.is_dir() else ()
    record = StageRecord(
        name=ARTIFACT,
        kind="train",
        params=params,
        inputs={"base": manifest.base.revision},
        artifacts=(Artifact(name=ARTIFACT, kind="model", folder=folder.name, of="base", files=files),),
        facts={
            "arguments": type(training.arguments).__name__,
            "steps": state.global_step,
            "epochs": state.epoch or 0.0,
            "loss": _last(state.log_history, "loss"),
            "evaluation": _last(state.log_history, "eval_"),
            "versions": {name: version(name) for name in ("transformers", "trl", "torch")},
        },
        seconds=_last(state.log_history, "train_runtime").get("train_runtime", 0.0),
        fingerprint=fingerprint({"kind": "train", **params}),
    )
    before = without_models(manifest, published)
    return before.model_copy(update={"stages": (*before.stages, record)})


def without_models(manifest: Manifest, kept: Collection[str]) -> Manifest:
    """A manifest without the models that its stages made, but for those kept: cards name no others as parents."""
    stages = tuple(
        stage.model_copy(
            update={"artifacts": tuple(made for made in stage.artifacts if made.kind != "model" or made.name in kept)}
        )
        for stage in manifest.stages
    )
    return manifest.model_copy(update={"stages": stages})


def changed_arguments(arguments: Any) -> dict[str, Any]:
    """Training arguments that differ from their defaults: plain values alone, nothing that names places or secrets."""
    changed = {}
    for item in fields(arguments):
        value = getattr(arguments, item.name)
        default = item.default if item.default is not MISSING else None
        plain = isinstance(value, bool | int | float | str)
        if item.init and plain and value != default and not any(word in item.name for word in _PRIVATE):
            changed[item.name] = value
    return {name: str(value) if isinstance(value, str) else value for name, value in sorted(changed.items())}


def _last(history: list[Mapping[str, Any]], prefix: str) -> dict[str, float]:
    """The newest logged numbers whose names begin so."""
    for entry in reversed(history):
        found = {name: float(value) for name, value in entry.items() if name.startswith(prefix)}
        if found:
            return found
    return {}
