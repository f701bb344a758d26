"""How hubadapt calls a Hub: under its own name, waiting as told, and never without end."""

from __future__ import annotations

from functools import partial
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.utils import get_session, httpx  # type: ignore[attr-defined]  # whichever httpx the client uses

from hubadapt import __version__
from hubadapt.hub.patience import patiently

SILENCE = 300.0
"""Seconds after which a Hub that took a request and says nothing counts as one that does not answer.

Long enough for commits of many files, which are answered last.
"""
_CONNECT = 20.0
OURSELVES: Any = {"library_name": "hubadapt", "library_version": __version__}
"""Who asks, for functions of huggingface_hub: it goes into the user agent."""
# Calls that huggingface_hub itself gives up at once. They are the innermost ones: none of them makes another.
_UNREPEATED = (
    "whoami", "model_info", "dataset_info", "space_info", "create_repo", "create_branch", "create_commit",
    "create_collection", "add_collection_item",
)  # fmt: skip


def hub_api(token: str | None = None, endpoint: str | None = None) -> HfApi:
    """A client of a Hub, whose user agent says who asks; it downloads, too.

    Args:
        token: Hub token; by default the one huggingface_hub finds.
        endpoint: The Hub; by default the one of `HF_ENDPOINT`.
    """
    _limit_silence()
    api = HfApi(endpoint=endpoint, token=token, **OURSELVES)
    for name in _UNREPEATED:
        setattr(api, name, partial(patiently, getattr(api, name)))
    return api


def _limit_silence() -> None:
    """Have huggingface_hub's session limit requests that come without a limit, as nearly all of its own do."""
    hooks = get_session().event_hooks["request"]
    if _limited not in hooks:
        hooks.append(_limited)


def _limited(request: Any) -> None:
    if not any((request.extensions.get("timeout") or {}).values()):
        request.extensions["timeout"] = httpx.Timeout(SILENCE, connect=min(_CONNECT, SILENCE)).as_dict()
