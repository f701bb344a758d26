"""Write to a repository: what goes where, the commit itself, and the history."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub.addresses import require_hash, require_path
from hubadapt.localhub.attributes import Attributes, Ignored, goes_to_lfs
from hubadapt.localhub.blobs import BlobStore
from hubadapt.localhub.changes import Change
from hubadapt.localhub.committing import Proposal, add_blob, commit
from hubadapt.localhub.describe import commit_json
from hubadapt.localhub.discussions import Discussions
from hubadapt.localhub.pointers import Pointer
from hubadapt.localhub.pulls import open_pull_with, require_open
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import Repository
from hubadapt.localhub.routes.discussions import discussion_url
from hubadapt.localhub.web import (
    Body,
    endpoint,
    flag,
    hub_of,
    next_page,
    number,
    parse_object,
    part,
    pieces,
    reply,
    repository_of,
    with_json,
    writer,
)

_MAX_LINE = 64 << 20
_DELETIONS: dict[object, Literal["delete", "delete folder", "delete either"]] = {
    "deletedFile": "delete",
    "deletedFolder": "delete folder",
    "deletedEntry": "delete either",
}


@with_json
def preupload(request: Request, body: Body) -> Response:
    """Say for each file whether it goes to the blob store or into the commit, and what is there now."""
    writer(request)
    repository = repository_of(request)
    head = repository.commit_of(part(request, "revision"))
    attributes = Attributes(_text(repository, head, body, "gitAttributes", ".gitattributes"))
    ignored = Ignored(_text(repository, head, body, "gitIgnore", ".gitignore"))
    wanted = _objects(body, "files")
    present = repository.entries_at(head, (str(file.get("path", "")) for file in wanted))
    files = []
    for file in wanted:
        path, size = str(file.get("path", "")), file.get("size") or 0
        if not isinstance(size, int):
            raise Refusal(400, f"The size of {path} is no number")
        mode = "lfs" if goes_to_lfs(path, size, str(file.get("sample", "")), attributes) else "regular"
        answer = {"path": path, "uploadMode": mode, "shouldIgnore": ignored.covers(path)}
        current = present.get(path)
        # The client leaves out files that it finds here unchanged.
        files.append(answer | ({"oid": current.etag} if current and not current.is_folder else {}))
    return reply({"files": files, "commitOid": head})


async def post_commit(request: Request) -> Response:
    """Make a commit from a stream of lines; each small file is stored as it arrives, so that memory stays small."""
    user = await run_in_threadpool(writer, request)
    repository = await run_in_threadpool(repository_of, request)
    blobs = hub_of(request).blobs
    header: Body = {}
    changes: list[Change] = []
    async for line in _lines(request):
        if line.get("key") == "header":
            header = _value(line)
        else:
            changes.append(await run_in_threadpool(_change, repository, blobs, line))
    return await run_in_threadpool(_commit, request, repository, user, header, changes)


def _commit(request: Request, repository: Repository, user: str, header: Body, changes: list[Change]) -> Response:
    summary, description = str(header.get("summary") or "Update"), str(header.get("description") or "")
    parent = header.get("parentCommit")
    message = "\n\n".join(filter(None, (summary, description)))
    proposal = Proposal(user, message, changes, None if parent is None else str(parent))
    done: Body = {"success": True, "hookOutput": ""}
    if flag(request, "create_pr"):
        content, oid = open_pull_with(repository, proposal, description)
        done["pullRequestUrl"] = discussion_url(request, content)
    else:
        oid = _onto(repository, part(request, "revision"), proposal)
    address = repository.address
    url = f"{endpoint(request)}/{address.prefix}{address.full_name}/commit/{oid}"
    return reply(done | {"commitOid": oid, "commitUrl": url})


def _onto(repository: Repository, revision: str, proposal: Proposal) -> str:
    pull = re.fullmatch(r"refs/pr/(\d{1,9})", revision)
    if pull is None:
        return commit(repository, "refs/heads/" + revision.removeprefix("refs/heads/"), proposal)
    with repository.lock:
        require_open(Discussions(repository).get(int(pull[1])))
        return commit(repository, revision, proposal)


def history(request: Request) -> Response:
    """List the commits of a revision, newest first."""
    repository = repository_of(request)
    found = repository.history(repository.commit_of(part(request, "revision")))
    page, limit = number(request, "p", 0, 10**6), number(request, "limit", 50, 1000) or 50
    shown = found[page * limit : (page + 1) * limit]
    headers = {"X-Total-Count": str(len(found))}
    if len(found) > (page + 1) * limit:
        headers |= next_page(request, p=page + 1)
    return reply([commit_json(info) for info in shown], headers=headers)


async def _lines(request: Request) -> AsyncIterator[Body]:
    rest = bytearray()
    async for piece in pieces(request):
        start = len(rest)
        rest += piece
        # Only the new bytes are searched: a line of megabytes arrives in many pieces.
        if (end := rest.rfind(b"\n", start)) >= 0:
            for line in bytes(rest[:end]).split(b"\n"):
                if line.strip():
                    yield parse_object(line)
            del rest[: end + 1]
        if len(rest) > _MAX_LINE:
            raise Refusal(413, "A file in this commit is too big to go without git-lfs or Xet")
    if rest.strip():
        yield parse_object(bytes(rest))


def _value(line: Body) -> Body:
    value = line.get("value")
    if not isinstance(value, dict):
        raise Refusal(400, "A line of the commit has no value")
    return value


def _change(repository: Repository, blobs: BlobStore, line: Body) -> Change:
    key, value = str(line.get("key")), _value(line)
    path = require_path(str(value.get("path", "")).rstrip("/"))
    if key == "file":
        return Change("put", path, add_blob(repository, _decode(value)))
    if key == "lfsFile":
        return Change("put", path, add_blob(repository, _pointer(blobs, path, value).text()), is_lfs=True)
    if key in _DELETIONS:
        return Change(_DELETIONS[key], path)
    raise Refusal(400, f"Unknown line in a commit: {key!r}")


def _decode(value: Body) -> bytes:
    content = str(value.get("content", ""))
    if value.get("encoding", "base64") != "base64":
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise Refusal(400, f"The content of {value.get('path')} is not base64") from error


def _pointer(blobs: BlobStore, path: str, value: Body) -> Pointer:
    sha256 = require_hash(value.get("oid"))
    size = blobs.size(sha256)
    if size is None:
        raise Refusal(400, f"The content of {path} was not uploaded: no blob {sha256}")
    if isinstance(value.get("size"), int) and value["size"] != size:
        raise Refusal(400, f"{path} has {size} bytes, not {value['size']}")
    return Pointer(sha256, size)


def _objects(body: Body, key: str) -> list[dict[str, Any]]:
    found = body.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Refusal(400, f'The body has no list "{key}"')
    return found


def _text(repository: Repository, commit: str, body: Body, key: str, path: str) -> bytes:
    given = body.get(key)
    return (given if isinstance(given, str) else repository.text(commit, path) or "").encode()


_API = "/api/{plural}/{namespace}/{name}"
ROUTES = [
    Route(_API + "/preupload/{revision}", preupload, methods=["POST"]),
    Route(_API + "/commit/{revision}", post_commit, methods=["POST"]),
    Route(_API + "/commits/{revision}", history),
]
