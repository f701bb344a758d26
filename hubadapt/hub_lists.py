"""The words that the Hub accepts in the metadata of cards, from `hub_lists.json`, which names its sources and its day.

`tools/hub_lists.py` writes that file anew. The lists are facts of a day: the Hub adds to them, so that an error names
the day.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class HubLists:
    """Everything the file holds.

    Attributes:
        read: Day the sources were read, as `YYYY-MM-DD`.
        sources: Packages and pages with their versions.
        licenses: Identifiers of licences, `other` and `unknown` among them.
        pipeline_tags: Tasks, such as `text-generation`.
        library_names: Libraries, such as `transformers`.
        languages: ISO 639-1 and 639-3 codes, `code` and `multilingual`.
        language_names: English name of each ISO 639-1 code.
    """

    read: str
    sources: tuple[str, ...]
    licenses: frozenset[str]
    pipeline_tags: frozenset[str]
    library_names: frozenset[str]
    languages: frozenset[str]
    language_names: Mapping[str, str]


@cache
def hub_lists() -> HubLists:
    """The lists, read once."""
    content = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return HubLists(
        read=content["read"],
        sources=tuple(content["sources"]),
        licenses=frozenset(content["licenses"].split()),
        pipeline_tags=frozenset(content["pipeline_tags"].split()),
        library_names=frozenset(content["library_names"].split()),
        languages=frozenset([*content["languages"], *content["more_languages"].split()]),
        language_names=content["languages"],
    )


def language_name(code: str) -> str:
    """English name of a language, or the code itself where only ISO 639-3 knows it."""
    return hub_lists().language_names.get(code, code)


def near_miss(word: str, words: Iterable[str]) -> str:
    """The word of a list that was probably meant; empty where none is near.

    Case, blanks and underscores do not count: `Apache 2.0` is near `apache-2.0`.
    """
    plain = "-".join(word.lower().replace("_", " ").split())
    near = difflib.get_close_matches(plain, sorted(words), n=1, cutoff=0.75)
    return near[0] if near else ""


def near_language(word: str) -> str:
    """The code of the language that was probably meant, by its English name or as part of a longer tag; or empty."""
    lists = hub_lists()
    codes = {name.lower(): code for code, name in lists.language_names.items()}
    plain = word.lower().replace("_", "-").strip()
    first = plain.split("-")[0]
    return first if first in lists.languages else codes.get(near_miss(plain, codes), "")
