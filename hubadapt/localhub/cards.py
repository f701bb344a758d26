"""The front matter of a card, as the Hub reads and checks it: by the very checks that are made before a push."""

from __future__ import annotations

from typing import Any

from hubadapt.card.metadata import Kind, metadata_problems
from hubadapt.errors import CardError
from hubadapt.front_matter import read_front_matter, split_card


def split(text: str) -> tuple[dict[str, Any], str]:
    """The front matter and the body of a card; unreadable front matter counts as empty."""
    _, body = split_card(text)
    try:
        return read_front_matter(text), body
    except CardError:
        return {}, body


def check(text: str, kind: Kind) -> tuple[list[str], list[str]]:
    """Errors and warnings about the front matter of a card."""
    if split_card(text)[0] is None:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        data = read_front_matter(text)
    except CardError as error:
        return [f"{error.problem} {error.hint}"], []
    return [f"The card {found}. {hint}" for found, hint in metadata_problems(data, kind)], []


def tags(data: dict[str, Any]) -> list[str]:
    """The tags the Hub derives from front matter: the card's own, and one each for licence, library and so on."""
    found = _strings(data.get("tags"))
    found += [f"license:{item}" for item in _strings(data.get("license"))]
    found += [f"base_model:{item}" for item in _strings(data.get("base_model"))]
    found += [f"dataset:{item}" for item in _strings(data.get("datasets"))]
    for key in ("library_name", "pipeline_tag", "language"):
        found += _strings(data.get(key))
    return list(dict.fromkeys(found))


def _strings(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [str(item) for item in items if isinstance(item, str | int | float) and not isinstance(item, bool)]
