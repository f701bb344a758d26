"""Languages and the Unicode scripts they are written in; which bytes belong to given scripts alone."""

from __future__ import annotations

import unicodedata
from functools import cache

import regex

from hubadapt.errors import RecipeError

OWN_SCRIPTS: dict[str, tuple[str, ...]] = {
    "am": ("Ethiopic",), "ar": ("Arabic",), "be": ("Cyrillic",), "bg": ("Cyrillic",), "bn": ("Bengali",),
    "el": ("Greek",), "fa": ("Arabic",), "gu": ("Gujarati",), "he": ("Hebrew",), "hi": ("Devanagari",),
    "hy": ("Armenian",), "ja": ("Hiragana", "Katakana", "Han"), "ka": ("Georgian",), "kk": ("Cyrillic",),
    "km": ("Khmer",), "kn": ("Kannada",), "ko": ("Hangul",), "ky": ("Cyrillic",), "lo": ("Lao",), "mk": ("Cyrillic",),
    "ml": ("Malayalam",), "mn": ("Cyrillic",), "mr": ("Devanagari",), "my": ("Myanmar",), "ne": ("Devanagari",),
    "pa": ("Gurmukhi",), "ru": ("Cyrillic",), "si": ("Sinhala",), "sr": ("Cyrillic",), "ta": ("Tamil",),
    "te": ("Telugu",), "tg": ("Cyrillic",), "th": ("Thai",), "uk": ("Cyrillic",), "ur": ("Arabic",),
    "yi": ("Hebrew",), "zh": ("Han",),
}  # fmt: skip
"""ISO 639-1 code → Unicode scripts, for languages whose letters English text does not use."""

LATIN_LANGUAGES = frozenset({
    "af", "az", "ca", "cs", "cy", "da", "de", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "ht", "hu", "id",
    "is", "it", "lb", "lt", "lv", "ms", "mt", "nb", "nl", "nn", "no", "oc", "pl", "pt", "ro", "sk", "sl", "sq",
    "sv", "sw", "tk", "tl", "tr", "uz", "vi", "wo", "xh", "yo", "zu",
})  # fmt: skip
"""Languages that share the Latin script with English, so that a sample of protected text decides what may change."""


def scripts_of(language: str) -> tuple[str, ...]:
    """Unicode scripts of a language.

    Raises:
        RecipeError: The language is unknown.
    """
    if language in LATIN_LANGUAGES:
        return ("Latin",)
    if language not in OWN_SCRIPTS:
        raise RecipeError(
            f"hubadapt does not know in which script the language {language!r} is written.",
            f"Choose one of: {', '.join(sorted({*OWN_SCRIPTS, *LATIN_LANGUAGES}))}.",
        )
    return OWN_SCRIPTS[language]


def shares_english_script(scripts: tuple[str, ...]) -> bool:
    """Whether text in these scripts looks, byte for byte, as English may."""
    return "Latin" in scripts


def is_script(name: str) -> bool:
    """Whether Unicode knows a script of that name."""
    try:
        return bool(letter_pattern((name,)))
    except regex.error:
        return False


@cache
def letter_pattern(scripts: tuple[str, ...]) -> regex.Pattern[str]:
    """Matches one character of the scripts."""
    classes = "".join(rf"\p{{Script={script}}}" for script in scripts)
    return regex.compile(f"[{classes}]")


def occurs_in_scripts_alone(data: bytes, scripts: tuple[str, ...]) -> bool:
    """Whether a byte string can only occur in text that holds a character of the scripts.

    True when at least one of its characters, complete or cut off at the end, must belong to them. Merges with this
    property cannot change the tokens of any other text.
    """
    return any(_begins_scripts(data[i : i + 4], scripts) for i, byte in enumerate(data) if byte >= 0xC2)


@cache
def _begins_scripts(data: bytes, scripts: tuple[str, ...]) -> bool:
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
    return _range_is_within(low, min(low + (1 << 6 * missing) - 1, 0x10FFFF), scripts)


@cache
def _range_is_within(low: int, high: int, scripts: tuple[str, ...]) -> bool:
    assigned = [chr(code) for code in range(low, high + 1) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    return bool(assigned) and all(letter_pattern(scripts).match(char) for char in assigned)
