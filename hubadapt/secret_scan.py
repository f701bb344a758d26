"""Finds what looks like a secret in text that will be published."""

from __future__ import annotations

import re

_PATTERNS = {
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{16,}",
    "an OpenAI-style key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"\bAKIA[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a URL with a password": r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@",
    "a password or token": (
        r"(?im)^[ \t]*(?:- +)?[\w-]*(?:password|passwd|secret|api[_-]?key|access[_-]?token)[\w-]*\s*[:=]\s*\S+"
    ),
}


def find_secrets(text: str) -> list[tuple[int, str]]:
    """Line numbers, from 1, with what each seems to hold; the secret itself is not returned."""
    found = {
        (text.count("\n", 0, match.start()) + 1, what)
        for what, pattern in _PATTERNS.items()
        for match in re.finditer(pattern, text)
    }
    return sorted(found)


def find_local_paths(text: str) -> list[tuple[int, str]]:
    """Line numbers, from 1, of absolute paths and home folders, which mean nothing on another machine."""
    pattern = re.compile(r"(?<![\w:/.])(?:~/|/(?:home|Users|root|mnt|data|tmp|var|opt|srv|work)\b|[A-Z]:\\)[^\s\"']*")
    return [
        (number, match.group())
        for number, line in enumerate(text.splitlines(), start=1)
        for match in pattern.finditer(line)
    ]
