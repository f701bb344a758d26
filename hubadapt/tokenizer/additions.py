"""What is learnt on top of a vocabulary, of either kind, and the vocabulary with the first of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hubadapt.tokenizer.extend import Characters, extend
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.learn import Merge, within_budget
from hubadapt.tokenizer.unigram import Pieces, extend_unigram
from hubadapt.tokenizer.vocabulary import NewVocabulary


@dataclass(frozen=True)
class Additions:
    """What is learnt on top of a vocabulary: characters and merges of a BPE, or pieces of a Unigram.

    Attributes:
        characters: Characters that come first, for a byte-fallback BPE that lacks them.
        merges: Then these merges.
        pieces: Pieces of a Unigram with their scores.
    """

    characters: Characters = field(default_factory=dict)
    merges: Sequence[Merge] = ()
    pieces: Pieces = field(default_factory=dict)

    def count(self, known: Collection[str]) -> int:
        """How many new tokens there are, given the entries of the old vocabulary."""
        return len({*self.characters, *(merge.token for merge in self.merges), *self.pieces} - {*known})

    def first(self, content: dict[str, Any], new_tokens: int, *, first_id: int, old_rows: int) -> NewVocabulary:
        """The vocabulary with the first of what was learnt.

        Args:
            content: The `tokenizer.json` to add to.
            new_tokens: How many new tokens at the most.
            first_id: Id of the first.
            old_rows: V_old.
        """
        if self.pieces:
            pieces = dict(islice(self.pieces.items(), new_tokens))
            return extend_unigram(content, pieces, first_id=first_id, old_rows=old_rows)
        characters = dict(islice(self.characters.items(), new_tokens))
        known = {*all_entries(content), *characters}
        merges = within_budget(self.merges, known, new_tokens - len(characters))
        return extend(content, merges, first_id=first_id, old_rows=old_rows, characters=characters)
