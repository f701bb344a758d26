"""Pages for people: the list of repositories, a repository, a collection. No scripts, no assets from elsewhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from hubadapt.localhub import cards, markdown, pulls
from hubadapt.localhub.addresses import KINDS
from hubadapt.localhub.describe import repository_summary
from hubadapt.localhub.discussions import Discussions
from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import MAIN, Repository
from hubadapt.localhub.web import address_of, date, endpoint, hub_of, number_in, part, repository_of

_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def front(request: Request) -> Response:
    """The list of all public repositories and collections."""
    hub = hub_of(request)
    kinds = {
        plural: [repository_summary(one) for one in hub.shelf.all(plural) if not one.settings().private]
        for plural in KINDS
    }
    collections = [content for content in hub.collections.all() if not content["private"]]
    return _page("front", kinds=kinds, collections=collections, endpoint=endpoint(request))


def repository(request: Request) -> Response:
    """One repository: card, files, branches, and how to load it."""
    found = repository_of(request)
    revision = part(request, "revision") if "revision" in request.path_params else MAIN
    commit = found.commit_of(revision)
    address = found.address
    home = f"/{address.prefix}{address.full_name}"
    files_at = f"{home}/resolve/{commit}/"
    card, body = cards.split(found.text(commit, "README.md") or "")
    return _page(
        "repository",
        address=address,
        home=home,
        revision=revision,
        commit=found.commit_info(commit),
        when=date(found.commit_info(commit).when),
        card={key: _card_text(value) for key, value in card.items()},
        body=Markup(markdown.render(body, files_at)),
        files=[(entry, files_at + quote(entry.path)) for entry in found.files(commit)],
        branches=[(name, f"{home}/tree/{quote(name, safe='')}", sha) for name, sha in found.branches().items()],
        tags=[(name, f"{home}/tree/{quote(name, safe='')}", sha) for name, sha in found.tags().items()],
        discussions=len(Discussions(found).all()),
        snippet=_snippet(found, endpoint(request), revision),
    )


def blob(request: Request) -> Response:
    """Lead from the address of a file's page to the file."""
    address = address_of(request)
    revision, path = quote(part(request, "revision"), safe=""), quote(part(request, "path"))
    return RedirectResponse(f"/{address.prefix}{address.full_name}/resolve/{revision}/{path}", 302)


def collection(request: Request) -> Response:
    """One collection."""
    slug = f"{part(request, 'owner')}/{part(request, 'slug')}"
    content = hub_of(request).collections.get(slug)
    if content["private"]:
        raise Refusal(404, f"Collection not found: {slug}")
    prefixes = {kind: "" if plural == "models" else f"{plural}/" for plural, kind in KINDS.items()}
    return _page("collection", collection=content, prefixes=prefixes)


def discussions(request: Request) -> Response:
    """The discussions and pull requests of a repository."""
    found = repository_of(request)
    return _page("discussions", discussions=Discussions(found).all(), **_place(found))


def discussion(request: Request) -> Response:
    """One of them; of a pull request also its commits and what they change."""
    found = repository_of(request)
    content = Discussions(found).get(number_in(request))
    is_pull = content["isPullRequest"]
    commits, diff = (pulls.commits(found, content), pulls.diff(found, content)) if is_pull else ([], "")
    return _page("discussion", content=content, commits=commits, diff=diff, **_place(found))


def _place(found: Repository) -> dict[str, object]:
    return {"address": found.address, "home": f"/{found.address.prefix}{found.address.full_name}"}


def _page(name: str, **values: object) -> Response:
    text = _TEMPLATES.get_template(f"{name}.html.jinja").render(**values)
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"})


def _card_text(value: object) -> str:
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict | list):
        return f"({len(value)} entries)"
    return str(value)


def _snippet(found: Repository, address: str, revision: str) -> str:
    name = found.address.full_name
    at = "" if revision == MAIN else f', revision="{revision}"'
    lines = ["import os", f'os.environ["HF_ENDPOINT"] = "{address}"  # before the imports below']
    if found.address.plural == "models":
        lines += ["from transformers import AutoModelForCausalLM, AutoTokenizer"]
        lines += [f'{var} = {cls}.from_pretrained("{name}"{at})' for var, cls in _MODEL_PARTS]
    elif found.address.plural == "datasets":
        lines += ["from datasets import load_dataset", f'dataset = load_dataset("{name}"{at})']
    else:
        lines += ["from huggingface_hub import snapshot_download"]
        lines += [f'folder = snapshot_download("{name}", repo_type="space"{at})']
    return "\n".join(lines)


_MODEL_PARTS = (("tokenizer", "AutoTokenizer"), ("model", "AutoModelForCausalLM"))

ROUTES = [Route("/", front), Route("/collections/{owner}/{slug}", collection)]
for _prefix in ("/datasets", "/spaces", ""):
    _one = _prefix + "/{namespace}/{name}"
    ROUTES += [
        Route(_one, repository),
        Route(_one + "/discussions", discussions),
        Route(_one + "/discussions/{number}", discussion),
        Route(_one + "/tree/{revision}", repository),
        Route(_one + "/commit/{revision}", repository),
        Route(_one + "/blob/{revision}/{path:path}", blob),
    ]
