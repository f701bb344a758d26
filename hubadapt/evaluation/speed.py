"""Generation speed in characters, which unlike tokens compare across vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from hubadapt.generation.greedy import generate, prompt_ids


@dataclass(frozen=True)
class Speed:
    """Speed of greedy generation: medians over prompts.

    Attributes:
        characters_per_second: Characters of text written in a second.
        tokens_per_second: Tokens in a second.
        n: Number of prompts.
    """

    characters_per_second: float
    tokens_per_second: float
    n: int


def generation_speed(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    new_tokens: int,
    advance: Callable[[int], object] = lambda _: None,
) -> Speed:
    """Write exactly `new_tokens` tokens after each prompt, after one warm-up that is not counted.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        prompts: Texts to continue, at least one.
        new_tokens: Tokens written after each.
        advance: Called with the number of prompts just finished.
    """
    sequences = [prompt_ids(tokenizer, prompt, chat=False) for prompt in prompts]
    generate(model, tokenizer, sequences[0], max_new_tokens=4, exactly=True)
    answers = []
    for ids in sequences:
        answers.append(generate(model, tokenizer, ids, max_new_tokens=new_tokens, exactly=True))
        advance(1)
    return Speed(
        median(len(answer.text) / answer.seconds for answer in answers),
        median(len(answer.tokens) / answer.seconds for answer in answers),
        len(answers),
    )
