"""Names as they appear in addresses: kinds of repositories, repository ids, paths inside them, content hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hubadapt.localhub.refusals import Refusal

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
"""The kinds of repositories: their name in `/api/...` addresses, and the one in bodies."""

# The first path segments that the Hub itself uses; as namespaces they would shadow its own addresses.
RESERVED = frozenset({"api", "collections", "datasets", "health", "lfs", "models", "spaces", "v1", "v2", "xet"})

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?")
_HASH = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class RepoId:
    """One repository: its kind in the plural, as in addresses, its namespace and its name."""

    plural: str
    namespace: str
    name: str

    @property
    def full_name(self) -> str:
        """Namespace and name, as clients write them."""
        return f"{self.namespace}/{self.name}"

    @property
    def prefix(self) -> str:
        """What stands before the full name in addresses of files: nothing for models."""
        return "" if self.plural == "models" else f"{self.plural}/"

    @property
    def kind(self) -> str:
        """The kind in the singular, as in request bodies."""
        return KINDS[self.plural]


def repo_id(plural: str, namespace: str, name: str) -> RepoId:
    """Make a repository id, refusing everything that is not a plain name: it becomes a folder on disk."""
    if plural not in KINDS:
        raise Refusal(404, f"Unknown kind of repository: {plural}")
    if not is_name(namespace) or namespace in RESERVED or not is_name(name):
        raise Refusal(400, f"Not a valid repository name: {namespace}/{name}")
    return RepoId(plural, namespace, name)


def is_name(text: str) -> bool:
    """Whether a text may be a namespace or a repository name."""
    return bool(_NAME.fullmatch(text)) and ".." not in text and "--" not in text and not text.endswith(".git")


def is_hash(text: str) -> bool:
    """Whether a text is a sha256 or Xet hash in lower-case hexadecimal, and so safe as a file name."""
    return bool(_HASH.fullmatch(text))


def require_hash(text: object) -> str:
    """Return a hash unchanged, or refuse the request."""
    if not isinstance(text, str) or not is_hash(text):
        raise Refusal(400, "Not a hash of 64 hexadecimal digits")
    return text


def require_path(text: object) -> str:
    """Return a path inside a repository unchanged, or refuse one that git or a checkout could not hold safely."""
    if not isinstance(text, str) or not text or len(text.encode()) > 1024 or _CONTROL.search(text):
        raise Refusal(400, f"Not a valid path in a repository: {text!r}")
    parts = text.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise Refusal(400, f"Not a valid path in a repository: {text!r}")
    return text
