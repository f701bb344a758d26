"""The front matter of a card: the YAML between the `---` lines at the top of a README."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

_BLOCK = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_LICENCE_NAME = re.compile(r"[a-z0-9-.]+")


class _OneOfEach(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, where YAML loaders keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Read a mapping."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"duplicate key {key!r}")
        return super().construct_mapping(node, deep)


def split(text: str) -> tuple[dict[str, Any], str]:
    """The front matter and the body of a card; unreadable front matter counts as empty."""
    found = _BLOCK.match(text)
    if found is None:
        return {}, text
    try:
        data = _plain(yaml.load(found[1], _OneOfEach))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        data = {}
    return (data if isinstance(data, dict) else {}), text[found.end() :]


def check(text: str) -> tuple[list[str], list[str]]:
    """Errors and warnings about the front matter of a card."""
    found = _BLOCK.match(text)
    if found is None:
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        data = yaml.load(found[1], _OneOfEach)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        return [f"The front matter is not valid YAML: {error}"], []
    if not isinstance(data, dict):
        return ["The front matter is not a mapping"], []
    return _check_fields(data), []


def tags(data: dict[str, Any]) -> list[str]:
    """The tags the Hub derives from front matter: the card's own, and one each for licence, library and so on."""
    found = _strings(data.get("tags"))
    found += [f"license:{item}" for item in _strings(data.get("license"))]
    found += [f"base_model:{item}" for item in _strings(data.get("base_model"))]
    found += [f"dataset:{item}" for item in _strings(data.get("datasets"))]
    for key in ("library_name", "pipeline_tag", "language"):
        found += _strings(data.get(key))
    return list(dict.fromkeys(found))


def _check_fields(data: dict[str, Any]) -> list[str]:
    errors = []
    if data.get("license") == "other" and not _LICENCE_NAME.fullmatch(str(data.get("license_name", ""))):
        errors.append('"license: other" needs a "license_name" of lower-case letters, digits, "-" and "."')
    for key in ("tags", "datasets", "metrics"):
        if key in data and not isinstance(data[key], list | str):
            errors.append(f'"{key}" must be a list')
    return errors


def _strings(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [str(item) for item in items if isinstance(item, str | int | float) and not isinstance(item, bool)]


def _plain(value: object, budget: list[int] | None = None) -> object:
    # YAML knows dates, sets and infinities, which JSON does not. The budget stops a few lines of nested aliases from
    # unfolding into gigabytes.
    budget = [100_000] if budget is None else budget
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("the front matter unfolds into too many values")
    if isinstance(value, dict):
        return {str(key): _plain(item, budget) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, budget) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)
