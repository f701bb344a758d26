"""Turns what huggingface_hub raises into errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hubadapt.errors import HubError


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

    hub = endpoint or constants.ENDPOINT
    unreachable = HubError(
        f"the Hub at {hub} does not answer ({what}).",
        "Check the network and HF_ENDPOINT; without internet use folders or `hubadapt hub serve`.",
    )
    try:
        yield
    except GatedRepoError as error:
        raise HubError(
            f"{what} is gated.", f"Ask for access on {hub}/{what.split('@')[0]}, then: hf auth login"
        ) from error
    except RevisionNotFoundError as error:
        raise HubError(
            f"{what}: there is no such revision.", "Leave the part after @ out to take the newest."
        ) from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"{what} does not exist on {hub}, or is private.",
            "Check the spelling; a folder starts with ./ ; for a private one: hf auth login",
        ) from error
    except LocalTokenNotFoundError as error:
        raise HubError(
            f"there is no token, and {what} needs one.", "hf auth login, or: export HF_TOKEN=hf_…"
        ) from error
    except HFValidationError as error:
        raise HubError(
            f"{what} is no Hub id: {str(error).splitlines()[0]}", "Write owner/name, or a folder as ./folder."
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise unreachable from error
    except HfHubHTTPError as error:
        raise _by_status(error, what, write=write) from error
    except httpx.TransportError as error:
        raise unreachable from error
    except ConnectionError as error:  # how hf_xet says that a transfer failed
        reason = str(error).splitlines()[0]
        raise HubError(
            f"the transfer of {what} failed: {reason}", "Push again; what has arrived is not sent twice."
        ) from error


def _by_status(error: Exception, what: str, *, write: bool) -> HubError:
    response = getattr(error, "response", None)
    status = response.status_code if response is not None else 0
    reason = (getattr(error, "server_message", None) or str(error)).splitlines()[0]
    if status == 401:
        return HubError(f"the Hub does not accept the token for {what}.", "hf auth login, or: export HF_TOKEN=hf_…")
    if status == 403 and write:
        return HubError(
            f"the token may not write {what}.", "Make a token with write rights, then: export HF_TOKEN=hf_…"
        )
    if status == 412:
        return HubError(f"{what} was changed by someone else meanwhile.", "Look at the change, then push again.")
    return HubError(
        f"the Hub answered {status} for {what}: {reason}", "Try again; if it stays, look at the Hub's status page."
    )
