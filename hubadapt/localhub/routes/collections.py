"""Collections of repositories."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub.collections import Content
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.web import Body, hub_of, part, reply, text_in, visitor, with_json, writer


def listing(request: Request) -> Response:
    """List the collections that the visitor may read, by owner or by item where the query asks."""
    query = request.query_params
    found = [content for content in hub_of(request).collections.all() if _may_read(request, content)]
    if owner := query.get("owner"):
        found = [content for content in found if content["owner"]["name"] == owner]
    if item := query.get("item"):
        item = item.split("/", 1)[-1]
        found = [content for content in found if item in [entry["id"] for entry in content["items"]]]
    # As on the real Hub: lists show the first items only, and clients number the collections themselves.
    return reply([_shortened(content) for content in found])


@with_json
def create(request: Request, body: Body) -> Response:
    """Make a collection, with a first item where the body names one."""
    user = writer(request)
    store = hub_of(request).collections
    owner, title = text_in(body, "namespace") or user, text_in(body, "title") or ""
    content = store.create(owner, title, text_in(body, "description"), bool(body.get("private")))
    if isinstance(item := body.get("item"), dict):
        content = store.add(content["slug"], str(item.get("id")), str(item.get("type")), None)
    return reply(content)


def get(request: Request) -> Response:
    """Describe a collection."""
    content = hub_of(request).collections.get(_slug(request))
    if not _may_read(request, content):
        raise Refusal(404, f"Collection not found: {_slug(request)}")
    return reply(content)


@with_json
def edit(request: Request, body: Body) -> Response:
    """Change a collection."""
    writer(request)
    changes: Content = {key: text_in(body, key) for key in ("title", "description", "theme") if key in body}
    changes |= {"private": bool(body["private"])} if "private" in body else {}
    changes |= {"position": place} if (place := _place(body)) is not None else {}
    content = hub_of(request).collections.edit(_slug(request), changes)
    return reply({"success": True, "data": content})


def delete(request: Request) -> Response:
    """Delete a collection."""
    writer(request)
    hub_of(request).collections.delete(_slug(request))
    return reply({})


@with_json
def add(request: Request, body: Body) -> Response:
    """Add an item."""
    writer(request)
    item = body.get("item")
    if not isinstance(item, dict):
        raise Refusal(400, 'The body has no "item"')
    note = body.get("note")
    text = note.get("text") if isinstance(note, dict) else note
    store = hub_of(request).collections
    return reply(store.add(_slug(request), str(item.get("id")), str(item.get("type")), str(text) if text else None))


@with_json
def edit_item(request: Request, body: Body) -> Response:
    """Change the note of an item, or move it."""
    writer(request)
    note = body.get("note")
    text = note if isinstance(note, str) else None
    hub_of(request).collections.edit_item(_slug(request), part(request, "item"), text, _place(body))
    return reply({})


def remove_item(request: Request) -> Response:
    """Take an item out."""
    writer(request)
    hub_of(request).collections.remove_item(_slug(request), part(request, "item"))
    return reply({})


def _place(body: Body) -> int | None:
    position = body.get("position")
    return min(max(position, 0), 10**6) if isinstance(position, int) else None


def _slug(request: Request) -> str:
    return f"{part(request, 'owner')}/{part(request, 'slug')}"


def _shortened(content: Content) -> Content:
    shown = {key: value for key, value in content.items() if key != "position"}
    return shown | {"items": content["items"][:4]}


def _may_read(request: Request, content: Content) -> bool:
    return not content["private"] or visitor(request).role is not None


_ONE = "/api/collections/{owner}/{slug}"
ROUTES = [
    Route("/api/collections", listing),
    Route("/api/collections", create, methods=["POST"]),
    Route(_ONE, get),
    Route(_ONE, edit, methods=["PATCH"]),
    Route(_ONE, delete, methods=["DELETE"]),
    Route(_ONE + "/items", add, methods=["POST"]),
    Route(_ONE + "/items/{item}", edit_item, methods=["PATCH"]),
    Route(_ONE + "/items/{item}", remove_item, methods=["DELETE"]),
]
