"""`git clone`, `git fetch` and `git push` over HTTP; git sends a token as the password of whatever user name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from hubadapt.localhub.blobs import BLOCK
from hubadapt.localhub.git_protocol import Body, Service, advertise, receive_pack, send_pack
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import Repository
from hubadapt.localhub.web import hub_of, receive, repository_for_git, writer

_MAX_FETCH = 64 << 20
_MAX_PUSH = 4 << 30
_SERVICES: dict[str | None, Service] = {"git-upload-pack": "git-upload-pack", "git-receive-pack": "git-receive-pack"}


def references(request: Request) -> Response:
    """Name the references; git asks so before everything else."""
    repository = repository_for_git(request)
    service = _SERVICES.get(request.query_params.get("service"))
    if service is None:
        raise Refusal(403, "This git client is too old: it does not speak git's smart protocol")
    if service == "git-receive-pack":
        writer(request)
    return _answer(request, f"{service}-advertisement", partial(advertise, repository, service))


async def fetch(request: Request) -> Response:
    """Send a pack of what the client lacks."""
    repository = await run_in_threadpool(repository_for_git, request)
    return await _exchange(request, "git-upload-pack-result", _MAX_FETCH, partial(send_pack, repository))


async def push(request: Request) -> Response:
    """Receive a pack and move references."""
    repository = await run_in_threadpool(_writable, request)
    take = partial(receive_pack, repository, hub_of(request).blobs)
    return await _exchange(request, "git-receive-pack-result", _MAX_PUSH, take)


def _writable(request: Request) -> Repository:
    repository = repository_for_git(request)
    writer(request)
    return repository


async def _exchange(request: Request, kind: str, limit: int, answer: Callable[[Body, IO[bytes]], None]) -> Response:
    is_gzip = request.headers.get("content-encoding") == "gzip"
    with hub_of(request).blobs.incoming() as received:
        await receive(request, received, limit)
        received.flush()

        def run() -> Response:
            with received.path.open("rb") as body:
                return _answer(request, kind, partial(answer, Body(body, is_gzip)))

        return await run_in_threadpool(run)


def _answer(request: Request, kind: str, write: Callable[[IO[bytes]], None]) -> Response:
    # Written to disk first: a pack may be big, and what fails while it is made is still a refusal.
    into = hub_of(request).blobs.scratch()
    try:
        write(into)
    except BaseException:
        into.close()
        raise
    headers = {"Content-Length": str(into.tell()), "Cache-Control": "no-cache, max-age=0, must-revalidate"}
    into.seek(0)
    return StreamingResponse(_blocks(into), headers=headers, media_type=f"application/x-{kind}")


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(BLOCK), b"")


ROUTES: list[Route] = []
for _prefix in ("/datasets", "/spaces", ""):
    _one = _prefix + "/{namespace}/{name}"
    ROUTES += [
        Route(_one + "/info/refs", references),
        Route(_one + "/git-upload-pack", fetch, methods=["POST"]),
        Route(_one + "/git-receive-pack", push, methods=["POST"]),
    ]
