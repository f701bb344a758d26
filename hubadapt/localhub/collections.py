"""Collections: named lists of repositories, one JSON file each."""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hubadapt.localhub.addresses import is_name
from hubadapt.localhub.refusals import Refusal

Content = dict[str, Any]
"""A collection as clients see it: slug, title, owner, items and so on."""

ITEM_TYPES = ("model", "dataset", "space", "paper", "collection")
_NAME = re.compile(r"[a-z0-9-]+-[0-9a-f]{24}")


class CollectionStore:
    """The collections of a data folder.

    Args:
        root: Their folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.RLock()

    def all(self) -> list[Content]:
        """All collections, the last changed first."""
        found = [json.loads(path.read_text(encoding="utf-8")) for path in self._root.glob("*/*.json")]
        return sorted(found, key=lambda content: str(content["lastUpdated"]), reverse=True)

    def get(self, slug: str) -> Content:
        """One collection.

        Raises:
            Refusal: There is none of that slug.
        """
        path = self._path(slug)
        if not path.exists():
            raise Refusal(404, f"Collection not found: {slug}")
        content: Content = json.loads(path.read_text(encoding="utf-8"))
        return content

    def create(self, owner: str, title: str, description: str | None, private: bool) -> Content:
        """Make an empty collection.

        Raises:
            Refusal: The owner has one of that title (409, naming its slug) or the title is empty (400).
        """
        if not is_name(owner) or not title.strip():
            raise Refusal(400, "A collection needs a namespace and a title")
        with self._lock:
            for content in self.all():
                if content["owner"]["name"] == owner and content["title"] == title:
                    raise Refusal(409, "A collection of this title exists", body={"slug": content["slug"]})
            content = {
                "slug": f"{owner}/{_slugify(title)}-{secrets.token_hex(12)}",
                "title": title,
                "description": description,
                "owner": {"type": "user", "name": owner, "fullname": owner},
                "items": [],
                "private": private,
                "position": 0,
                "theme": "blue",
                "upvotes": 0,
            }
            return self._save(content)

    def edit(self, slug: str, changes: Content) -> Content:
        """Change title, description, position, private or theme."""
        with self._changing(slug) as content:
            content.update(changes)
        return content

    def delete(self, slug: str) -> None:
        """Delete a collection."""
        with self._lock:
            self.get(slug)
            self._path(slug).unlink()

    def add(self, slug: str, item_id: str, item_type: str, note: str | None) -> Content:
        """Add an item at the end.

        Raises:
            Refusal: It is in the collection already (409), or of an unknown type (400).
        """
        if item_type not in ITEM_TYPES:
            raise Refusal(400, f"Unknown type of item: {item_type}")
        with self._changing(slug) as content:
            if any((item["id"], item["type"]) == (item_id, item_type) for item in content["items"]):
                raise Refusal(409, f"{item_id} is in this collection already")
            item = {"_id": secrets.token_hex(12), "id": item_id, "type": item_type, "position": len(content["items"])}
            content["items"].append(item | ({"note": {"text": note, "html": ""}} if note else {}))
        return content

    def edit_item(self, slug: str, item: str, note: str | None, position: int | None) -> None:
        """Change the note of an item, or move it."""
        with self._changing(slug) as content:
            found = _item(content, item)
            if note is not None:
                found["note"] = {"text": note, "html": ""}
            if position is not None:
                content["items"].remove(found)
                content["items"].insert(position, found)

    def remove_item(self, slug: str, item: str) -> None:
        """Take an item out."""
        with self._changing(slug) as content:
            content["items"].remove(_item(content, item))

    @contextmanager
    def _changing(self, slug: str) -> Iterator[Content]:
        with self._lock:
            content = self.get(slug)
            yield content
            for position, item in enumerate(content["items"]):
                item["position"] = position
            self._save(content)

    def _save(self, content: Content) -> Content:
        content["lastUpdated"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        path = self._path(content["slug"])
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(part, path)
        return content

    def _path(self, slug: str) -> Path:
        owner, _, name = slug.partition("/")
        if not is_name(owner) or not _NAME.fullmatch(name):
            raise Refusal(404, f"Collection not found: {slug}")
        return self._root / owner / f"{name}.json"


def _slugify(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "collection"


def _item(content: Content, item: str) -> Content:
    for found in content["items"]:
        if found["_id"] == item:
            assert isinstance(found, dict)
            return found
    raise Refusal(404, f"No such item: {item}")
