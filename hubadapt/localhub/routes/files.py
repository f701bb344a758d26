"""Read what a repository holds: listings of its files, and the files."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub.content import Content, serve
from hubadapt.localhub.describe import entry_json
from hubadapt.localhub.refusals import Refusal, missing_entry
from hubadapt.localhub.repository import Repository
from hubadapt.localhub.trees import Entry
from hubadapt.localhub.web import (
    MAX_JSON,
    flag,
    hub_of,
    json_body,
    next_page,
    number,
    part,
    reply,
    repository_of,
    whole_body,
)

_PAGE, _EXPANDED_PAGE = 1000, 100


def tree(request: Request) -> Response:
    """List a folder, page by page; the cursor is the last path of the page before."""
    repository = repository_of(request)
    commit = repository.commit_of(part(request, "revision"))
    folder = part(request, "path").strip("/") if "path" in request.path_params else ""
    expand = flag(request, "expand")
    page = _EXPANDED_PAGE if expand else _PAGE
    limit = number(request, "limit", page, page) or page
    found = sorted(repository.entries(commit, folder, flag(request, "recursive")), key=lambda entry: entry.path)
    if cursor := request.query_params.get("cursor"):
        found = [entry for entry in found if entry.path > cursor]
    shown = found[:limit]
    headers = {"X-Repo-Commit": commit}
    if len(found) > limit:
        headers |= next_page(request, cursor=shown[-1].path)
    return reply(_entries_json(repository, commit, shown, expand), headers=headers)


async def paths_info(request: Request) -> Response:
    """Describe the paths named in the body, a form or JSON; missing ones are left out."""
    if "json" in request.headers.get("content-type", ""):
        body = await json_body(request)
        paths, expand = body.get("paths"), bool(body.get("expand"))
    else:
        form = parse_qs((await whole_body(request, MAX_JSON)).decode("utf-8", "replace"))
        paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() in ("true", "1")
    if not isinstance(paths, list):
        raise Refusal(400, 'The body has no list "paths"')
    return await run_in_threadpool(_paths_info, request, [str(path) for path in paths], expand)


def _paths_info(request: Request, paths: list[str], expand: bool) -> Response:
    repository = repository_of(request)
    commit = repository.commit_of(part(request, "revision"))
    found = repository.entries_at(commit, (path.strip("/") for path in paths))
    return reply(_entries_json(repository, commit, list(found.values()), expand), headers={"X-Repo-Commit": commit})


def resolve(request: Request) -> Response:
    """Serve a file. Big ones are served here too: a redirect on the same host loses headers that clients need."""
    repository, commit, entry = _find(request)
    content = _git_content(repository, entry)
    headers = {"X-Repo-Commit": commit}
    if entry.pointer:
        pointer, blobs = entry.pointer, hub_of(request).blobs
        if blobs.size(pointer.sha256) is None:
            raise Refusal(404, f"The content of {entry.path} was never uploaded", headers=headers)
        headers |= {"X-Linked-Etag": f'"{pointer.sha256}"', "X-Linked-Size": str(pointer.size)}
        content = Content(entry.path, pointer.size, pointer.sha256, lambda a, b: blobs.read(pointer.sha256, a, b))
    return serve(request, content, headers)


def raw(request: Request) -> Response:
    """Serve what git holds for a file: of a big one its pointer."""
    repository, commit, entry = _find(request)
    return serve(request, _git_content(repository, entry), {"X-Repo-Commit": commit})


def _find(request: Request) -> tuple[Repository, str, Entry]:
    repository = repository_of(request)
    commit, path = repository.commit_of(part(request, "revision")), part(request, "path")
    entry = repository.entry(commit, path)
    if entry is None or entry.is_folder:
        raise missing_entry(path, commit)
    return repository, commit, entry


def _git_content(repository: Repository, entry: Entry) -> Content:
    def read(start: int, end: int) -> Iterator[bytes]:
        yield repository.content(entry)[start:end]

    return Content(entry.path, entry.stored, entry.oid, read)


def _entries_json(repository: Repository, commit: str, entries: list[Entry], expand: bool) -> list[object]:
    last = repository.last_changes(commit, [entry.path for entry in entries]) if expand else {}
    return [entry_json(entry, last.get(entry.path)) for entry in entries]


_API = "/api/{plural}/{namespace}/{name}"
ROUTES = [
    Route(_API + "/tree/{revision}", tree),
    Route(_API + "/tree/{revision}/{path:path}", tree),
    Route(_API + "/paths-info/{revision}", paths_info, methods=["POST"]),
]
for _prefix in ("/datasets", "/spaces", ""):
    ROUTES += [
        Route(_prefix + "/{namespace}/{name}/resolve/{revision}/{path:path}", resolve),
        Route(_prefix + "/{namespace}/{name}/raw/{revision}/{path:path}", raw),
    ]
