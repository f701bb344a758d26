"""Who am I, is the server up, is this card's front matter valid."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubadapt.card.metadata import Kind
from hubadapt.localhub.cards import check
from hubadapt.localhub.web import Body, endpoint, hub_of, member, reply, text_in, visitor, with_json

_KINDS: dict[str, Kind] = {"model": "model", "dataset": "dataset", "space": "space"}


def health(request: Request) -> Response:
    """Say that the server is up."""
    return reply({"status": "ok"})


def whoami(request: Request) -> Response:
    """The user and what the token may do; all namespaces in use count as the user's organisations."""
    name = member(request)
    orgs = [other for other in hub_of(request).shelf.namespaces() if other != name]
    return reply(
        {
            "type": "user",
            "id": name,
            "name": name,
            "fullname": name,
            "email": f"{name}@localhost",
            "emailVerified": True,
            "isPro": False,
            "canPay": False,
            "orgs": [{"type": "org", "id": org, "name": org, "fullname": org, "roleInOrg": "admin"} for org in orgs],
            "auth": {
                "type": "access_token",
                "accessToken": {"displayName": "token", "role": visitor(request).role},
            },
        }
    )


def overview(request: Request) -> Response:
    """A user or organisation, as far as there is anything to say."""
    name = request.path_params["name"]
    return reply({"user": name, "name": name, "fullname": name, "type": "user", "avatarUrl": endpoint(request)})


@with_json
def validate_yaml(request: Request, body: Body) -> Response:
    """Check the front matter of a card; clients ask before every commit that holds a README."""
    kind = _KINDS.get(text_in(body, "repoType") or "model", "model")
    errors, warnings = check(text_in(body, "content") or "", kind)
    lists = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    return reply(lists, 400 if errors else 200)


ROUTES = [
    Route("/health", health),
    Route("/api/whoami-v2", whoami),
    Route("/api/users/{name}/overview", overview),
    Route("/api/organizations/{name}/overview", overview),
    Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
]
