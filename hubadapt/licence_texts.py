"""Which licence a file is the text of: known as a whole, by a fingerprint of its words, or not at all.

A text counts as the same whatever its case, punctuation, line ends and numbering of points; lines that only say who has
the copyright, names of holders in the sentences of BSD, and a title of nothing but the licence's name are left out. One
word more or less, such as a condition that somebody added, and it is not known.

`licence_texts.json` holds fingerprints and no texts, with where those were read; `tools/licence_texts.py` writes it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LICENCE_PATTERNS = ("LICENSE*", "LICENCE*", "COPYING*")
"""Patterns of the files in which a model's licence stands."""
LARGEST = 200_000
"""Bytes of a file that is read; no known licence has half as many."""

_OWNER = re.compile(
    r"^[^\w\n(©]*(?:(?:portions|modifications)\s+)?(?:copyright\b(?=.*(?:\(c\)|©|\b(?:19|20)\d\d|yyyy|year))|©|\(c\)\s*\d{4})"
    r".{0,160}$",
    re.IGNORECASE | re.MULTILINE,
)
_RESERVED = re.compile(r"^\W*all rights reserved\W*$", re.IGNORECASE | re.MULTILINE)
# A line that says more than who has the copyright stays, and makes the text an unknown one.
_MORE_THAN_OWNER = re.compile(
    r"\b(?:us(?:e|es|ed|ing)|permi\w+|restrict\w+|commercial\w*|only|except\w*|subject|provided|grant\w*|prohibit\w*|"
    r"forbid\w*|condition\w*|terms|licen[cs]\w+|must|may|shall|not)\b",
    re.IGNORECASE,
)
_NUMBERING = re.compile(r"^[ \t]*\(?(?:\d{1,2}|[a-z])[.)][ \t]", re.IGNORECASE | re.MULTILINE)
_TITLE = re.compile(
    r"(?:(?:the|an?|mit|isc|expat|bsd|new|revised|simplified|clause|[0-4]|licen[cs]e|open|source) ){1,10}"
    r"(?=permission is hereby|redistribution and use)"
)
_HOLDERS = tuple(
    re.compile(rf"(?<={before} )(?:\w+ ){{1,15}}?(?={after})")
    for before, after in (
        ("neither the name", "nor the names of"),
        ("software is provided by", "as is and any express"),
        ("in no event shall", "be liable for any"),
    )
)


def licence_of_text(text: str) -> str:
    """The Hub identifier of the licence that a text is; empty where it is none of those known, or says more."""
    return _known().get(text_fingerprint(text), "")


def licence_of_folder(folder: Path) -> str:
    """The licence that the licence files of a folder agree on; empty without any, or where one of them is not known."""
    paths = {path for pattern in LICENCE_PATTERNS for path in folder.glob(pattern) if path.is_file()}
    found = {
        licence_of_text(path.read_text(encoding="utf-8", errors="replace")) if path.stat().st_size <= LARGEST else ""
        for path in paths
    }
    return found.pop() if len(found) == 1 else ""


def text_fingerprint(text: str) -> str:
    """SHA-256 of the words of a text, in hex, as the module describes."""
    return hashlib.sha256(_words(text).encode()).hexdigest()


def _words(text: str) -> str:
    plain = _OWNER.sub(lambda line: line[0] if _MORE_THAN_OWNER.search(line[0]) else "", text)
    plain = _NUMBERING.sub("", _RESERVED.sub("", plain))
    words = " ".join(re.findall(r"[^\W_]+", plain.casefold().replace("https:", "http:")))
    for holders in _HOLDERS:
        words = holders.sub("somebody ", words)
    title = _TITLE.match(words)
    return words[title.end() :] if title else words


@cache
def _known() -> Mapping[str, str]:
    """Fingerprint → identifier."""
    content = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {mark: id for id, marks in content["texts"].items() for mark in marks}
