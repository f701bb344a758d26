"""Moves token ids in configuration files, by the keys that hold ids, never by their value alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def renumbered_config(config: dict[str, Any], new_id: Mapping[int, int]) -> dict[str, Any]:
    """A `config.json` or `generation_config.json` whose `…_token_id` keys, nested ones too, moved.

    Raises:
        KeyError: An id is not among those that stay.
    """
    moved: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            moved[key] = renumbered_config(value, new_id)
        elif key.endswith(("_token_id", "_token_ids")) and value is not None:
            moved[key] = [new_id[old] for old in value] if isinstance(value, list) else new_id[value]
        else:
            moved[key] = value
    return moved


def renumbered_added_tokens(config: dict[str, Any], new_id: Mapping[int, int]) -> dict[str, Any]:
    """A `tokenizer_config.json` whose `added_tokens_decoder` moved; tokens that are gone are left out."""
    decoder = config.get("added_tokens_decoder")
    if not decoder:
        return config
    moved = {str(new_id[int(old)]): token for old, token in decoder.items() if int(old) in new_id}
    return {**config, "added_tokens_decoder": moved}
