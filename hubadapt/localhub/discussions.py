"""Discussions of a repository and what was said about its pull requests: one JSON file each, numbered together."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hubadapt.localhub.refusals import Refusal
from hubadapt.localhub.repository import MAIN, Repository

Content = dict[str, Any]
"""A discussion as clients see it: num, title, status, author, createdAt, isPullRequest, events."""

_LONGEST = 65_536


class Discussions:
    """The discussions and pull requests of one repository.

    Args:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._root = repository.folder / "discussions"

    def all(self) -> list[Content]:
        """All of them, the newest first."""
        numbers = sorted((int(path.stem) for path in self._root.glob("*.json")), reverse=True)
        return [self.get(number) for number in numbers]

    def get(self, number: int) -> Content:
        """One of them.

        Raises:
            Refusal: There is none of that number (404).
        """
        try:
            content: Content = json.loads(self._path(number).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Refusal(404, f"Discussion not found: {number}") from None
        return content

    def next_number(self) -> int:
        """The number that the next one gets; to be asked and used under the repository's lock."""
        return max((int(path.stem) for path in self._root.glob("*.json")), default=0) + 1

    def open(self, author: str, title: str, description: str, pull: Content | None = None) -> Content:
        """Begin a discussion, or what is said about a pull request.

        Args:
            author: Who begins it.
            title: Its title.
            description: Its first comment, in Markdown; may be empty.
            pull: What else is to be known of a pull request: its `status` and the commit `from` which it began.

        Raises:
            Refusal: The title is empty or text is too long (400).
        """
        with self._repository.lock:
            content: Content = {
                "num": self.next_number(),
                "title": require_text(title, "title"),
                "status": "open",
                "author": {"name": author},
                "createdAt": now(),
                "isPullRequest": pull is not None,
                "events": [comment(author, description)] if description.strip() else [],
                **(pull or {}),
            }
            self._save(content)
        return content

    @contextmanager
    def changing(self, number: int) -> Iterator[Content]:
        """Change one of them; what it holds when the block ends is written, unless the block fails."""
        with self._repository.lock:
            content = self.get(number)
            yield content
            self._save(content)

    def _save(self, content: Content) -> None:
        self._root.mkdir(exist_ok=True)
        path = self._path(content["num"])
        part = path.with_suffix(".part")
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(part, path)

    def _path(self, number: int) -> Path:
        return self._root / f"{number}.json"


def comment(author: str, text: str) -> Content:
    """The event of a comment in Markdown.

    Raises:
        Refusal: It is empty or too long (400).
    """
    latest = {"raw": require_text(text, "comment"), "html": "", "updatedAt": now(), "author": {"name": author}}
    return event(author, "comment", {"edited": False, "hidden": False, "latest": latest, "history": []})


def edit(found: Content, author: str, text: str) -> None:
    """Give a comment another text; the earlier ones stay in its history."""
    data = found["data"]
    data["history"].insert(0, data["latest"])
    data["latest"] = comment(author, text)["data"]["latest"]
    data["edited"] = True


def hide(found: Content) -> None:
    """Take the text of a comment away for good."""
    found["data"] |= {"hidden": True, "history": []}
    found["data"]["latest"] |= {"raw": "This comment has been hidden", "html": ""}


def find_comment(content: Content, event_id: str) -> Content:
    """The comment of that id.

    Raises:
        Refusal: There is none (404).
    """
    for found in content["events"]:
        if found["id"] == event_id and found["type"] == "comment":
            assert isinstance(found, dict)
            return found
    raise Refusal(404, f"Comment not found: {event_id}")


def set_status(content: Content, author: str, status: str) -> Content:
    """Open, close or mark as merged; returns the event, which is added.

    Raises:
        Refusal: The status is not one there is (400), or what was merged is to change (409).
    """
    if status not in ("open", "closed", "merged"):
        raise Refusal(400, f"Unknown status: {status}")
    if content["status"] == "merged":
        raise Refusal(409, f"Pull request {content['num']} of {MAIN} is merged already")
    content["status"] = status
    return add(content, event(author, "status-change", {"status": status}))


def set_title(content: Content, author: str, title: str) -> Content:
    """Rename; returns the event, which is added."""
    old, content["title"] = content["title"], require_text(title, "title")
    return add(content, event(author, "title-change", {"from": old, "to": content["title"]}))


def add(content: Content, new: Content) -> Content:
    """Add an event; returns it."""
    content["events"].append(new)
    return new


def event(author: str, kind: str, data: Content) -> Content:
    """Something that happened now."""
    return {"id": secrets.token_hex(12), "type": kind, "createdAt": now(), "author": {"name": author}, "data": data}


def now() -> str:
    """This moment as the Hub writes dates."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def require_text(text: str, what: str) -> str:
    """Return a text without spaces around it.

    Raises:
        Refusal: Nothing is left, or it is too long (400).
    """
    if not text.strip() or len(text) > _LONGEST:
        raise Refusal(400, f"A {what} needs text, of at most {_LONGEST} characters")
    # Half a surrogate pair, which JSON can carry, would only fail when it is written.
    text.encode()
    return text.strip()
