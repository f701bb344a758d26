"""Which merges a language may have at all: those that no other text can contain."""

from __future__ import annotations

from dataclasses import dataclass

import regex

from hubadapt.tokenizer.scripts import letter_pattern, occurs_in_scripts_alone, shares_english_script

BANNED = (r"\p{N}", r"[\r\n\t]", r"://|www\.|@")
"""Patterns of tokens that nobody should learn: digits, line breaks, addresses."""


@dataclass(frozen=True)
class Rules:
    """What a new token must be like.

    Attributes:
        scripts: Unicode scripts of the language.
        longest: Characters of a token at the most, a leading space included.
        banned: Regular expressions that must not match anywhere in a token.
    """

    scripts: tuple[str, ...]
    longest: int = 32
    banned: tuple[str, ...] = BANNED

    def allow(self, data: bytes) -> bool:
        """Whether a token of these bytes may be made.

        Its bytes must be impossible in other text. In the Latin script, which English shares, it may also be letters,
        after one other character at the most; what English text then loses is for a protected sample to show.
        """
        text = data.decode("utf-8", errors="ignore")
        if len(text) > self.longest or any(regex.search(pattern, text) for pattern in self.banned):
            return False
        if occurs_in_scripts_alone(data, self.scripts):
            return True
        word = rf"\P{{L}}?{letter_pattern(self.scripts).pattern}[\p{{L}}\p{{M}}]*"
        return shares_english_script(self.scripts) and regex.fullmatch(word, text) is not None
