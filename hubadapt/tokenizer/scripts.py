"""Languages and the Unicode scripts they are written in; which bytes belong to one script alone."""

from __future__ import annotations

import unicodedata
from functools import cache

import regex

from hubadapt.errors import RecipeError

SCRIPTS: dict[str, str] = {
    "am": "Ethiopic", "ar": "Arabic", "be": "Cyrillic", "bg": "Cyrillic", "bn": "Bengali", "el": "Greek",
    "fa": "Arabic", "gu": "Gujarati", "he": "Hebrew", "hi": "Devanagari", "hy": "Armenian", "ka": "Georgian",
    "kk": "Cyrillic", "km": "Khmer", "kn": "Kannada", "ky": "Cyrillic", "lo": "Lao", "mk": "Cyrillic",
    "ml": "Malayalam", "mn": "Cyrillic", "mr": "Devanagari", "my": "Myanmar", "ne": "Devanagari", "pa": "Gurmukhi",
    "ru": "Cyrillic", "si": "Sinhala", "sr": "Cyrillic", "ta": "Tamil", "te": "Telugu", "tg": "Cyrillic",
    "th": "Thai", "uk": "Cyrillic", "ur": "Arabic", "yi": "Hebrew",
}  # fmt: skip
"""ISO 639-1 code → Unicode script, for languages whose letters English text does not use."""


def script_of(language: str) -> str:
    """Unicode script of a language.

    Raises:
        RecipeError: The language is unknown, or written in Latin letters, which no merge can keep apart from English.
    """
    if language not in SCRIPTS:
        raise RecipeError(
            f"language {language!r} has no script of its own that hubadapt knows.",
            f"Choose one of: {', '.join(sorted(SCRIPTS))}.",
        )
    return SCRIPTS[language]


@cache
def word_pattern(script: str) -> regex.Pattern[str]:
    """Matches a pre-token of the script: one optional leading space, then letters and marks of that script only."""
    return regex.compile(rf" ?[\p{{Script={script}}}]+")


@cache
def letter_pattern(script: str) -> regex.Pattern[str]:
    """Matches one character of the script."""
    return regex.compile(rf"\p{{Script={script}}}")


def occurs_in_script_alone(data: bytes, script: str) -> bool:
    """Whether a byte string can only occur in text that holds a character of the script.

    True when at least one of its characters, complete or cut off at the end, must belong to the script. Merges with
    this property cannot change the tokens of any other text.
    """
    return any(_begins_script(data[i : i + 4], script) for i, byte in enumerate(data) if byte >= 0xC2)


@cache
def _begins_script(data: bytes, script: str) -> bool:
    length = 2 if data[0] < 0xE0 else 3 if data[0] < 0xF0 else 4
    known = data[:length]
    if any(not 0x80 <= byte < 0xC0 for byte in known[1:]):
        return False
    missing = length - len(known)
    mask = 0xFF >> (length + 1)
    value = known[0] & mask
    for byte in known[1:]:
        value = value << 6 | byte & 0x3F
    low = value << (6 * missing)
    return _range_is_script(low, min(low + (1 << 6 * missing) - 1, 0x10FFFF), script)


@cache
def _range_is_script(low: int, high: int, script: str) -> bool:
    assigned = [chr(code) for code in range(low, high + 1) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    return bool(assigned) and all(letter_pattern(script).match(char) for char in assigned)
