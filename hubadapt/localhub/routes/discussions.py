"""Discussions and pull requests."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub import pulls
from hubadapt.localhub.describe import Json, commit_event
from hubadapt.localhub.discussions import (
    Content,
    Discussions,
    add,
    comment,
    edit,
    find_comment,
    hide,
    set_status,
    set_title,
)
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import MAIN, Repository
from hubadapt.localhub.web import (
    Body,
    address_of,
    endpoint,
    flag,
    number,
    number_in,
    part,
    reply,
    repository_of,
    with_json,
    writer,
)

_PAGE = 50


def listing(request: Request) -> Response:
    """List them, newest first, by kind, status and author where the query asks."""
    repository = repository_of(request)
    query = request.query_params
    wanted = {"discussion": False, "pull_request": True}.get(query.get("type", "all"))
    found = [one for one in Discussions(repository).all() if wanted is None or one["isPullRequest"] == wanted]
    if (status := query.get("status", "all")) != "all":
        found = [one for one in found if (one["status"] in ("open", "draft")) == (status == "open")]
    if author := query.get("author"):
        found = [one for one in found if one["author"]["name"] == author]
    start = number(request, "p", 0, 10**6) * _PAGE
    shown = [_summary(repository, one) for one in found[start : start + _PAGE]]
    return reply({"discussions": shown, "count": len(found), "start": start})


@with_json
def create(request: Request, body: Body) -> Response:
    """Begin a discussion or a pull request."""
    user = writer(request)
    repository = repository_of(request)
    title, description = str(body.get("title") or ""), str(body.get("description") or "")
    if body.get("pullRequest"):
        content = pulls.open_pull(repository, user, title, description)
    else:
        content = Discussions(repository).open(user, title, description)
    url = discussion_url(request, content)
    return reply({"num": content["num"], "url": url, "pullRequest": content["isPullRequest"]})


def details(request: Request) -> Response:
    """One of them with all that happened to it."""
    repository = repository_of(request)
    content = Discussions(repository).get(number_in(request))
    found = _summary(repository, content) | {"events": content["events"]}
    if content["isPullRequest"]:
        made = [commit_event(info) for info in pulls.commits(repository, content)]
        found["events"] = sorted([*made, *content["events"]], key=lambda event: str(event["createdAt"]))
        is_open = content["status"] in ("open", "draft")
        found["filesWithConflicts"] = pulls.conflicts(repository, content["num"]) if is_open else []
        found["changes"] = {"base": f"refs/heads/{MAIN}"}
        if "mergeCommitId" in content:
            found["changes"]["mergeCommitId"] = content["mergeCommitId"]
        if flag(request, "diff"):
            found["diff"] = pulls.diff(repository, content)
    return reply(found)


@with_json
def say(request: Request, body: Body) -> Response:
    """Add a comment."""
    user = writer(request)
    with Discussions(repository_of(request)).changing(number_in(request)) as content:
        new = add(content, comment(user, str(body.get("comment") or "")))
    return reply({"newMessage": new}, 201)


@with_json
def change_status(request: Request, body: Body) -> Response:
    """Open or close."""
    user = writer(request)
    status = body.get("status")
    if status not in ("open", "closed"):
        raise Refusal(400, "The status must be open or closed")
    with Discussions(repository_of(request)).changing(number_in(request)) as content:
        if body.get("comment"):
            add(content, comment(user, str(body["comment"])))
        new = set_status(content, user, status)
    return reply({"newStatus": new})


@with_json
def change_title(request: Request, body: Body) -> Response:
    """Rename."""
    user = writer(request)
    with Discussions(repository_of(request)).changing(number_in(request)) as content:
        new = set_title(content, user, str(body.get("title") or ""))
    return reply({"newTitle": new})


@with_json
def change_comment(request: Request, body: Body) -> Response:
    """Give a comment another text."""
    user = writer(request)
    with Discussions(repository_of(request)).changing(number_in(request)) as content:
        found = find_comment(content, part(request, "event"))
        edit(found, user, str(body.get("content") or ""))
    return reply({"updatedComment": found})


def hide_comment(request: Request) -> Response:
    """Take the text of a comment away."""
    writer(request)
    with Discussions(repository_of(request)).changing(number_in(request)) as content:
        found = find_comment(content, part(request, "event"))
        hide(found)
    return reply({"updatedComment": found})


@with_json
def merge(request: Request, body: Body) -> Response:
    """Merge a pull request into main."""
    user = writer(request)
    content = pulls.merge(repository_of(request), number_in(request), user, str(body.get("comment") or ""))
    return reply({"mergeCommitId": content["mergeCommitId"]})


def discussion_url(request: Request, content: Content) -> str:
    """The address of the page of a discussion."""
    address = address_of(request)
    return f"{endpoint(request)}/{address.prefix}{address.full_name}/discussions/{content['num']}"


def _summary(repository: Repository, content: Content) -> Json:
    shown = ("num", "title", "status", "author", "createdAt", "isPullRequest")
    repo = {"name": repository.address.full_name, "type": repository.address.kind}
    return {key: content[key] for key in shown} | {"repo": repo, "pinned": False}


_API = "/api/{plural}/{namespace}/{name}/discussions"
_ONE = _API + "/{number}"
ROUTES = [
    Route(_API, listing),
    Route(_API, create, methods=["POST"]),
    Route(_ONE, details),
    Route(_ONE + "/comment", say, methods=["POST"]),
    Route(_ONE + "/status", change_status, methods=["POST"]),
    Route(_ONE + "/title", change_title, methods=["POST"]),
    Route(_ONE + "/merge", merge, methods=["POST"]),
    Route(_ONE + "/comment/{event}/edit", change_comment, methods=["POST"]),
    Route(_ONE + "/comment/{event}/hide", hide_comment, methods=["POST"]),
]
