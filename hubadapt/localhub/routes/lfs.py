"""git-lfs, basic transfers: ask what is missing, put it, verify it."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub import tickets
from hubadapt.localhub.addresses import is_hash, require_hash
from hubadapt.localhub.content import Content, serve
from hubadapt.localhub.pointers import Pointer
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import Repository
from hubadapt.localhub.web import Body, endpoint, hub_of, part, receive, reply, repository_for_git, with_json, writer

_TYPE = {"Content-Type": "application/vnd.git-lfs+json"}
_MAX_OBJECTS = 1000
MAX_FILE = 1 << 40
"""Cap on one file in bytes: a terabyte."""


@with_json
def batch(request: Request, body: Body) -> Response:
    """Say where to put the objects that are missing, or where to get those that are here."""
    repository = repository_for_git(request)
    upload = body.get("operation") == "upload"
    if upload:
        writer(request)
    wanted = body.get("objects")
    if not isinstance(wanted, list) or len(wanted) > _MAX_OBJECTS:
        raise Refusal(422, f'"objects" must be a list of at most {_MAX_OBJECTS}')
    objects = [_upload(request, item) if upload else _download(request, repository, item) for item in wanted]
    return reply({"transfer": "basic", "hash_algo": "sha256", "objects": objects}, headers=_TYPE)


async def put(request: Request) -> Response:
    """Receive one object. Clients send no token here: the ticket in the address stands for it."""
    oid, hub = require_hash(part(request, "oid")), hub_of(request)
    _require_ticket(request, "put", oid)
    with hub.blobs.incoming() as received:
        await receive(request, received, MAX_FILE)
        await run_in_threadpool(hub.blobs.keep, received, oid)
    return Response()


def get(request: Request) -> Response:
    """Send one object."""
    oid, blobs = require_hash(part(request, "oid")), hub_of(request).blobs
    _require_ticket(request, "get", oid)
    size = blobs.size(oid)
    if size is None:
        raise Refusal(404, f"No such object: {oid}")
    return serve(request, Content(oid, size, oid, lambda start, end: blobs.read(oid, start, end)), {})


@with_json
def verify(request: Request, body: Body) -> Response:
    """Confirm that an object arrived whole."""
    oid = require_hash(body.get("oid"))
    _require_ticket(request, "verify", oid)
    size = hub_of(request).blobs.size(oid)
    if size is None or size != body.get("size", size):
        raise Refusal(404, f"The object {oid} is not here, or of another size")
    return reply({})


def _upload(request: Request, item: object) -> dict[str, object]:
    oid, size = _object(item)
    found = {"oid": oid, "size": size}
    if hub_of(request).blobs.size(oid) is not None:
        return found
    actions = {"upload": _action(request, "put", oid), "verify": _action(request, "verify", oid)}
    return found | {"authenticated": True, "actions": actions}


def _download(request: Request, repository: Repository, item: object) -> dict[str, object]:
    oid, size = _object(item)
    held = hub_of(request).blobs.size(oid)
    # Content belongs to no repository: only what this one points to is given out by way of it.
    if held is None or not repository.holds(Pointer(oid, held).text()):
        return {"oid": oid, "size": size, "error": {"code": 404, "message": "Object does not exist"}}
    return {"oid": oid, "size": size, "actions": {"download": _action(request, "get", oid)}}


def _object(item: object) -> tuple[str, int]:
    if not isinstance(item, dict) or not isinstance(item.get("size"), int) or not is_hash(str(item.get("oid"))):
        raise Refusal(422, 'Every object needs an "oid" and a "size"')
    return str(item["oid"]), int(item["size"])


def _action(request: Request, action: str, oid: str) -> dict[str, object]:
    ticket, _ = tickets.issue(hub_of(request).accounts.secret, f"lfs {action} {oid}")
    path = f"verify/{oid}" if action == "verify" else oid
    return {"href": f"{endpoint(request)}/lfs/{path}?ticket={ticket}", "expires_in": tickets.LIFETIME}


def _require_ticket(request: Request, action: str, oid: str) -> None:
    ticket = request.query_params.get("ticket", "")
    if not tickets.is_good(hub_of(request).accounts.secret, f"lfs {action} {oid}", ticket):
        raise Refusal(403, "This address has expired, or was not given out by this Hub")


ROUTES = [
    Route("/lfs/verify/{oid}", verify, methods=["POST"]),
    Route("/lfs/{oid}", put, methods=["PUT"]),
    Route("/lfs/{oid}", get),
]
for _prefix in ("/datasets", "/spaces", ""):
    ROUTES.append(Route(_prefix + "/{namespace}/{name}/info/lfs/objects/batch", batch, methods=["POST"]))
