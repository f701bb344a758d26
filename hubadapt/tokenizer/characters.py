"""Characters that a byte-fallback vocabulary lacks: without them, words of a script stay bytes, which never merge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from hubadapt.tokenizer.extend import Characters
from hubadapt.tokenizer.families import Family, all_entries, family_of
from hubadapt.tokenizer.learn import Lesson


def missing_characters(
    words: Mapping[str, int], content: dict[str, Any], lesson: Lesson, protected: Collection[str] = ()
) -> Characters:
    """Characters that shall become tokens before any merge, the most frequent first.

    Args:
        words: Pre-tokens as `count_words` gives them, with their counts.
        content: The old `tokenizer.json`; only SentencePiece BPE with byte fallback lacks characters in this sense.
        lesson: How many tokens to make at the most, how often a character must occur, and which are allowed.
        protected: Words whose tokens must not change; their characters are left out.

    Returns:
        Character → the byte pieces that stood for it.
    """
    if family_of(content) is not Family.BYTE_FALLBACK_BPE:
        return {}
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    left_out = {*all_entries(content), *(character for word in protected for character in word)}
    found = [
        character
        for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count >= lesson.min_occurrences and character not in left_out and lesson.allow(character)
    ]
    return {character: byte_pieces(character) for character in found[: lesson.new_tokens]}


def byte_pieces(character: str) -> list[str]:
    """The pieces that byte fallback writes a character with."""
    return [f"<0x{byte:02X}>" for byte in character.encode("utf-8")]
