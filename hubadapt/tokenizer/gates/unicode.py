"""Every character of Unicode, tried in long strings first and alone only where a string shows a fault."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_TOGETHER = 128
_BATCH = 8192

Faulty = Callable[[Sequence[str]], Sequence[bool]]
"""Texts → whether each shows a fault."""


def every_character() -> list[str]:
    """All code points but the surrogates, as characters."""
    return [chr(code) for code in range(LAST + 1) if code not in _SURROGATES]


def assigned() -> list[str]:
    """The characters that text may hold: assigned ones and those for private use."""
    return [character for character in every_character() if unicodedata.category(character) != "Cn"]


def strings_of(parts: Sequence[str]) -> list[Sequence[str]]:
    """Long strings, each a list of its characters or words; as text they stand with a space between two."""
    return [parts[start : start + _TOGETHER] for start in range(0, len(parts), _TOGETHER)]


def faults(texts: Sequence[str], faulty: Faulty) -> list[str]:
    """The texts that show a fault, tried in batches that bound the memory."""
    batches = (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
    return [text for batch in batches for text, bad in zip(batch, faulty(batch), strict=True) if bad]


def faulty_strings(strings: Sequence[Sequence[str]], faulty: Faulty) -> list[Sequence[str]]:
    """The strings that show a fault."""
    found: list[Sequence[str]] = []
    for start in range(0, len(strings), _BATCH // _TOGETHER):
        batch = strings[start : start + _BATCH // _TOGETHER]
        flags = faulty([" ".join(string) for string in batch])
        found += [string for string, bad in zip(batch, flags, strict=True) if bad]
    return found


def culprits(strings: Sequence[Sequence[str]], faulty: Faulty) -> list[str]:
    """Of each string the parts that show a fault alone, or the whole of it where none does."""
    return [guilty for string in strings for guilty in faults(string, faulty) or [" ".join(string)]]
