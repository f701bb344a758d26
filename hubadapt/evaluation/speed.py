"""Generation speed in characters, which unlike tokens compare across vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hubadapt.generation.greedy import generate, prompt_ids


@dataclass(frozen=True)
class Speed:
    """Speed of greedy generation: sums over all prompts.

    Attributes:
        characters_per_second: Characters of all answers over the seconds of all.
        tokens_per_second: Their tokens over the same seconds.
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
    seconds = sum(answer.seconds for answer in answers)
    characters = sum(len(answer.text) for answer in answers)
    tokens = sum(len(answer.tokens) for answer in answers)
    return Speed(characters / seconds, tokens / seconds, len(answers))
