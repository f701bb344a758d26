"""How a family of tokenizers writes text in its vocabulary: all that learning, measuring and gates know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import regex
from tokenizers import Tokenizer

from hubadapt.tokenizer.byte_level import piece_to_bytes
from hubadapt.tokenizer.families import Family, all_entries, family_of, has_step, unknown_entry
from hubadapt.tokenizer.scripts import letter_pattern

_SPACE = "▁"


@dataclass(frozen=True)
class Dialect:
    """One tokenizer's way of writing.

    Attributes:
        family: Its family.
        to_bytes: The bytes that a vocabulary entry stands for; raises KeyError for entries that stand for none.
        cut: Cuts text between two white spaces, the one before it included, into the words that merges stay within, as
            the vocabulary writes them.
    """

    family: Family
    to_bytes: Callable[[str], bytes]
    cut: Callable[[str], list[str]]

    def to_text(self, entry: str) -> str | None:
        """The text of an entry, or None where its bytes are no complete UTF-8."""
        try:
            return self.to_bytes(entry).decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            return None


def spellings(content: dict[str, Any], size: int) -> list[bytes]:
    """The bytes that each id stands for, empty for service tokens and for ids without an entry.

    Args:
        content: The parsed `tokenizer.json`.
        size: How many ids there are; entries beyond are left out.
    """
    dialect = dialect_of(content)
    service = {unknown_entry(content), *(token["content"] for token in content.get("added_tokens", ()))}
    spelled = [b""] * size
    for entry, index in all_entries(content).items():
        if entry not in service and index < size:
            with suppress(KeyError):
                spelled[index] = dialect.to_bytes(entry)
    return spelled


def dialect_of(content: dict[str, Any], scripts: tuple[str, ...] = ("Latin",)) -> Dialect:
    """The dialect of a tokenizer, from its parsed `tokenizer.json`.

    Args:
        content: A tokenizer of a family that `require_family` lets through.
        scripts: Scripts whose words are to be cut; a byte-level tokenizer cuts by its own pattern whatever they are.
    """
    family = family_of(content)
    # A Unigram may write bytes as characters too.
    if has_step(content.get("pre_tokenizer"), "ByteLevel"):
        return Dialect(family, piece_to_bytes, _byte_level_cut(content))
    return Dialect(family, _spelled_to_bytes, _spelled_cut(content, scripts))


def _byte_level_cut(content: dict[str, Any]) -> Callable[[str], list[str]]:
    tokenizer = Tokenizer.from_str(_without_prefix_space(content))
    normalizer, pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer

    def cut(text: str) -> list[str]:
        normal = normalizer.normalize_str(text) if normalizer else text
        return [word for word, _ in pre_tokenizer.pre_tokenize_str(normal)]

    return cut


def _without_prefix_space(content: dict[str, Any]) -> str:
    """The pre-tokenizer alone, as JSON: a space before the text is not put before each piece of it."""
    import copy
    import json

    bare = copy.deepcopy({key: content.get(key) for key in ("version", "normalizer", "pre_tokenizer")})
    for step in _steps(bare["pre_tokenizer"]):
        if "add_prefix_space" in step:
            step["add_prefix_space"] = False
    empty = {"type": "BPE", "vocab": {}, "merges": []}
    return json.dumps({**bare, "truncation": None, "padding": None, "added_tokens": [], "post_processor": None,
                       "decoder": None, "model": empty})  # fmt: skip


def _steps(step: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if step is not None:
        yield step
        for inner in step.get("pretokenizers", ()):
            yield from _steps(inner)


def _spelled_to_bytes(entry: str) -> bytes:
    if regex.fullmatch(r"<0x[0-9A-F]{2}>", entry):
        return bytes([int(entry[3:5], 16)])
    return entry.replace(_SPACE, " ").encode("utf-8")


def spelled_word(scripts: tuple[str, ...]) -> regex.Pattern[str]:
    """Matches a word of the scripts, with the space before it, as SentencePiece spells it."""
    return regex.compile(f"{_SPACE}?[{letter_pattern(scripts).pattern.strip('[]')}\\p{{M}}]+")


def _spelled_cut(content: dict[str, Any], scripts: tuple[str, ...]) -> Callable[[str], list[str]]:
    """SentencePiece's own training cuts: at spaces, at a change of script, around digits and marks of punctuation."""
    word = spelled_word(scripts)
    alone = {"version": "1.0", "normalizer": content.get("normalizer")}
    normalizer = Tokenizer.from_str(_without_prefix_space(alone)).normalizer

    def cut(text: str) -> list[str]:
        # What a normaliser does at the start of all text, strip a space or put one there, it does before the digit.
        normal = normalizer.normalize_str("0" + text).partition("0")[2] if normalizer else text
        return list(word.findall(normal.replace(" ", _SPACE)))

    return cut
