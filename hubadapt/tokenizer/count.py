"""Counts the words of one script in a corpus, as the tokenizer itself would cut them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from tokenizers import Tokenizer

from hubadapt.tokenizer.byte_level import piece_to_text
from hubadapt.tokenizer.scripts import word_pattern


def count_words(
    texts: Iterable[str], tokenizer: Tokenizer, script: str, advance: Callable[[int], object] = lambda _: None
) -> Counter[str]:
    """Count pre-tokens that are words of one script, with or without a leading space.

    Memory grows with the number of distinct words, not with the corpus.

    Args:
        texts: Documents.
        tokenizer: Its normaliser and pre-tokenizer are used, so that every merge learnt here can be reached.
        script: Unicode script name.
        advance: Called with the number of characters just read.

    Returns:
        Pre-token in the byte-level alphabet → occurrences.
    """
    words: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
        words.update(piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
        advance(len(text))
    matches = word_pattern(script).fullmatch
    return Counter({word: count for word, count in words.items() if matches(piece_to_text(word) or "")})
