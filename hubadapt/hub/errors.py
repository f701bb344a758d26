"""Turns what huggingface_hub raises into errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub.errors import (
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

_LOGIN = "hf auth login, or: export HF_TOKEN=hf_…"
_SILENT = (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.TransportError)


@contextmanager
def explained(what: str, *, write: bool = False, endpoint: str | None = None) -> Iterator[None]:
    """Run calls to the Hub; failures a user can mend become `HubError`.

    Args:
        what: The repository or action, for the message.
        write: Whether the calls need write rights.
        endpoint: The Hub that is called; by default the one of `HF_ENDPOINT`.

    Raises:
        HubError: Not found, gated, no or a weak token, a revision that is not there, a stale parent commit, or a Hub
            that does not answer.
    """
    try:
        yield
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, *_SILENT, ConnectionError) as error:
        raise _explanation(error, what, endpoint or constants.ENDPOINT, write=write) from error


def _explanation(error: Exception, what: str, hub: str, *, write: bool) -> HubError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, _SILENT):
        return HubError(
            f"the Hub at {hub} does not answer ({what}).",
            "Check the network and HF_ENDPOINT; without internet use folders or `hubadapt hub serve`.",
        )
    if isinstance(error, LocalTokenNotFoundError):
        return HubError(f"there is no token, and {what} needs one.", _LOGIN)
    if isinstance(error, HFValidationError):
        return HubError(f"{what} is no Hub id: {reason}", "Write owner/name, or a folder as ./folder.")
    if isinstance(error, HfHubHTTPError):
        return _refusal(error, what, hub, write=write)
    # hf_xet says with a plain ConnectionError that a transfer failed.
    return HubError(f"the transfer of {what} failed: {reason}", "Push again; what has arrived is not sent twice.")


def _refusal(error: HfHubHTTPError, what: str, hub: str, *, write: bool) -> HubError:
    status = error.response.status_code if error.response is not None else 0
    if isinstance(error, GatedRepoError):
        return HubError(f"{what} is gated.", f"Ask for access on {hub}/{what.split('@')[0]}, then: hf auth login")
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{what}: there is no such revision.", "Leave the part after @ out to take the newest.")
    if isinstance(error, RepositoryNotFoundError):
        return HubError(
            f"{what} does not exist on {hub}, or is private.",
            "Check the spelling; a folder starts with ./ ; for a private one: hf auth login",
        )
    if status == 401:
        return HubError(f"the Hub does not accept the token for {what}.", _LOGIN)
    if status == 403 and write:
        return HubError(
            f"the token may not write {what}.", "Make a token with write rights, then: export HF_TOKEN=hf_…"
        )
    if status == 412:
        return HubError(f"{what} was changed by someone else meanwhile.", "Look at the change, then push again.")
    reason = (error.server_message or str(error)).splitlines()[0]
    return HubError(
        f"the Hub answered {status} for {what}: {reason}", "Try again; if it stays, look at the Hub's status page."
    )
