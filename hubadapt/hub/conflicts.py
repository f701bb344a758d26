"""Why a push stops before it writes anything: what stands on the Hub and must not be overwritten."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hubadapt.errors import HubError, UserError
from hubadapt.hub.changes import Standing
from hubadapt.hub.plan import RepositoryPlan

_SHORTEST_COMMIT = 7


def conflicts(
    plan: RepositoryPlan, found: Standing, head: str, *, notes: Path, replace: Collection[str]
) -> list[UserError]:
    """Errors about one branch of a repository.

    Args:
        plan: What it shall hold.
        found: How it stands to what was published last.
        head: Its commit on the Hub.
        notes: Where the owner's words for all cards belong.
        replace: Commits whose changes to our files are given up, by seven or more of their digits.
    """
    at = f"{plan.address} (commit {head[:12]})"
    if found.foreign:
        return [
            HubError(
                f"{at} exists and was not made by hubadapt.",
                "Give the run another `name:`, name another namespace, or rename that repository on the Hub.",
            )
        ]
    if found.strangers:
        return [
            HubError(
                f"{at} holds {found.strangers[0]}, which libraries would load beside or instead of what is pushed.",
                "Delete it on the Hub, or move it to another repository; then push again.",
            )
        ]
    if not found.edited or any(len(commit) >= _SHORTEST_COMMIT and head.startswith(commit) for commit in replace):
        return []
    more = f" and {len(found.edited) - 1} more" if len(found.edited) > 1 else ""
    return [
        HubError(
            f"{found.edited[0]}{more} of {at} on the Hub is neither what was pushed last nor what would be now.",
            f"Put words of yours between the two marks at a card's end, or into {notes}; what else was changed is "
            f"given up with --replace {head[:12]}",
        )
    ]
