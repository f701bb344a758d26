"""Greedy generation on this machine: one prompt, timed, or many at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Answer:
    """What a model wrote after a prompt.

    Attributes:
        text: The answer's text, special tokens left out.
        tokens: Text of each token, as it stands in the vocabulary's decoding of it alone.
        seconds: Wall time from prompt to last token.
    """

    text: str
    tokens: tuple[str, ...]
    seconds: float


def prompt_ids(tokenizer: Any, prompt: str, *, chat: bool) -> list[int]:
    """Ids of a prompt: through the chat template as one user turn, or as plain text after the document token."""
    if chat:
        messages = [{"role": "user", "content": prompt}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
        return list(ids)
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [first, *tokenizer.encode(prompt, add_special_tokens=False)]


@torch.inference_mode()
def generate(model: Any, tokenizer: Any, ids: list[int], *, max_new_tokens: int, exactly: bool = False) -> Answer:
    """Continue a prompt, always taking the likeliest token.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        ids: The prompt.
        max_new_tokens: Where to stop at the latest.
        exactly: Do not stop before, so that speeds compare equal work.
    """
    start = time.perf_counter()
    output = model.generate(
        torch.tensor([ids], device=model.device),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=model.device),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        min_new_tokens=max_new_tokens if exactly else None,
        pad_token_id=_padding(tokenizer),
    )
    seconds = time.perf_counter() - start
    new = output[0, len(ids) :].tolist()
    text = tokenizer.decode(new, skip_special_tokens=True)
    return Answer(text, tuple(tokenizer.decode([token]) for token in new), seconds)


@torch.inference_mode()
def generate_batch(model: Any, tokenizer: Any, sequences: Sequence[list[int]], *, new_tokens: int) -> list[list[int]]:
    """Continue several prompts at once, always taking the likeliest token, past any end of text.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        sequences: The prompts, at least one, of any lengths.
        new_tokens: Tokens written after each.

    Returns:
        The new ids of each prompt, `new_tokens` of them.
    """
    width = max(map(len, sequences))
    # What stands under the mask is never seen, so any id will do where the tokenizer names none.
    ids = torch.full((len(sequences), width), _padding(tokenizer) or 0)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, width - len(sequence) :] = torch.tensor(sequence)
        mask[row, width - len(sequence) :] = 1
    output = model.generate(
        ids.to(model.device),
        attention_mask=mask.to(model.device),
        do_sample=False,
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        pad_token_id=_padding(tokenizer),
    )
    new: list[list[int]] = output[:, width:].tolist()
    return new


def _padding(tokenizer: Any) -> int | None:
    padding: int | None = tokenizer.pad_token_id
    return padding if padding is not None else tokenizer.eos_token_id
