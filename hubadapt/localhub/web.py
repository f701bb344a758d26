"""What every route needs: who asks, for which repository, with which body; and how replies and refusals look."""

from __future__ import annotations

import asyncio
import base64
import errno
import inspect
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hubadapt.localhub.accounts import ANONYMOUS, Visitor
from hubadapt.localhub.addresses import RepoId, repo_id
from hubadapt.localhub.blobs import BLOCK, Incoming
from hubadapt.localhub.hub import Hub
from hubadapt.localhub.refusals import Refusal, missing_repository
from hubadapt.localhub.repository import Repository

MAX_JSON = 16 << 20
"""Cap on a JSON body in bytes."""

STALL = 120.0
"""Seconds after which a body of which nothing more arrives is given up."""

Body = dict[str, Any]

_WHO = "Invalid username or password."
_ASK = {"WWW-Authenticate": 'Basic realm="Embedded Hub"'}
_UNPRINTABLE = re.compile(r"[^ -~]+")


class RawPaths:
    """Routes on the path as it was sent, still percent-encoded.

    A revision such as `stage/one` arrives as `stage%2Fone` in one segment; the decoded path that servers hand over
    could not tell it from two segments.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            raw = scope.get("raw_path") or quote(scope["path"]).encode()
            scope = dict(scope, path=raw.split(b"?")[0].decode("latin-1"))
        await self._app(scope, receive, send)


def hub_of(request: Request) -> Hub:
    """The Hub that serves a request."""
    hub = request.app.state.hub
    assert isinstance(hub, Hub)
    return hub


def endpoint(request: Request) -> str:
    """The address of this server as the client knows it."""
    return str(request.base_url).rstrip("/")


def part(request: Request, name: str) -> str:
    """A named part of the path, decoded."""
    return unquote(request.path_params[name])


def visitor(request: Request) -> Visitor:
    """Who asks.

    Raises:
        Refusal: They sent a token that was never issued.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        token = _password(token)
    if scheme.lower() not in ("bearer", "basic") or not token:
        return ANONYMOUS
    found = hub_of(request).accounts.visitor(token.strip())
    if found is None:
        raise Refusal(401, _WHO, headers=_ASK)
    return found


def _password(encoded: str) -> str:
    # git sends a name and a password; the password is the token, whatever the name.
    try:
        return base64.b64decode(encoded).decode().partition(":")[2]
    except ValueError:
        return "-"


def member(request: Request) -> str:
    """The name of the user who asks, with whatever token.

    Raises:
        Refusal: They sent none.
    """
    name = visitor(request).name
    if name is None:
        raise Refusal(401, _WHO, headers=_ASK)
    return name


def writer(request: Request) -> str:
    """The name of the user who asks to change something.

    Raises:
        Refusal: They sent no token, or one that may only read.
    """
    name = member(request)
    if visitor(request).role != "write":
        raise Refusal(403, "Forbidden: this token may only read. Use a token that may write.")
    return name


def address_of(request: Request) -> RepoId:
    """The repository id in the path of a request; file addresses of models name no kind."""
    plural = request.path_params.get("plural")
    if plural is None:
        first = request.url.path.split("/")[1]
        plural = first if first in ("datasets", "spaces") else "models"
    return repo_id(plural, part(request, "namespace"), part(request, "name").removesuffix(".git"))


def repository_of(request: Request) -> Repository:
    """The repository a request is about.

    Raises:
        Refusal: It does not exist, or is private and the visitor shows no token: both look the same.
    """
    address = address_of(request)
    who = visitor(request)
    found = hub_of(request).shelf.find(address)
    if found is None or (who.role is None and found.settings().private):
        raise missing_repository(address.full_name)
    return found


def repository_for_git(request: Request) -> Repository:
    """The repository a git client asks for, which sends its token only once it was asked for one.

    Raises:
        Refusal: As `repository_of`, but 401 to the anonymous.
    """
    who = visitor(request)
    try:
        return repository_of(request)
    except Refusal as refusal:
        if refusal.status == 404 and who.role is None:
            raise Refusal(401, _WHO, headers=_ASK) from None
        raise


async def json_body(request: Request) -> Body:
    """The JSON object a request carries; an empty body counts as an empty object."""
    return parse_object(await whole_body(request, MAX_JSON) or b"{}")


def parse_object(raw: bytes | bytearray) -> Body:
    """Read a JSON object.

    Raises:
        Refusal: It is none, or nested deeper than this Python reads.
    """
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refusal(400, "The body is not a JSON object")
    return found


