"""Moves the ids of a `tokenizer.json` wherever they are written, by the keys that hold ids, never by value alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def renumbered(content: dict[str, Any], copied: Sequence[int]) -> dict[str, Any]:
    """A `tokenizer.json` whose ids moved.

    Args:
        content: Vocabulary, added tokens and post-processor with old ids.
        copied: Old id of each new one.

    Raises:
        KeyError: The content names an id that is not among the copied.
    """
    new_id = {old: new for new, old in enumerate(copied)}
    model = {**content["model"], "vocab": {entry: new_id[old] for entry, old in content["model"]["vocab"].items()}}
    added = [{**token, "id": new_id[token["id"]]} for token in content.get("added_tokens", ())]
    processor = renumbered_processor(content.get("post_processor"), new_id)
    return {**content, "model": model, "added_tokens": added, "post_processor": processor}


def renumbered_processor(processor: dict[str, Any] | None, new_id: Mapping[int, int]) -> dict[str, Any] | None:
    """A post-processor whose ids moved."""
    if processor is None:
        return None
    moved = dict(processor)
    if "processors" in moved:
        moved["processors"] = [renumbered_processor(inner, new_id) for inner in moved["processors"]]
    if processor["type"] == "TemplateProcessing":
        moved["special_tokens"] = {
            name: {**token, "ids": [new_id[old] for old in token["ids"]]}
            for name, token in processor.get("special_tokens", {}).items()
        }
    for mark in ("sep", "cls"):
        if isinstance(moved.get(mark), list):
            moved[mark] = [moved[mark][0], new_id[moved[mark][1]]]
    return moved
