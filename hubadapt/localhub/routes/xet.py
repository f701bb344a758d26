"""Xet uploads: access tokens, and the small part of the content-addressed storage that uploading clients use.

Downloads need none of it: files are put together on arrival and served by plain HTTP.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub import tickets
from hubadapt.localhub.addresses import require_hash
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.web import endpoint, hub_of, part, receive, reply, repository_of, whole_body, writer
from hubadapt.localhub.xet_format import MAX_SHARD, MAX_XORB, FormatError, parse_shard

_WRITE = "xet write"
_READ = "xet read"


def write_token(request: Request) -> Response:
    """Give out an access token for uploads."""
    writer(request)
    return _token(request, _WRITE)


def read_token(request: Request) -> Response:
    """Give out an access token that is good for nothing but asking."""
    return _token(request, _READ)


async def put_xorb(request: Request) -> Response:
    """Receive a xorb."""
    await run_in_threadpool(_require_ticket, request)
    xorb, store = require_hash(part(request, "xorb")), hub_of(request).xet
    with store.incoming() as received:
        await receive(request, received, MAX_XORB)
        is_new = await run_in_threadpool(store.keep_xorb, xorb, received)
    return reply({"was_inserted": is_new})


async def put_shard(request: Request) -> Response:
    """Receive a shard, and put together the files it describes before answering."""
    await run_in_threadpool(_require_ticket, request)
    body = bytes(await whole_body(request, MAX_SHARD))
    try:
        files = parse_shard(body)
    except FormatError as error:
        raise Refusal(400, f"Not a shard: {error}") from error
    await run_in_threadpool(hub_of(request).xet.keep_shard, body, files)
    return reply({"result": 1})


def _token(request: Request, purpose: str) -> Response:
    repository_of(request)
    ticket, expires = tickets.issue(hub_of(request).accounts.secret, purpose)
    # Clients remember by this address what has arrived here. Another data folder may be served on the same port later,
    # and must not be taken for this one: they would leave out what only this one holds.
    url = f"{endpoint(request)}/xet/{hub_of(request).accounts.mark}"
    # Uploading clients read the body, downloading ones the headers.
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": ticket, "X-Xet-Token-Expiration": str(expires)}
    return reply({"casUrl": url, "accessToken": ticket, "exp": expires}, headers=headers)


def _require_ticket(request: Request) -> None:
    ticket = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not tickets.is_good(hub_of(request).accounts.secret, _WRITE, ticket):
        raise Refusal(401, "The Xet access token is wrong or has expired")


_API = "/api/{plural}/{namespace}/{name}"
ROUTES = [
    Route(_API + "/xet-write-token/{revision}", write_token),
    Route(_API + "/xet-read-token/{revision}", read_token),
    Route("/xet/{mark}/v1/xorbs/default/{xorb}", put_xorb, methods=["POST"]),
    Route("/xet/{mark}/v1/shards", put_shard, methods=["POST"]),
]
