"""How densely a tokenizer writes a language: characters per token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer


@dataclass(frozen=True)
class Density:
    """Characters per token over texts, with the standard error of the ratio."""

    value: float
    stderr: float
    n: int


def characters_per_token(tokenizer: Tokenizer, texts: Sequence[str]) -> Density:
    """Sum of characters over sum of tokens, special tokens not counted.

    Args:
        tokenizer: The backend tokenizer.
        texts: At least one text.

    Returns:
        The ratio, its standard error by linearisation over texts, and the number of texts.
    """
    characters = np.array([len(text) for text in texts], dtype=np.float64)
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    tokens = np.array([len(encoding.ids) for encoding in encodings], dtype=np.float64)
    value = characters.sum() / tokens.sum()
    spread = characters - value * tokens
    stderr = np.sqrt((spread**2).sum() * len(texts) / max(len(texts) - 1, 1)) / tokens.sum()
    return Density(float(value), float(stderr), len(texts))
