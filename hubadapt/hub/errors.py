"""Turns what huggingface_hub raises into errors that say what to do."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever httpx the client uses

from hubadapt.errors import HubError
from hubadapt.hub.patience import told_wait

LOGIN = "hf auth login, or: export HF_TOKEN=hf_…"
RIGHTS = "Push under a namespace of yours (--to), or take a token with write rights: export HF_TOKEN=hf_…"
_SILENT = (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.TransportError)
_FULL = (errno.ENOSPC, errno.EDQUOT)

_NOT_FOUND = (
    "{what} does not exist on {hub}, or is private.",
    "Check the spelling; a folder starts with ./ ; for a private one: hf auth login",
)
_OTHER = ("the Hub answered {status} for {what}: {reason}", "Try again; if it stays, look at the Hub's status page.")
_CHANGED = ("{what} was changed by someone else meanwhile.", "Look at the change, then push again.")
_FORBIDDEN = ("the Hub does not let {what} be read: {reason}", "Take a token that may: hf auth login")
_KINDS = {
    GatedRepoError: ("{what} is gated.", "Ask for access on {page}, then: hf auth login"),
    DisabledRepoError: ("{hub} has disabled {what}.", "Its page says why: {page}"),
    RevisionNotFoundError: ("{what}: there is no such revision.", "Leave the part after @ out to take the newest."),
    RepositoryNotFoundError: _NOT_FOUND,
}
"""What a refusal says and what to do, by kind of error; a gated repository is a kind of one that is not found."""
_STATUS = {
    400: ("the Hub refuses {what}: {reason}", "Mend what it names, then do the same again."),
    401: ("the Hub does not accept the token for {what}.", LOGIN),
    402: ("the Hub asks for a paid plan for {what}: {reason}", "Take one, or leave {what} out."),
    403: _FORBIDDEN,
    409: _CHANGED,
    412: _CHANGED,
    413: ("the Hub finds too large what {what} would get: {reason}", "Save it in more and smaller files, then again."),
    429: ("the Hub takes no more requests for now ({what}): {reason}", "Do the same again in {wait}."),
}
_WRITING = {
    _FORBIDDEN: ("the token may not write {what}.", RIGHTS),
    _NOT_FOUND: (
        "{what} has gone from {hub}, or the token may not see it.",
        "Push again; if it stays, take a token that may read it too: hf auth login",
    ),
}
"""What is said instead where the call was to write."""
_TRANSFER = {401: _STATUS[401], 403: _WRITING[_FORBIDDEN]}
_TRANSFER_STATUS = re.compile(r"HTTP status client error \((\d{3})\b")
# hf_xet, which is written in Rust, tells of the system's errors by number in a text.
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


@contextmanager
def explained(what: str, *, write: bool = False, endpoint: str | None = None) -> Iterator[None]:
    """Run calls to the Hub; failures a user can mend become `HubError`.

    Args:
        what: The repository or action, for the message.
        write: Whether the calls need write rights.
        endpoint: The Hub that is called; by default the one of `HF_ENDPOINT`.

    Raises:
        HubError: Not found, gated, no or a weak token, a revision that is not there, a stale parent commit, a Hub that
            asks to wait or does not answer, or a disk without room for what is downloaded.
    """
    try:
        yield
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, *_SILENT, ConnectionError) as error:
        raise _explanation(error, what, endpoint or constants.ENDPOINT, write=write) from error
    except (OSError, RuntimeError) as error:
        if not disk_is_full(error):
            raise
        raise _no_room(what) from error


def _explanation(error: Exception, what: str, hub: str, *, write: bool) -> HubError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, OfflineModeIsEnabled):
        return HubError(
            f"{what} is asked of {hub}, while HF_HUB_OFFLINE is set.",
            "unset HF_HUB_OFFLINE ; it keeps you from a Hub on your own machine, too.",
        )
    if isinstance(error, _SILENT):
        return HubError(
            f"the Hub at {hub} does not answer ({what}).",
            "Check the network and HF_ENDPOINT; without internet use folders or `hubadapt hub serve`.",
        )
    if isinstance(error, LocalTokenNotFoundError):
        return HubError(f"there is no token, and {what} needs one.", LOGIN)
    if isinstance(error, HFValidationError):
        return HubError(f"{what} is no Hub id: {reason}", "Write owner/name, or a folder as ./folder.")
    if isinstance(error, HfHubHTTPError):
        return _refusal(error, what, hub, write=write)
    # hf_xet says with a plain ConnectionError that a transfer failed; where a Hub is in trouble, after three minutes.
    status = _TRANSFER_STATUS.search(reason)
    if status and (said := _TRANSFER.get(int(status[1]))):
        return HubError(said[0].format(what=what), said[1])
    return HubError(f"the transfer of {what} failed: {reason}", "Push again; what has arrived is not sent twice.")


def _refusal(error: HfHubHTTPError, what: str, hub: str, *, write: bool) -> HubError:
    status = error.response.status_code if error.response is not None else 0
    kinds = (said for kind, said in _KINDS.items() if isinstance(error, kind))
    said = next(kinds, None) or _STATUS.get(status, _OTHER)
    if write:
        said = _WRITING.get(said, said)
    seconds = told_wait(error)
    words = {
        "what": what,
        "page": f"{hub}/{what.split('@')[0]}",
        "hub": hub,
        "status": status,
        "reason": (error.server_message or str(error)).strip().splitlines()[0],
        "wait": f"{seconds:,} seconds" if seconds is not None else "five minutes",
    }
    problem, hint = said
    return HubError(problem.format(**words), hint.format(**words))


def disk_is_full(error: Exception) -> bool:
    """Whether an error says that there is no room left, or none for this user."""
    number = _SYSTEM_ERROR.search(str(error))
    return getattr(error, "errno", None) in _FULL or (number is not None and int(number[1]) in _FULL)


def _no_room(what: str) -> HubError:
    cache = Path(constants.HF_HUB_CACHE)
    disk = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return HubError(
        f"the disk of {cache} is full ({shutil.disk_usage(disk).free / 1e9:.3g} GB free) while {what} was fetched.",
        "Make room, or move the cache: export HF_HOME=/other/disk ; then the same again, what is whole stays.",
    )
