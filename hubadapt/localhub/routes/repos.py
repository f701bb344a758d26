"""Make, delete, describe, list and change repositories."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub.addresses import KINDS, RepoId, repo_id
from hubadapt.localhub.describe import Json, repository_info, repository_summary
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import MAIN, Repository, new_settings
from hubadapt.localhub.web import (
    Body,
    endpoint,
    flag,
    hub_of,
    next_page,
    number,
    part,
    reply,
    repository_of,
    text_in,
    visitor,
    with_json,
    writer,
)

_PLURALS = {kind: plural for plural, kind in KINDS.items()}
_SORTS: dict[str, Callable[[Json], str]] = {
    "createdAt": lambda summary: str(summary["createdAt"]),
    "lastModified": lambda summary: str(summary["lastModified"]),
}


@with_json
def create(request: Request, body: Body) -> Response:
    """Make a repository; the user may do so in any namespace."""
    user = writer(request)
    address = _address_in(body, user)
    url = f"{endpoint(request)}/{address.prefix}{address.full_name}"
    settings = new_settings(_wants_private(body) or False, text_in(body, "sdk"))
    try:
        hub_of(request).shelf.create(address, settings, user)
    except Refusal as refusal:
        # A client that does not mind that the repository exists reads its address from the refusal.
        refusal.body.setdefault("url", url)
        raise
    return reply({"url": url, "name": address.full_name, "id": address.full_name})


@with_json
def delete(request: Request, body: Body) -> Response:
    """Delete a repository."""
    address = _address_in(body, writer(request))
    hub_of(request).shelf.delete(address)
    return reply({})


@with_json
def change_settings(request: Request, body: Body) -> Response:
    """Make a repository private or public, or mark it gated, which this Hub records and does not enforce."""
    writer(request)
    repository = repository_of(request)
    changes: dict[str, object] = {}
    if (private := _wants_private(body)) is not None:
        changes["private"] = private
    if body.get("gated") in ("auto", "manual", False):
        changes["gated"] = body["gated"]
    repository.change_settings(**changes)
    return reply({"private": repository.settings().private, "gated": repository.settings().gated})


def info(request: Request) -> Response:
    """Describe a repository, at its main branch or at a revision."""
    repository = repository_of(request)
    commit = repository.commit_of(part(request, "revision") if "revision" in request.path_params else MAIN)
    content = repository_info(repository, commit, hub_of(request).blobs, flag(request, "blobs"))
    if wanted := request.query_params.getlist("expand") + request.query_params.getlist("expand[]"):
        content = {key: value for key, value in content.items() if key in ("_id", "id", *wanted)}
    return reply(content)


def runtime(request: Request) -> Response:
    """Say that a Space does not run: this Hub keeps its files only."""
    repository_of(request)
    return reply({"stage": "STOPPED", "hardware": {"current": None, "requested": None}, "gcTimeout": None})


def auth_check(request: Request) -> Response:
    """Say whether the visitor may read a repository."""
    repository_of(request)
    return reply({})


def listing(request: Request) -> Response:
    """List the repositories of a kind that the visitor may read."""
    plural = request.path_params["plural"]
    if plural not in KINDS:
        raise Refusal(404, f"This embedded Hub has no /api/{plural}")
    may_read = visitor(request).role is not None
    found = [_summary_for(one) for one in hub_of(request).shelf.all(plural) if may_read or not one.settings().private]
    found = [summary for summary in found if _is_wanted(request, summary)]
    order = _SORTS.get(request.query_params.get("sort", ""), _SORTS["lastModified"])
    found.sort(key=order, reverse=request.query_params.get("direction", "-1") == "-1")
    start, limit = number(request, "skip", 0, 10**9), number(request, "limit", 1000, 1000) or 1000
    headers = next_page(request, skip=start + limit) if start + limit < len(found) else {}
    return reply(found[start : start + limit], headers=headers)


def _summary_for(repository: Repository) -> Json:
    summary = repository_summary(repository)
    summary["siblings"] = []
    return summary


def _is_wanted(request: Request, summary: Json) -> bool:
    query = request.query_params
    author, search = query.get("author"), query.get("search", "").lower()
    filters = query.getlist("filter")
    is_by_author = author is None or summary["author"].lower() == author.lower()
    return is_by_author and search in summary["id"].lower() and all(name in summary["tags"] for name in filters)


def _address_in(body: Body, user: str) -> RepoId:
    kind = text_in(body, "type") or "model"
    if kind not in _PLURALS:
        raise Refusal(400, f"This embedded Hub has no repositories of type {kind!r}")
    namespace, _, name = (text_in(body, "name") or "").rpartition("/")
    return repo_id(_PLURALS[kind], text_in(body, "organization") or namespace or user, name)


def _wants_private(body: Body) -> bool | None:
    # Clients from 2.0 on say "visibility", older ones "private".
    if isinstance(body.get("visibility"), str):
        return bool(body["visibility"] != "public")
    return bool(body["private"]) if body.get("private") is not None else None


ROUTES = [
    Route("/api/repos/create", create, methods=["POST"]),
    Route("/api/repos/delete", delete, methods=["DELETE"]),
    Route("/api/{plural}", listing),
    Route("/api/{plural}/{namespace}/{name}", info),
    Route("/api/{plural}/{namespace}/{name}/revision/{revision}", info),
    Route("/api/{plural}/{namespace}/{name}/auth-check", auth_check),
    Route("/api/{plural}/{namespace}/{name}/runtime", runtime),
    Route("/api/{plural}/{namespace}/{name}/settings", change_settings, methods=["PUT"]),
]
