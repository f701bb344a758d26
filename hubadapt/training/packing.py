"""Packs documents into blocks of equal length for causal language modelling."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hubadapt.errors import CorpusError


def pack(
    texts: Sequence[str],
    tokenizer: Any,
    *,
    first: int,
    block_size: int,
    blocks: int,
    seed: int,
    advance: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """Tokenize documents in shuffled order, each after the document token, and cut the stream into blocks.

    The corpus is read again, in another order, when it is shorter than what is asked for.

    Args:
        texts: Documents.
        tokenizer: A tokenizer of transformers.
        first: Id of the document token.
        block_size: T, tokens in a block.
        blocks: How many blocks to make.
        seed: Decides the order.
        advance: Called with the number of blocks just filled.

    Returns:
        Ids, shape (blocks, T), int64.

    Raises:
        CorpusError: The documents hold no token.
    """
    order = random.Random(seed)
    stream: list[int] = []
    rows: list[list[int]] = []
    while len(rows) < blocks:
        before = len(rows) * block_size + len(stream)
        for text in order.sample(list(texts), len(texts)):
            stream += [first, *tokenizer.encode(text, add_special_tokens=False)]
            full = min(len(stream) // block_size, blocks - len(rows))
            rows += [stream[i * block_size : (i + 1) * block_size] for i in range(full)]
            stream = stream[full * block_size :]
            advance(full)
            if len(rows) == blocks:
                break
        if len(rows) * block_size + len(stream) == before:
            raise CorpusError("the training documents hold no token.", "Check `corpus.sources` in the recipe.")
    return np.array(rows, dtype=np.int64)
