"""The record that lies beside a published model: read with the distrust that anybody's file deserves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hubadapt.errors import HubError, ManifestError
from hubadapt.lineage import Names
from hubadapt.manifest import MANIFEST_NAME, read_manifest
from hubadapt.types import Artifact, Manifest
from hubadapt.verify.published import LOADED, Published, download

Form = TypeVar("Form", bound=BaseModel)

# A trainer's own folder may hold these when it is recorded; the first cannot hold its own hash.
_NOT_LOADED = (MANIFEST_NAME, "trainer_state.json")
_LARGEST = 100_000_000
_OTHER = "It is damaged, or of another release of hubadapt: pip install -U hubadapt"


def read_record(published: Published) -> Manifest:
    """The record that lies beside a published model.

    Raises:
        HubError: There is none, or one that this release does not know.
    """
    file = published.files.get(MANIFEST_NAME)
    if file is None:
        raise HubError(
            f"{published.at} holds no {MANIFEST_NAME}: nothing is recorded that could be measured again.",
            "Only models that `hubadapt push` published can be verified; push an older one again.",
        )
    if file.size > _LARGEST:
        raise HubError(f"the {MANIFEST_NAME} of {published.at} has {file.size:,} bytes, which is no record.", _OTHER)
    try:
        return read_manifest(download(published, [MANIFEST_NAME]))
    except ManifestError as error:
        reason = error.problem.rpartition(f"{MANIFEST_NAME} ")[2]
        raise HubError(f"the {MANIFEST_NAME} of {published.at} {reason}", _OTHER) from error


def named_facts(record: Manifest, key: str) -> dict[str, Any]:
    """What stages tell under a key of each model, by its name; the last that does counts."""
    found: dict[str, Any] = {}
    for stage in record.stages:
        facts = stage.facts.get(key)
        found |= facts if isinstance(facts, dict) else {}
    return found


def read_facts(form: type[Form], value: Any, what: str) -> Form:
    """Facts of a record in the form that is expected.

    Args:
        form: The form.
        value: The facts.
        what: Whose they are, for the message.

    Raises:
        HubError: They have another.
    """
    try:
        return form.model_validate(value)
    except ValidationError as error:
        where = error.errors()[0]
        place = ".".join(map(str, where["loc"]))
        raise HubError(
            f"the record of {what} is damaged at {place or 'its beginning'}: {where['msg']}.", _OTHER
        ) from error


def which_model(record: Manifest, published: Published, layouts: Iterable[Names]) -> tuple[Artifact, Names]:
    """Which of a run's models a repository holds: the one of that address, with those weights, or so named.

    Args:
        record: The run.
        published: The repository.
        layouts: What its models may be called on the Hub.

    Returns:
        The record's entry of the model, and the names of the layout that it is found by.

    Raises:
        HubError: Neither tells.
    """
    layouts = tuple(layouts)
    models = [artifact for artifact in record.artifacts() if artifact.kind == "model"]
    for names, artifact in product(layouts, models):
        if (names[artifact.name], names.revision(artifact.name)) == (published.id, published.branch):
            return artifact, names
    hashes = {file.sha256 for name, file in published.files.items() if name.endswith(".safetensors")} - {None}
    for artifact in reversed(models):
        if any(entry.sha256 in hashes for entry in artifact.files if entry.path.endswith(".safetensors")):
            return artifact, layouts[0]
    for artifact in models:
        if published.id.endswith(f"-{artifact.name}"):
            return artifact, layouts[0]
    raise HubError(
        f"{published.at} is none of the models that its {MANIFEST_NAME} tells of: "
        f"{', '.join(artifact.name for artifact in models) or 'there is none'}.",
        "Its name or its weights were changed after it was published; push the run again.",
    )


def files_to_load(published: Published, artifact: Artifact) -> list[str]:
    """The files of a model that are downloaded: those that its record names and that it is loaded from.

    Raises:
        HubError: One of them is not there.
    """
    names = [
        entry.path for entry in artifact.files
        if entry.path.endswith(LOADED) and "/" not in entry.path and entry.path not in _NOT_LOADED
    ]  # fmt: skip
    for name in names:
        if name not in published.files:
            raise HubError(
                f"{published.at} lacks {name}, which its {MANIFEST_NAME} names.",
                "Push the run again.",
            )
    return names
