"""What a push would change on the Hub, and what others have changed there since the last: values in, values out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hubadapt.errors import CardError
from hubadapt.front_matter import read_front_matter
from hubadapt.hub.owner_words import split_words, with_words
from hubadapt.hub.plan import Remote, RemoteFile, RepositoryPlan, Upload
from hubadapt.hub.receipt import Entry
from hubadapt.manifest import hash_bytes

BlobOf = Callable[[Upload], str]
"""Gives git's blob hash of an upload."""

_MADE_BY_THE_HUB = (".gitattributes",)
# Names under which libraries look for weights, whatever else a repository holds.
_LOADED = (".safetensors", ".safetensors.index.json", "adapter_config.json")


@dataclass(frozen=True)
class Standing:
    """How a branch on the Hub stands to what was published there last.

    Attributes:
        words: The owner's words on the Hub, by card.
        edited: Files whose content is neither what was published last nor what would be now.
        strangers: Files of others that libraries would load beside a model, or in its place.
        foreign: Whether it was not made by hubadapt at all.
    """

    words: Mapping[str, str]
    edited: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    foreign: bool = False


def standing(
    plan: RepositoryPlan, remote: Remote, last: Entry | None, *, read: Callable[[str], str], blob_of: BlobOf
) -> Standing:
    """Compare a branch with the receipt and the plan.

    Args:
        plan: What it shall hold.
        remote: What it holds.
        last: What the last push sent there; None where this run folder has no receipt of it.
        read: Gives the text of one of its files on the Hub; called for changed cards alone.
        blob_of: Hashes an upload; called where nothing else tells.
    """
    if last is None and set(remote.files) - {*_MADE_BY_THE_HUB} and not _is_ours(remote, read):
        return Standing({}, foreign=True)
    if not remote.head or (last is not None and not last.commit):
        return Standing({})
    words = dict(last.words) if last else {}
    uploads = {upload.path: upload for upload in plan.uploads}
    edited = []
    for path in sorted(uploads.keys() | (last.files.keys() if last else set())):
        there, sent = remote.files.get(path), last.files.get(path) if last else None
        upload = uploads.get(path)
        if (there.content if there else None) == (sent.there if sent else None) or (there is None and upload is None):
            continue
        if there is not None and upload is not None and _is_card(path):
            split = split_words(read(path))
            words |= {path: split[1]} if split else {}
            if split and hash_bytes(split[0].encode()) in (upload.sha256, sent.sha256 if sent else None):
                continue
        elif there is not None and upload is not None and _equal(upload, there, blob_of):
            continue
        edited.append(path)
    known = uploads.keys() | (last.files.keys() if last else set())
    strangers = tuple(path for path in remote.files if path not in known and _is_loaded(path, plan))
    return Standing({path: text for path, text in words.items() if text}, tuple(edited), strangers)


def changed(
    plan: RepositoryPlan, remote: Remote, last: Entry | None, *, words: Mapping[str, str], blob_of: BlobOf
) -> tuple[Upload, ...]:
    """The uploads that differ from what the Hub holds, cards with the owner's words in them.

    Args:
        plan: What the branch shall hold.
        remote: What it holds.
        last: What the last push sent there.
        words: The owner's words on the Hub, by card.
        blob_of: Hashes an upload; called where the receipt does not tell.
    """
    found = []
    for upload in plan.uploads:
        there, sent = remote.files.get(upload.path), last.files.get(upload.path) if last else None
        final = _worded(upload, words.get(upload.path, ""))
        if there is not None and sent is not None and there.content == sent.there:
            same = upload.sha256 == sent.sha256
        else:
            same = there is not None and _equal(final, there, blob_of)
        found += [] if same else [final]
    return tuple(found)


def removed(plan: RepositoryPlan, remote: Remote, last: Entry | None) -> tuple[str, ...]:
    """Files of an earlier push that the run does not make any more; loaders would go on reading some of them."""
    kept = {upload.path for upload in plan.uploads}
    return tuple(path for path in (last.files if last else ()) if path in remote.files and path not in kept)


def git_blob(upload: Upload) -> str:
    """Git's hash of an upload's content, read from disk where it lies there."""
    data = upload.local.read_bytes() if upload.local else upload.text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _equal(upload: Upload, there: RemoteFile, blob_of: BlobOf) -> bool:
    return there.sha256 == upload.sha256 if there.sha256 is not None else there.blob == blob_of(upload)


def _worded(upload: Upload, words: str) -> Upload:
    if not words:
        return upload
    text = with_words(upload.text, words)
    return replace(upload, text=text, size=len(text.encode()), sha256=hash_bytes(text.encode()))


def _is_loaded(path: str, plan: RepositoryPlan) -> bool:
    return plan.type == "model" and "/" not in path and path.endswith(_LOADED)


def _is_card(path: str) -> bool:
    return path.startswith("README") and path.endswith(".md")


def _is_ours(remote: Remote, read: Callable[[str], str]) -> bool:
    """Whether a card says that hubadapt made it."""
    if "README.md" not in remote.files:
        return False
    try:
        tags = read_front_matter(read("README.md")).get("tags")
    except CardError:
        return False
    return isinstance(tags, list) and "hubadapt" in tags
