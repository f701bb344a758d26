"""What this Hub does not do, said clearly; and the reply to every address it does not know."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.web import show_refusal

_ALL = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def absent(request: Request) -> Response:
    """Refuse a part of the Hub that is not here."""
    raise Refusal(501, f"This embedded Hub does not do this: {request.method} {request.url.path}")


async def unknown(request: Request, error: Exception) -> Response:
    """Answer for an address that no route knows, in the JSON that clients expect."""
    status = getattr(error, "status_code", 404)
    # An id of one part, such as the Hub's historic "gpt2", is a repository that cannot be here.
    code = "RepoNotFound" if status == 404 and "/resolve/" in request.url.path else None
    message = f"This embedded Hub has no such address: {request.method} {request.url.path}"
    return await show_refusal(request, Refusal(status, message, code))


_ONE = "/api/{plural}/{namespace}/{name}"
ROUTES = [
    Route(_ONE + "/discussions/{rest:path}", absent, methods=_ALL),
    Route(_ONE + "/duplicate", absent, methods=_ALL),
    Route(_ONE + "/lfs-files", absent, methods=_ALL),
    Route(_ONE + "/lfs-files/{rest:path}", absent, methods=_ALL),
    Route("/api/repos/move", absent, methods=_ALL),
    *(Route(f"/api/{name}/{{rest:path}}", absent, methods=_ALL) for name in ("jobs", "scheduled-jobs", "buckets")),
    *(Route(f"/api/spaces/{{namespace}}/{{name}}/{what}", absent, methods=_ALL) for what in ("secrets", "variables")),
]
