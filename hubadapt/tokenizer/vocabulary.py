"""`NewVocabulary`: a changed tokenizer, and where each of its rows comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

if TYPE_CHECKING:
    from hubadapt.vocab_map import VocabMap

HOLE = -1
"""In place of an old id: a row that no token of the base fills."""


@dataclass(frozen=True)
class NewVocabulary:
    """A changed tokenizer. Rows that are copied come first, those of new tokens last.

    Attributes:
        content: Its `tokenizer.json`.
        copied: Old id of each row before the first new token; `HOLE` where there is none.
        tokens: New entries, in order of id.
        pieces: For each new entry the old ids it is made of, in order.
        old_rows: V_old, rows of the base's table.
    """

    content: dict[str, Any]
    copied: Sequence[int]
    tokens: tuple[str, ...]
    pieces: tuple[tuple[int, ...], ...]
    old_rows: int

    @property
    def first_new(self) -> int:
        """Id of the first new token."""
        return len(self.copied)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, loaded from its content."""
        return Tokenizer.from_str(json.dumps(self.content, ensure_ascii=False))

    def vocab_map(self) -> VocabMap:
        """The plain mean map from the old rows to the new."""
        # Loads torch, which learning and measuring do without.
        from hubadapt.vocab_map import from_pieces

        return from_pieces(self.old_rows, self.pieces, copied=self.copied)


@dataclass(frozen=True)
class Trained:
    """A vocabulary that was trained anew, whose ids are still to be given.

    Attributes:
        entries: Its entries, single bytes first.
        model: The model of a `tokenizer.json` in which each entry of a list has its place as id. The list holds all of
            `entries`, and may hold others.
    """

    entries: Sequence[str]
    model: Callable[[Sequence[str]], dict[str, Any]]


def stacked(first: NewVocabulary, second: NewVocabulary) -> NewVocabulary:
    """Two changes as one: `second` was made of what `first` left, and its old ids are put back to those of the base."""
    back = [*first.copied, *[HOLE] * (second.old_rows - len(first.copied))]
    return NewVocabulary(
        second.content,
        [HOLE if old == HOLE else back[old] for old in second.copied],
        second.tokens,
        tuple(tuple(back[piece] for piece in pieces) for pieces in second.pieces),
        first.old_rows,
    )
