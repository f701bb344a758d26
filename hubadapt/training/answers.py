"""Conversations as ids of which only the answers are learnt, up to the token that ends each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hubadapt.errors import ModelError

_IGNORED = -100


def answer_labels(
    messages: Sequence[Mapping[str, str]], tokenizer: Any, stops: Collection[int]
) -> tuple[list[int], list[int]]:
    """Ids of a conversation, and the same ids where an answer is learnt, -100 elsewhere.

    What is learnt of an answer is what the model writes itself: from after the generation prompt to the first token at
    which generation stops. The template needs no generation marks; it must only add each turn after those before it.

    Args:
        messages: User and assistant in turn, after a system message or none.
        tokenizer: A tokenizer of transformers with a chat template.
        stops: Ids at which generation stops.

    Raises:
        ModelError: The template changes earlier turns, or ends an answer with no token of `stops`: the model would
            never learn to stop.
    """
    text = _rendered(tokenizer, messages)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = encoded["input_ids"]
    labels = [_IGNORED] * len(ids)
    for place, message in enumerate(messages):
        if message["role"] == "assistant":
            start, end = _answer(tokenizer, messages, place, text)
            inside = [at for at, (begin, _) in enumerate(encoded["offset_mapping"]) if start <= begin < end]
            stop = next((at for at in inside if ids[at] in stops), None)
            if stop is None:
                raise _endless(tokenizer, text[start:end], stops)
            labels[inside[0] : stop + 1] = ids[inside[0] : stop + 1]
    return ids, labels


def stop_ids(model: Any, tokenizer: Any) -> set[int]:
    """Ids at which generation stops, as its configuration says, or else the tokenizer's end of text."""
    named = model.generation_config.eos_token_id
    found = named if named is not None else tokenizer.eos_token_id
    return {*found} if isinstance(found, list) else {found} - {None}


def _answer(tokenizer: Any, messages: Sequence[Mapping[str, str]], place: int, text: str) -> tuple[int, int]:
    """Where an answer begins and ends in the whole text, by characters."""
    before = _rendered(tokenizer, messages[:place], add_generation_prompt=True)
    whole = _rendered(tokenizer, messages[: place + 1])
    if not whole.startswith(before) or not text.startswith(whole):
        raise ModelError(
            f"the chat template writes earlier turns anew as a conversation goes on, first at message {place + 1}.",
            "Give the model a template that adds each turn after those before it: tokenizer.chat_template = ...",
        )
    return len(before), len(whole)


def _rendered(tokenizer: Any, messages: Sequence[Mapping[str, str]], **options: Any) -> str:
    return str(tokenizer.apply_chat_template([dict(each) for each in messages], tokenize=False, **options))


def _endless(tokenizer: Any, answer: str, stops: Collection[int]) -> ModelError:
    names = ", ".join(repr(tokenizer.convert_ids_to_tokens(index)) for index in sorted(stops)) or "no token"
    return ModelError(
        f"the chat template ends an answer with {answer[-24:]!r}, but generation stops at {names}.",
        "Add the token that ends an answer to `eos_token_id` in the model's generation_config.json.",
    )
