"""The front matter of a card: YAML between `---` lines at the top of a README, read safely and strictly."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

from hubadapt.errors import CardError

_BLOCK = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_MOST_VALUES = 100_000


class _OneOfEach(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, where YAML loaders keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Read a mapping."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} stands twice")
        return super().construct_mapping(node, deep)


def split_card(text: str) -> tuple[str | None, str]:
    """The YAML of a card, None where it has none, and its body."""
    found = _BLOCK.match(text)
    return (found[1], text[found.end() :]) if found else (None, text)


def read_front_matter(text: str) -> dict[str, Any]:
    """The front matter of a card as plain JSON values; dates become text.

    Raises:
        CardError: There is none, or it is no YAML, no mapping, has a key twice, a number that is none or infinite, or
            aliases that unfold into very many values.
    """
    block, _ = split_card(text)
    if block is None:
        raise CardError("the card has no front matter.", "Put its YAML between two lines of `---` at the very top.")
    try:
        data = _plain(yaml.load(block, _OneOfEach), [_MOST_VALUES])
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 2}" if mark else ""
        raise CardError(
            f"the front matter of the card{where} cannot be read: {getattr(error, 'problem', None) or error}.",
            "Check quotes, indentation and doubled keys there.",
        ) from error
    if not isinstance(data, dict):
        raise CardError("the front matter of the card is no mapping.", "Write `key: value` lines between the `---`.")
    return data


def licence_of(text: str) -> str:
    """The licence that a card names, its `license_name` where that is `other`; empty where it names none.

    Several are joined by AND, an expression that stands for no licence of its own. A card that cannot be read names
    none.
    """
    try:
        data = read_front_matter(text)
    except CardError:
        return ""
    return licence_in(data)


def licence_in(data: dict[str, Any]) -> str:
    """The licence in front matter that was read before, as `licence_of` gives it."""
    named = data.get("license") or ""
    found = " AND ".join(map(str, named)) if isinstance(named, list) else str(named)
    return str(data.get("license_name") or found) if found == "other" else found


def _plain(value: object, budget: list[int]) -> object:
    # A few lines of nested aliases can unfold into gigabytes.
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("it unfolds into too many values")
    if isinstance(value, dict):
        return {str(key): _plain(item, budget) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, budget) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number that JSON can hold")
    return value if value is None or isinstance(value, str | int | float) else str(value)
