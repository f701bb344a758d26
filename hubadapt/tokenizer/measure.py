"""How densely a tokenizer writes a language: characters per token."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from hubadapt.ratio import Ratio, ratio_of_sums


def characters_per_token(tokenizer: Tokenizer, texts: Sequence[str]) -> Ratio:
    """Sum of characters over sum of tokens, special tokens not counted.

    Args:
        tokenizer: The backend tokenizer.
        texts: At least one text.
    """
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return ratio_of_sums([len(text) for text in texts], [len(encoding.ids) for encoding in encodings])
