"""Replies that carry the content of a file: types, ranges, caching, and headers that keep browsers from running it."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

# What a file may do when a browser opens it: nothing. SVG pictures may carry scripts, and anybody's card may show one.
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox"

_EXPOSED = "X-Repo-Commit, X-Linked-Etag, X-Linked-Size, ETag, Content-Range, Content-Length, Accept-Ranges, Link"


@dataclass(frozen=True)
class Content:
    """Something to serve: its name, size in bytes and ETag, and how to read from one byte to before another."""

    name: str
    size: int
    etag: str
    read: Callable[[int, int], Iterator[bytes]]


def serve(request: Request, content: Content, headers: dict[str, str]) -> Response:
    """The reply to a GET or HEAD: the content, the part of it that was asked for, or that it has not changed."""
    headers = _headers(content) | headers
    if content.etag in [tag.strip(' "').removeprefix('W/"') for tag in _tags(request)]:
        return Response(status_code=304, headers=headers)
    start, end, status = 0, content.size, 200
    if wanted := request.headers.get("range"):
        found = parse_range(wanted, content.size)
        if found == "unsatisfiable":
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{content.size}"})
        if isinstance(found, tuple) and request.headers.get("if-range", f'"{content.etag}"') == f'"{content.etag}"':
            (start, end), status = found, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(content.read(start, end), status, headers)


def parse_range(text: str, size: int) -> tuple[int, int] | str | None:
    """Read a `Range` header: start and end (exclusive), "unsatisfiable", or None for what is served whole.

    Several ranges at once are served whole, as the standard allows.
    """
    found = _RANGE.fullmatch(text.strip().replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
    if found[1] and found[2] and int(found[2]) < int(found[1]):
        return None
    return (start, end) if start < end else "unsatisfiable"


def content_type(name: str) -> str:
    """The content type of a file, with every kind of text that a browser would run turned into plain text."""
    guess = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith((".md", ".jinja", ".yaml", ".yml", ".jsonl", ".gitattributes")):
        guess = "text/plain"
    if guess.startswith("text/") or guess in ("application/javascript", "application/xhtml+xml"):
        return "text/plain; charset=utf-8"
    return guess


def _headers(content: Content) -> dict[str, str]:
    name = quote(content.name.rsplit("/", 1)[-1])
    return {
        "ETag": f'"{content.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": content_type(content.name),
        "Content-Disposition": f"inline; filename*=UTF-8''{name}",
        "Content-Security-Policy": _SANDBOX,
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Expose-Headers": _EXPOSED,
    }


def _tags(request: Request) -> list[str]:
    return request.headers.get("if-none-match", "").split(",")
