"""The application: routes, refusals and guards put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from hubadapt.localhub.hub import Hub
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.routes import (
    absent,
    collections,
    commits,
    discussions,
    files,
    git,
    identity,
    lfs,
    pages,
    refs,
    repos,
    xet,
)
from hubadapt.localhub.web import RawPaths, show_bad_text, show_disconnect, show_disk_error, show_refusal

LOOPBACK = ("127.0.0.1", "localhost")


def create_app(data: Path, *, user: str = "local", hosts: Sequence[str] = LOOPBACK) -> Starlette:
    """Make the Hub's web application over a data folder.

    Args:
        data: The data folder; made if missing. Only one application may serve it at a time.
        user: Name of the user to make at first start.
        hosts: The host names under which it answers. Requests for others are refused, since a web page could
            otherwise reach a server on the loopback address by a name of its own.

    Returns:
        An ASGI application; `app.state.hub` is the Hub behind it.
    """
    # The order decides: files before pages, and what is named before what matches anything.
    modules = (identity, collections, refs, commits, discussions, xet, lfs, git, absent, files, repos, pages)
    app = Starlette(
        routes=[route for module in modules for route in module.ROUTES],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(RawPaths)],
        exception_handlers={
            Refusal: show_refusal,
            ClientDisconnect: show_disconnect,
            UnicodeEncodeError: show_bad_text,
            OSError: show_disk_error,
            HTTPException: absent.unknown,
        },
    )
    app.state.hub = Hub(data, user)
    return app
