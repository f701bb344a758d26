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
    shape: tuple[int, int],
    seed: int,
    worth: Callable[[list[int]], bool] = lambda block: True,
    advance: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """Tokenize documents in shuffled order, each after the document token, and cut the stream into blocks.

    The corpus is read again, in another order, when it is shorter than what is asked for.

    Args:
        texts: Documents.
        tokenizer: A tokenizer of transformers.
        first: Id of the document token.
        shape: How many blocks to make, and T, the tokens in each.
        seed: Decides the order.
        worth: Whether a block is taken.
        advance: Called with the number of blocks just filled.

    Returns:
        Ids of the given shape, int64.

    Raises:
        CorpusError: A whole pass over the documents gave no block.
    """
    blocks, size = shape
    rows: list[list[int]] = []
    stream: list[int] = []
    order = random.Random(seed)
    while len(rows) < blocks:
        before, seen = len(rows), 0
        for text in order.sample(list(texts), len(texts)):
            stream += [first, *tokenizer.encode(text, add_special_tokens=False)]
            cut = [stream[i : i + size] for i in range(0, len(stream) - size + 1, size)]
            stream = stream[len(cut) * size :]
            seen += len(cut)
            taken = [block for block in cut if worth(block)][: blocks - len(rows)]
            rows += taken
            advance(len(taken))
            if len(rows) == blocks:
                break
        if len(rows) == before and (seen or not stream):
            raise CorpusError(
                f"the training documents give no block of {size} tokens worth training on.",
                "Check `corpus.sources`, or lower `min_new_share` of the stage pretrain.",
            )
    return np.array(rows, dtype=np.int64)
