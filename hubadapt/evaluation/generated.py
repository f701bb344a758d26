"""Text that a model writes freely: how dense it is, which may differ from how densely real text is encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hubadapt.generation.greedy import generate_batch, prompt_ids
from hubadapt.ratio import Ratio, ratio_of_sums

_BATCH = 48


def generated_characters_per_token(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    new_tokens: int,
    advance: Callable[[int], object] = lambda _: None,
) -> Ratio:
    """Characters of greedy continuations over their tokens.

    Special tokens count as tokens without characters. Bytes that make no character, such as the first half of one
    at the end, count as the replacement characters that they are decoded to.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        prompts: Texts to continue, at least one.
        new_tokens: Tokens written after each.
        advance: Called with the number of prompts just continued.
    """
    sequences = [prompt_ids(tokenizer, prompt, chat=False) for prompt in prompts]
    written: list[list[int]] = []
    for start in range(0, len(sequences), _BATCH):
        batch = sequences[start : start + _BATCH]
        written += generate_batch(model, tokenizer, batch, new_tokens=new_tokens)
        advance(len(batch))
    # Cleaning up would take away spaces that the tokens hold.
    texts = [tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) for ids in written]
    return ratio_of_sums([len(text) for text in texts], [len(ids) for ids in written])
