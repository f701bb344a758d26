"""Characters that a byte-fallback vocabulary lacks: without them, words of a script stay bytes, which never merge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import islice, pairwise
from typing import Any

from hubadapt.tokenizer.extend import Characters
from hubadapt.tokenizer.families import Family, all_entries, family_of
from hubadapt.tokenizer.learn import Lesson


def missing_characters(words: Mapping[str, int], content: dict[str, Any], lesson: Lesson) -> Characters:
    """Characters that shall become tokens before any merge, the most frequent first.

    Args:
        words: Pre-tokens as `count_words` gives them, with their counts.
        content: The old `tokenizer.json`; only SentencePiece BPE with byte fallback lacks characters in this sense.
        lesson: How many tokens to make at the most, how often a character must occur, and which are allowed; not one
            whose bytes are kept apart.

    Returns:
        Character → the byte pieces that stood for it.
    """
    if family_of(content) is not Family.BYTE_FALLBACK_BPE:
        return {}
    found = frequent_characters(words, all_entries(content), lesson)
    pieces = {character: [f"<0x{byte:02X}>" for byte in character.encode("utf-8")] for character in found}
    may = {character: made for character, made in pieces.items() if not lesson.apart >= {*pairwise(made)}}
    return dict(islice(may.items(), lesson.new_tokens))


def frequent_characters(words: Mapping[str, int], known: Collection[str], lesson: Lesson) -> list[str]:
    """Characters of the words that occur often enough and are no entry yet, the most frequent first.

    Args:
        words: As for `missing_characters`.
        known: Entries of the old vocabulary.
        lesson: How often a character must occur, and which are allowed.
    """
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    left_out = {*known}
    return [
        character
        for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count >= lesson.min_occurrences and character not in left_out and lesson.allow(character)
    ]
