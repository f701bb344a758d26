"""The floor: how many tokens a text takes at the least, whatever the vocabulary holds.

Tokens never reach over two pre-tokens, so that a byte-level BPE writes a text in at least as many tokens as it has
pre-tokens. A SentencePiece BPE has no such limit; there the floor is that of tokens which stay within a word, as
SentencePiece learns them and as new ones are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import regex
from tokenizers import Tokenizer

from hubadapt.tokenizer.dialects import spelled_word
from hubadapt.tokenizer.families import Family, family_of

Floor = Callable[[Sequence[str]], list[int]]
"""Texts → the least number of tokens of each."""

_UNKNOWN = {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}
_CHUNK = regex.compile("▁+[^▁]*|[^▁]+")


def floor_of(content: dict[str, Any], scripts: tuple[str, ...]) -> Floor:
    """How a tokenizer's floor is counted.

    Args:
        content: The `tokenizer.json` of a BPE.
        scripts: Unicode scripts whose words count as one each, where no pre-tokenizer cuts words.
    """
    if family_of(content) is Family.BYTE_LEVEL_BPE:
        return _pre_tokens(content)
    return _words(content, scripts)


def _pre_tokens(content: dict[str, Any]) -> Floor:
    """Counts pre-tokens, added tokens among them, with a model to which each of them is one unknown word."""
    kept = {key: content.get(key) for key in ("version", "normalizer", "pre_tokenizer", "added_tokens")}
    unused = dict.fromkeys(("truncation", "padding", "post_processor", "decoder"))
    counter = Tokenizer.from_str(json.dumps({**kept, **unused, "model": _UNKNOWN}))
    return lambda texts: [len(one.ids) for one in counter.encode_batch(list(texts), add_special_tokens=False)]


def _words(content: dict[str, Any], scripts: tuple[str, ...]) -> Floor:
    """Counts words of the scripts, and what is left between two of them or two spaces."""
    word = spelled_word(scripts)
    normalizer = Tokenizer.from_str(json.dumps(content)).normalizer

    def count(text: str) -> int:
        normal = normalizer.normalize_str(text) if normalizer else text
        rest = word.split(normal.replace(" ", "▁"))
        return len(rest) - 1 + sum(len(_CHUNK.findall(part)) for part in rest)

    return lambda texts: [count(text) for text in texts]
