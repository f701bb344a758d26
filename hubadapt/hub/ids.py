"""Names of repositories that a Hub would refuse, found before the first of them is made."""

from __future__ import annotations

from collections.abc import Iterable

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # it is public

from hubadapt.errors import HubError, UserError

LONGEST_NAME = 96
"""Characters of a repository's name, its namespace not counted."""


def id_problems(ids: Iterable[str], namespace: str) -> list[UserError]:
    """What is wrong with the ids that a push would use; with the namespace alone where that is at fault.

    Args:
        ids: Hub ids, `owner/name`.
        namespace: The user or organisation to publish under, as it was given.
    """
    if not _is_taken(f"{namespace}/name") or "/" in namespace:
        return [HubError(f"{namespace!r} is no user or organisation of a Hub.", "Give its name alone: --to NAMESPACE")]
    return [_problem(id) for id in ids if not _is_taken(id)]


def _problem(id: str) -> HubError:
    name = id.split("/", 1)[1]
    shorter = "Give the run, or what is at the end of it, a shorter name in the recipe, and run it again."
    if len(name) > LONGEST_NAME:
        return HubError(f"{id} has a name of {len(name)} characters; a Hub takes {LONGEST_NAME}.", shorter)
    return HubError(
        f"a Hub takes no repository {id!r}.",
        "Use letters, digits, single - and . and _ in the recipe's `name` and the names of its siblings.",
    )


def _is_taken(id: str) -> bool:
    try:
        validate_repo_id(id)
    except HFValidationError:
        return False
    # The client takes any letter of any script, the Hub those of English.
    return id.isascii()
