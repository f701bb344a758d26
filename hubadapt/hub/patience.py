"""Waits once, where a Hub says that it takes no more requests and for how long.

huggingface_hub waits as told, five times, where it asks how files travel and where it sends or fetches them. It does
not where it asks who one is, makes a repository, reads its state or makes a commit: those calls come through here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # it is public

LONGEST = 600
"""Seconds; the windows of the Hub's limits are of 300. Whoever is told to wait longer hears of it instead."""

_logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


def patiently(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make a call that may be made again; wait before a second one, if the Hub asks for that.

    Raises:
        HfHubHTTPError: It refused for another reason, for longer than `LONGEST`, or a second time.
    """
    try:
        return call(*args, **kwargs)
    except HfHubHTTPError as error:
        seconds = told_wait(error)
        if seconds is None or seconds > LONGEST:
            raise
    _logger.warning("The Hub asks to wait %d seconds.", seconds)
    time.sleep(seconds)
    return call(*args, **kwargs)


def told_wait(error: HfHubHTTPError) -> int | None:
    """Seconds until a Hub takes requests again, if its refusal says so.

    Read from `RateLimit` where nothing remains of the allowance, else from `Retry-After` (RFC 9110 §10.2.3) in seconds.
    """
    if error.response is None or error.response.status_code not in (429, 503):
        return None
    limit = parse_ratelimit_headers(error.response.headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds + 1  # whole seconds are rounded down
    after = error.response.headers.get("Retry-After", "").strip()
    return int(after) if after.isdigit() else None
