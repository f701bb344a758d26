"""What looks like a secret in anything that a push would publish."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hubadapt.errors import HubError, UserError
from hubadapt.hub.plan import RepositoryPlan
from hubadapt.secret_scan import find_keys, find_secrets, secrets_of_record
from hubadapt.types import Manifest

_READABLE = (".json", ".jinja", ".md", ".yaml", ".svg")
# Larger ones are vocabularies.
_LARGEST_READ = 1_000_000


def secrets_in_record(manifest: Manifest, run: Path) -> list[UserError]:
    """Of the recipe, which cards print, and of the record, which lies beside every model.

    Args:
        manifest: The record.
        run: Its run folder, for the messages.
    """
    errors: list[UserError] = [
        HubError(
            f"the recipe of {run} line {line} looks like {what}; it is printed in the card.",
            "Take it out, run the recipe again, then push again.",
        )
        for line, what in find_secrets(manifest.recipe)
    ]
    return errors + [
        HubError(
            f"the record of {run} at {place} looks like {what}; it is published with every model.",
            "Find where it comes from, a setting or a text that a model read or wrote; run that stage without it.",
        )
        for place, what in secrets_of_record(manifest)
    ]


def secrets_in_notes(path: Path, notes: str) -> list[UserError]:
    """Of the owner's notes, which cards print."""
    return [
        HubError(
            f"{path} line {line} looks like {what}; notes are printed in the card.", "Take it out, then push again."
        )
        for line, what in find_secrets(notes)
    ]


def secrets_in_files(plans: Iterable[RepositoryPlan]) -> list[UserError]:
    """Of texts that stages, reports and owners of sources left among the files."""
    uploads = [upload for plan in plans for upload in plan.uploads if upload.path.endswith(_READABLE)]
    paths = dict.fromkeys(upload.local for upload in uploads if upload.local and upload.size <= _LARGEST_READ)
    return [
        HubError(f"{path} line {line} looks like {what}; the file is published.", "Take it out where it comes from.")
        for path in paths
        for line, what in find_keys(path.read_text(encoding="utf-8", errors="replace"))
    ]
