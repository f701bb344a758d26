"""Bits per byte: how well a model predicts text, comparable across tokenizers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from hubadapt.errors import ModelError
from hubadapt.ratio import Ratio, ratio_of_sums

_BATCH = 8


def document_token(tokenizer: Any) -> int:
    """Id of the token that stands before a document: the BOS token, else the EOS token.

    Raises:
        ModelError: The tokenizer has neither.
    """
    token = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if token is None:
        raise ModelError(
            "the tokenizer has neither a BOS nor an EOS token.", 'Name one in tokenizer_config.json: "bos_token".'
        )
    return int(token)


def bits_per_byte(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    advance: Callable[[int], object] = lambda _: None,
) -> Ratio:
    """Sum of bits over sum of UTF-8 bytes of texts, as a causal language model predicts them.

    Args and errors: as in `bits_of_texts`.
    """
    return ratio_of_sums(bits_of_texts(model, tokenizer, texts, advance), bytes_of_texts(texts))


def bytes_of_texts(texts: Sequence[str]) -> np.ndarray:
    """UTF-8 bytes of each text, shape (n,)."""
    return np.array([len(text.encode()) for text in texts])


@torch.inference_mode()
def bits_of_texts(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    advance: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """Bits of each text, shape (n,), float64, as a causal language model predicts it.

    Each text stands on its own after the document token, which is given and not scored; every other token is.

    Args:
        model: A causal language model; computes in its own dtype, the loss in float32.
        tokenizer: Its tokenizer.
        texts: Texts, each no longer than the model's context.
        advance: Called with the number of texts just measured.

    Raises:
        ModelError: A text is longer than the model's context, or the model's logits are not finite.
    """
    first = document_token(tokenizer)
    sequences = [[first, *tokenizer.encode(text, add_special_tokens=False)] for text in texts]
    _check_length(model, sequences)
    bits = np.zeros(len(texts))
    order = sorted(range(len(texts)), key=lambda i: len(sequences[i]))
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        bits[batch] = _bits(model, [sequences[i] for i in batch])
        advance(len(batch))
    if not np.isfinite(bits).all():
        raise ModelError(
            "the model gives probabilities that are not numbers.", "If it was trained, lower the learning rate."
        )
    return bits


def _bits(model: Any, sequences: list[list[int]]) -> np.ndarray:
    longest = max(map(len, sequences))
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    scored = mask[:, 1:].bool()
    nats = torch.zeros(scored.shape, dtype=torch.float64, device=ids.device)
    nats[scored] = torch.nn.functional.cross_entropy(
        logits[scored].float(), ids[:, 1:][scored], reduction="none"
    ).double()
    result: np.ndarray = (nats.sum(dim=1) / math.log(2)).cpu().numpy()
    return result


def _check_length(model: Any, sequences: list[list[int]]) -> None:
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = max(map(len, sequences))
    if limit is not None and longest > limit:
        raise ModelError(
            f"a text of {longest} tokens is longer than the model's context of {limit}.",
            "Lower `max_characters` of the evaluate stage.",
        )
