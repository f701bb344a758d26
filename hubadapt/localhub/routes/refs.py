"""Branches and tags."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub.committing import squash
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import MAIN
from hubadapt.localhub.web import Body, flag, part, reply, repository_of, with_json, writer


def refs(request: Request) -> Response:
    """List branches and tags."""
    repository = repository_of(request)
    content: dict[str, object] = {"converts": []}
    for key, start, found in (
        ("branches", "refs/heads/", repository.branches()),
        ("tags", "refs/tags/", repository.tags()),
    ):
        content[key] = [{"name": name, "ref": start + name, "targetCommit": sha} for name, sha in found.items()]
    if flag(request, "include_prs"):
        pulls = repository.pulls()
        content["pullRequests"] = [
            {"name": name, "ref": f"refs/pr/{name}", "targetCommit": sha} for name, sha in pulls.items()
        ]
    return reply(content)


@with_json
def create_branch(request: Request, body: Body) -> Response:
    """Make a branch, at the head of main unless the body says where."""
    writer(request)
    repository = repository_of(request)
    if body.get("emptyBranch"):
        raise Refusal(501, "This embedded Hub makes no empty branches; start one at a commit.")
    commit = repository.commit_of(str(body.get("startingPoint") or MAIN))
    repository.set_ref("refs/heads/" + part(request, "branch"), commit, bool(body.get("overwrite")))
    return reply({}, 201)


def delete_branch(request: Request) -> Response:
    """Delete a branch other than main."""
    writer(request)
    branch = part(request, "branch")
    if branch == MAIN:
        raise Refusal(403, "The main branch cannot be deleted.")
    repository_of(request).delete_ref("refs/heads/" + branch)
    return reply({})


@with_json
def create_tag(request: Request, body: Body) -> Response:
    """Tag a revision; messages of tags are not kept."""
    writer(request)
    repository = repository_of(request)
    commit = repository.commit_of(part(request, "revision"))
    repository.set_ref(f"refs/tags/{body.get('tag', '')}", commit)
    return reply({}, 201)


def delete_tag(request: Request) -> Response:
    """Delete a tag."""
    writer(request)
    repository_of(request).delete_ref("refs/tags/" + part(request, "revision"))
    return reply({})


@with_json
def squash_history(request: Request, body: Body) -> Response:
    """Replace the history of a branch by one commit."""
    user = writer(request)
    branch, message = part(request, "branch"), str(body.get("message") or "Super-squash history")
    return reply({"commitId": squash(repository_of(request), branch, user, message)})


_API = "/api/{plural}/{namespace}/{name}"
ROUTES = [
    Route(_API + "/refs", refs),
    Route(_API + "/branch/{branch}", create_branch, methods=["POST"]),
    Route(_API + "/branch/{branch}", delete_branch, methods=["DELETE"]),
    Route(_API + "/super-squash/{branch}", squash_history, methods=["POST"]),
    Route(_API + "/tag/{revision}", create_tag, methods=["POST"]),
    Route(_API + "/tag/{revision}", delete_tag, methods=["DELETE"]),
]
