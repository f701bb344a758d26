"""Generation speed in tokens; times characters per token it compares across vocabularies."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from hubadapt.generation.greedy import generate, prompt_ids


def generation_speed(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    new_tokens: int,
    advance: Callable[[int], object] = lambda _: None,
) -> float:
    """Tokens a second of greedy generation: the median over prompts, each continued alone.

    Exactly `new_tokens` tokens are written after each prompt, after one warm-up that is not counted. A median hardly
    moves when the machine does something else during one of the prompts.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        prompts: Texts to continue, at least one.
        new_tokens: Tokens written after each.
        advance: Called with the number of prompts just finished.
    """
    sequences = [prompt_ids(tokenizer, prompt, chat=False) for prompt in prompts]
    generate(model, tokenizer, sequences[0], max_new_tokens=4, exactly=True)
    speeds = []
    for ids in sequences:
        answer = generate(model, tokenizer, ids, max_new_tokens=new_tokens, exactly=True)
        speeds.append(len(answer.tokens) / answer.seconds)
        advance(1)
    return statistics.median(speeds)
