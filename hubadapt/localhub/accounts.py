"""Who may do what: one user, and tokens that may read, or read and write.

Tokens are kept as salted hashes. The first write token is kept in clear as well, in a file of its own that only the
owner of the data folder can read, since the owner needs it to publish. The user may write in every namespace: naming
an organisation for the first time creates it. No token is ever logged.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hubadapt.errors import HubError
from hubadapt.localhub.addresses import is_name

Role = Literal["read", "write"]


@dataclass(frozen=True)
class Visitor:
    """Who sent a request: the user's name and the role of the token, both None for the anonymous."""

    name: str | None
    role: Role | None


ANONYMOUS = Visitor(None, None)


@dataclass(frozen=True)
class Accounts:
    """The accounts of one data folder, as they were when it was opened."""

    user: str
    secret: bytes
    _tokens: tuple[dict[str, str], ...]

    @property
    def mark(self) -> str:
        """A name that tells this data folder from every other, and says nothing of its secret."""
        return hashlib.sha256(b"mark:" + self.secret).hexdigest()[:16]

    def visitor(self, token: str) -> Visitor | None:
        """The visitor a token stands for, or None where no such token was issued."""
        for entry in self._tokens:
            if hmac.compare_digest(entry["hash"], _digest(entry["salt"], token)):
                return Visitor(self.user, "write" if entry["role"] == "write" else "read")
        return None


def ensure_accounts(data: Path, user: str = "local") -> Accounts:
    """Open the accounts of a data folder, making them with one user and a write token at first start.

    Args:
        data: The data folder; made if missing.
        user: Name of the user to make; an existing data folder keeps the name it has.

    Returns:
        The accounts.

    Raises:
        HubError: The name is not one that a namespace can have.
    """
    if not is_name(user):
        raise HubError(f"{user!r} cannot be a user name.", "Use letters, digits, '-', '_' and '.' only.")
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "accounts.json").exists():
        token = _fresh_token()
        # The token first: accounts without their token could not be used, a token without accounts is made anew.
        _write_private(data / "token", token)
        _save(data, {"user": user, "secret": secrets.token_hex(32), "tokens": [_entry(token, "write", "first")]})
    return _load(data)


def write_token(data: Path) -> str:
    """Return the write token that was made when the data folder was first served.

    Raises:
        HubError: The folder has never been served.
    """
    try:
        return (data / "token").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise HubError(f"{data} holds no token.", f"hubadapt hub serve --data {data}") from None


def new_token(data: Path, role: Role, label: str = "") -> str:
    """Issue a further token; only its salted hash is kept, so the caller must show it now.

    Args:
        data: The data folder of a Hub.
        role: What the token may do.
        label: A name to remember it by.

    Returns:
        The token.
    """
    ensure_accounts(data)
    token = _fresh_token()
    content = _read(data)
    content["tokens"].append(_entry(token, role, label))
    _save(data, content)
    return token


def _fresh_token() -> str:
    return "hf_" + secrets.token_urlsafe(32).replace("-", "a").replace("_", "b")


def _digest(salt: str, token: str) -> str:
    # Tokens carry 256 random bits, so that one round is enough: there is nothing to guess.
    return hashlib.sha256(f"{salt}:{token}".encode()).hexdigest()


def _entry(token: str, role: Role, label: str) -> dict[str, str]:
    salt = secrets.token_hex(16)
    return {"role": role, "label": label, "salt": salt, "hash": _digest(salt, token)}


def _read(data: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((data / "accounts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HubError(f"{data / 'accounts.json'} cannot be read: {error}.", "Restore it from a backup.") from error
    return content


def _load(data: Path) -> Accounts:
    content = _read(data)
    return Accounts(content["user"], bytes.fromhex(content["secret"]), tuple(content["tokens"]))


def _save(data: Path, content: dict[str, Any]) -> None:
    _write_private(data / "accounts.json", json.dumps(content, indent=2))


def _write_private(path: Path, text: str) -> None:
    # The file is born with mode 0600 rather than narrowed later: there is no moment when others could read it.
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
