"""The map between two finished tokenizers, whoever made the second."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from hubadapt.errors import ModelError
from hubadapt.tokenizer.families import all_entries, has_step, require_family

if TYPE_CHECKING:
    from hubadapt.vocab_map import VocabMap


def map_between(old: dict[str, Any], new: dict[str, Any], *, old_rows: int) -> VocabMap:
    """The plain mean map from one tokenizer's rows to another's, by entries alone.

    An entry that both have keeps its row, whatever its id; each other one is made of the old entries that the old model
    segments its spelling into. Nothing is decoded and encoded again, which would add or lose spaces.

    Args:
        old: Content of the old `tokenizer.json`.
        new: Content of the new one.
        old_rows: V_old, rows of the old table.

    Raises:
        ModelError: One of them is of no supported family, or they spell bytes differently.
    """
    families = [require_family(content, name) for content, name in ((old, "the old one"), (new, "the new one"))]
    spelled = [has_step(content.get("pre_tokenizer"), "ByteLevel") for content in (old, new)]
    if spelled[0] != spelled[1]:
        raise ModelError(
            f"the tokenizers spell text differently: {families[0].value} and {families[1].value}.",
            "Use a tokenizer of the model's own family, such as one that `hubadapt run` made of it.",
        )
    known, entries = all_entries(old), all_entries(new)
    segment = Tokenizer.from_str(json.dumps(old)).model.tokenize
    added = {token["content"] for token in new.get("added_tokens", ())}
    stays = all(entries.get(entry) == index for entry, index in known.items())
    # Where all ids stay, so do rows that no token uses.
    rows: dict[int, Sequence[int]] = {index: (index,) for index in range(old_rows)} if stays else {}
    copied = {*rows}
    for entry, index in entries.items():
        if entry in known:
            rows[index] = (known[entry],)
            copied.add(index)
        else:
            rows[index] = () if entry in added else [token.id for token in segment(entry)]
            copied.discard(index)
    return _from_rows(old_rows, [rows.get(index, ()) for index in range(max(rows) + 1)], copied)


def _from_rows(old_size: int, rows: Sequence[Sequence[int]], copied: set[int]) -> VocabMap:
    import numpy as np

    from hubadapt.vocab_map import Origin, VocabMap

    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    origins = np.full(len(rows), Origin.COMPOSED, dtype=np.uint8)
    origins[sorted(copied)] = Origin.COPIED
    origins[lengths == 0] = Origin.FRESH
    return VocabMap(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.array([piece for row in rows for piece in row], dtype=np.int64),
        np.repeat(1.0 / np.maximum(lengths, 1), lengths),
        origins,
        old_size,
    )