def text_in(body: Body, key: str) -> str | None:
    """A text of a JSON body, or None where it is absent.

    Raises:
        Refusal: It is something else.
    """
    found = body.get(key)
    if found is not None and not isinstance(found, str):
        raise Refusal(400, f'"{key}" must be text')
    return found


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """The body of a request as it arrives.

    Raises:
        Refusal: Nothing more of it came for a long time (408), so that a connection is not held for ever.
        ClientDisconnect: The client went away.
    """
    now = asyncio.get_running_loop().time
    try:
        # One clock for all pieces: a wait of its own for each costs as much as reading it.
        async with asyncio.timeout(None) as patience:
            more = True
            while more:
                patience.reschedule(now() + STALL)
                message = await request.receive()
                patience.reschedule(None)
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                more = message.get("more_body", False)
                if piece := message.get("body", b""):
                    yield piece
    except TimeoutError:
        raise Refusal(408, f"Nothing of the body arrived for {STALL:.0f} s", headers={"Connection": "close"}) from None


async def whole_body(request: Request, limit: int) -> bytearray:
    """The body of a request.

    Raises:
        Refusal: It is bigger than `limit` bytes.
    """
    raw = bytearray()
    async for piece in pieces(request):
        raw += piece
        if len(raw) > limit:
            raise Refusal(413, f"The body is bigger than {limit} bytes")
    return raw


def with_json(handler: Callable[[Request, Body], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint of a function that takes the JSON body too; it runs in a thread, for it waits for the disk."""

    async def read_and_handle(request: Request) -> Response:
        body = await json_body(request)
        return await run_in_threadpool(handler, request, body)

    read_and_handle.__doc__ = inspect.getdoc(handler)
    return read_and_handle


async def receive(request: Request, into: Incoming, limit: int) -> None:
    """Write the body of a request to a file that is being received, in big blocks and off the event loop.

    Raises:
        Refusal: It is bigger than `limit` bytes.
    """
    size, writing = into.size, asyncio.ensure_future(asyncio.sleep(0))
    try:
        async for block in blocks(request):
            size += len(block)
            if size > limit:
                raise Refusal(413, f"The body is bigger than {limit} bytes")
            await writing
            # One block is written and hashed while the next one arrives.
            writing = asyncio.ensure_future(run_in_threadpool(into.write, block))
    finally:
        await writing


async def blocks(request: Request) -> AsyncIterator[bytearray]:
    """The body of a request in blocks of about a megabyte, gathered from the small pieces that arrive."""
    gathered = bytearray()
    async for piece in pieces(request):
        gathered += piece
        if len(gathered) >= BLOCK:
            yield gathered
            gathered = bytearray()
    if gathered:
        yield gathered


def reply(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON reply."""
    return JSONResponse(content, status, headers)


def date(seconds: float) -> str:
    """Unix time as the Hub writes dates."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def flag(request: Request, name: str) -> bool:
    """A yes-or-no query parameter; old clients write `True`."""
    return request.query_params.get(name, "").lower() in ("1", "true")


def number(request: Request, name: str, default: int, highest: int) -> int:
    """A number in the query, from 0 to `highest`."""
    text = request.query_params.get(name, "")
    return min(int(text), highest) if text.isascii() and text.isdigit() and len(text) < 10 else default


def number_in(request: Request) -> int:
    """The number of a discussion in the path of a request."""
    text = part(request, "number")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refusal(404, f"Discussion not found: {text}")
    return int(text)


def next_page(request: Request, **changes: object) -> dict[str, str]:
    """The header that names the next page: this address with some query parameters changed."""
    query = request.url.include_query_params(**changes).query
    return {"Link": f'<{endpoint(request)}{request.url.path}?{query}>; rel="next"'}


async def show_refusal(request: Request, error: Exception) -> Response:
    """The reply for a refusal."""
    assert isinstance(error, Refusal)
    # A header holds printable Latin letters and no spaces around them; the body has the message as it is.
    plain = _UNPRINTABLE.sub(" ", error.message.encode("ascii", "replace").decode()).strip()
    headers = {"X-Error-Message": plain, **error.headers}
    if error.code:
        headers["X-Error-Code"] = error.code
    return reply({"error": error.message, **error.body}, error.status, headers)


async def show_bad_text(request: Request, error: Exception) -> Response:
    """The reply to text that JSON can carry and UTF-8 cannot, such as half of a surrogate pair."""
    return await show_refusal(request, Refusal(400, "The request holds text that is not valid Unicode"))


async def show_disk_error(request: Request, error: Exception) -> Response:
    """The reply where the disk is full: a status that clients do not answer with retries."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return await show_refusal(request, Refusal(507, "The disk of this Hub is full"))
    raise error


class _Silence(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


async def show_disconnect(request: Request, error: Exception) -> Response:
    """No reply, to a client that went away in mid-body or broke the rules of HTTP there and was told so."""
    assert isinstance(error, ClientDisconnect)
    return _Silence()
