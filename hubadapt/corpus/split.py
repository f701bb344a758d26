"""Splits documents by hash, and cuts held-out documents into short texts to measure on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def text_hash(text: str) -> bytes:
    """SHA-256 of a text, 32 bytes, by which equal texts are known and held-out ones are chosen."""
    return hashlib.sha256(text.encode()).digest()


def held_out_by(digest: bytes, share: float) -> bool:
    """Whether the text with this `text_hash` belongs to the held-out split of a share of all texts."""
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
