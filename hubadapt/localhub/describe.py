"""Repositories, files and commits as JSON, in the shapes that Hub clients read."""

from __future__ import annotations

import hashlib
from typing import Any

from hubadapt.localhub import cards
from hubadapt.localhub.blobs import BlobStore
from hubadapt.localhub.repository import MAIN, CommitInfo, Repository
from hubadapt.localhub.trees import Entry
from hubadapt.localhub.web import date
from hubadapt.localhub.weights import count

Json = dict[str, Any]


def repository_summary(repository: Repository, commit: str | None = None) -> Json:
    """What lists of repositories say about each; `commit` defaults to the head of the main branch."""
    address, settings = repository.address, repository.settings()
    commit = commit or repository.commit_of(MAIN)
    card, _ = cards.split(repository.text(commit, "README.md") or "")
    summary: Json = {
        "_id": hashlib.sha256(f"{address.plural}/{address.full_name}".encode()).hexdigest()[:24],
        "id": address.full_name,
        "author": address.namespace,
        "sha": commit,
        "lastModified": date(repository.commit_info(commit).when),
        "createdAt": date(settings.created),
        "private": settings.private,
        "gated": settings.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": cards.tags(card),
        "cardData": card,
    }
    if address.plural == "models":
        summary["modelId"] = address.full_name
        summary |= {key: card[key] for key in ("pipeline_tag", "library_name") if isinstance(card.get(key), str)}
    if address.plural == "spaces":
        summary["sdk"] = card.get("sdk") or settings.sdk
    return summary


def repository_info(repository: Repository, commit: str, blobs: BlobStore, with_blobs: bool) -> Json:
    """All that is said about one repository, its files included, with their sizes and ids if asked for."""
    info = repository_summary(repository, commit)
    files = repository.files(commit)
    info["siblings"] = [_sibling(entry, with_blobs) for entry in files]
    info["usedStorage"] = sum(entry.size for entry in files)
    weights = [entry.pointer.sha256 for entry in files if entry.pointer and entry.path.endswith(".safetensors")]
    if parameters := count(blobs.path(sha256) for sha256 in weights if blobs.size(sha256)):
        info["safetensors"] = {"parameters": parameters, "total": sum(parameters.values())}
    return info


def entry_json(entry: Entry, last: CommitInfo | None = None) -> Json:
    """A file or folder as tree listings show it."""
    content: Json = {"type": "file", "oid": entry.oid, "size": entry.size, "path": entry.path}
    if entry.is_folder:
        content["type"] = "directory"
    if entry.pointer:
        # The Xet hash is left out on purpose: clients that see one download by Xet, which plain HTTP serves as well.
        content["lfs"] = {"oid": entry.pointer.sha256, "size": entry.pointer.size, "pointerSize": entry.stored}
    if last:
        content["lastCommit"] = {"id": last.sha, "title": _title(last.message), "date": date(last.when)}
        content["securityFileStatus"] = None
    return content


def commit_json(info: CommitInfo) -> Json:
    """A commit as histories show it."""
    title, _, rest = info.message.partition("\n")
    return {
        "id": info.sha,
        "title": title,
        "message": rest.strip("\n"),
        "authors": [{"user": info.author}],
        "date": date(info.when),
        "formatted": {"title": title, "message": rest.strip("\n")},
    }


def commit_event(info: CommitInfo) -> Json:
    """A commit as the events of a pull request show it."""
    return {
        "id": info.sha[:24],
        "type": "commit",
        "createdAt": date(info.when),
        "author": {"name": info.author},
        "data": {"subject": _title(info.message), "oid": info.sha},
    }


def _title(message: str) -> str:
    return message.partition("\n")[0]


def _sibling(entry: Entry, with_blobs: bool) -> Json:
    content: Json = {"rfilename": entry.path}
    if with_blobs:
        content |= {"size": entry.size, "blobId": entry.oid}
        if entry.pointer:
            pointer = entry.pointer
            content["lfs"] = {"sha256": pointer.sha256, "size": pointer.size, "pointerSize": entry.stored}
    return content
