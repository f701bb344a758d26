"""How densely a tokenizer writes a language: characters, bytes and words per token, and the floor under its tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex
from tokenizers import Tokenizer

from hubadapt.ratio import Ratio, ratio_of_sums
from hubadapt.tokenizer.floor import floor_of

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_WITHOUT_SPACES = frozenset({"Han", "Hiragana", "Katakana", "Khmer", "Lao", "Myanmar", "Thai"})


@dataclass(frozen=True)
class Density:
    """How densely a tokenizer writes some texts, with standard errors over texts.

    Attributes:
        characters: Characters (code points) per token.
        bytes: UTF-8 bytes per token.
        words: Runs of letters, marks and digits per token; None for scripts without spaces between words.
        floor: Characters per token at the least number of tokens: see `hubadapt.tokenizer.floor`.
        headroom: `floor` over `characters`, ≥ 1: how much denser the best vocabulary could be.
        total_characters: Characters of all texts.
        total_tokens: Tokens of all texts.
    """

    characters: Ratio
    bytes: Ratio
    words: Ratio | None
    floor: Ratio
    headroom: Ratio
    total_characters: int
    total_tokens: int


def characters_per_token(tokenizer: Tokenizer, texts: Sequence[str]) -> Ratio:
    """Sum of characters over sum of tokens, special tokens not counted.

    Args:
        tokenizer: The backend tokenizer.
        texts: At least one text.
    """
    return ratio_of_sums([len(text) for text in texts], tokens_of(tokenizer, texts))


def tokens_of(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Number of tokens of each text, special tokens not counted."""
    return np.array([len(one.ids) for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)])


def density_of(content: dict[str, Any], texts: Sequence[str], scripts: tuple[str, ...]) -> Density:
    """Measure a tokenizer on texts of one language.

    Args:
        content: The `tokenizer.json` of a BPE.
        texts: At least one text that is not empty.
        scripts: Unicode scripts of the language.
    """
    tokens = tokens_of(Tokenizer.from_str(json.dumps(content)), texts)
    floor = np.array(floor_of(content, scripts)(texts))
    characters = np.array([len(text) for text in texts])
    spaced = not _WITHOUT_SPACES & {*scripts}
    return Density(
        ratio_of_sums(characters, tokens),
        ratio_of_sums([len(text.encode()) for text in texts], tokens),
        ratio_of_sums([len(_WORD.findall(text)) for text in texts], tokens) if spaced else None,
        ratio_of_sums(characters, floor),
        ratio_of_sums(tokens, floor),
        int(characters.sum()),
        int(tokens.sum()),
    )
