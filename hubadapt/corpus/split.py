"""Splits documents by hash, and cuts held-out documents into short texts to measure on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hubadapt.corpus.documents import Document


def is_held_out(document: Document, share: float) -> bool:
    """Whether a document belongs to the held-out split; decided by a hash of its text, so equal texts go together."""
    digest = hashlib.sha256(document.text.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def first_passage(text: str, limit: int) -> str:
    """The beginning of a text: whole lines up to `limit` characters, or a cut at a space where one line is longer."""
    passage = ""
    for line in text.strip().splitlines():
        if len(passage) + len(line) + 1 > limit:
            break
        passage += line + "\n"
    return passage.strip() or text.strip()[:limit].rsplit(" ", 1)[0]


def pick_evenly(texts: Sequence[str], n: int) -> list[str]:
    """At most `n` texts, spread evenly over the sequence."""
    if len(texts) <= n:
        return list(texts)
    return [texts[i * len(texts) // n] for i in range(n)]
