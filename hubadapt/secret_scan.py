"""Finds what looks like a secret in text that will be published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hubadapt.types import Manifest

_SHAPES = {
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{16,}",
    "an OpenAI-style key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"\bAKIA[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a URL with a password": r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@",
}
# Says nothing of texts that models read and write: programs set passwords all the time.
_NAMED = {
    "a password or token": (
        r"(?im)^[ \t]*(?:- +)?[\w-]*(?:password|passwd|secret|api[_-]?key|access[_-]?token)[\w-]*\s*[:=]\s*\S+"
    ),
}


def find_secrets(text: str) -> list[tuple[int, str]]:
    """Line numbers, from 1, with what each seems to hold; the secret itself is not returned."""
    return _found(text, _SHAPES | _NAMED)


def find_keys(text: str) -> list[tuple[int, str]]:
    """As `find_secrets`, for texts of any origin: what has the shape of a key, whatever stands around it."""
    return _found(text, _SHAPES)


def secrets_of_record(manifest: Manifest) -> list[tuple[str, str]]:
    """Places in a run's record, as `stages.embed.facts.log`, with what each seems to hold; its recipe is left out."""
    found = {}
    for place, value in _texts(manifest.model_dump(mode="json", exclude={"recipe"}), ()):
        settings = _found(f"{place[-1]}: {value}", _NAMED) if "params" in place else []
        for _, what in find_keys(value) or settings:
            found[".".join(map(str, place))] = what
    return list(found.items())


def _found(text: str, patterns: dict[str, str]) -> list[tuple[int, str]]:
    found = {
        (text.count("\n", 0, match.start()) + 1, what)
        for what, pattern in patterns.items()
        for match in re.finditer(pattern, text)
    }
    return sorted(found)


def _texts(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a JSON value with the path to it, keys with the path to their mapping; names stand for numbers."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield place, key
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            named = item.get("name", number) if isinstance(item, dict) else number
            yield from _texts(item, (*place, named))


def find_local_paths(text: str) -> list[tuple[int, str]]:
    """Line numbers, from 1, of absolute paths and home folders, which mean nothing on another machine."""
    pattern = re.compile(r"(?<![\w:/.])(?:~/|/(?:home|Users|root|mnt|data|tmp|var|opt|srv|work)\b|[A-Z]:\\)[^\s\"']*")
    return [
        (number, match.group())
        for number, line in enumerate(text.splitlines(), start=1)
        for match in pattern.finditer(line)
    ]
