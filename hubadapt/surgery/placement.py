"""Where the rows and tokens that a sibling has of its own go in the new vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hubadapt.errors import ModelError
from hubadapt.propagation.apply import PROJECTED
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.unigram import unused_name
from hubadapt.vocab_map import Origin, VocabMap


@dataclass(frozen=True)
class Vocabularies:
    """The tokenizers of a base before and after its adaptation.

    Attributes:
        base: Content of the base's `tokenizer.json`.
        adapted: Content of the adapted base's.
        vocab_map: T, with a row for each row of the adapted table.
    """

    base: Mapping[str, Any]
    adapted: Mapping[str, Any]
    vocab_map: VocabMap

    def added_by_base(self) -> dict[str, int]:
        """The base's added tokens with their old ids."""
        return added_tokens(self.base)

    def shared_ids(self) -> np.ndarray:
        """Old ids of the base's tokens without its added ones, ascending: what every sibling has too."""
        return np.array(sorted(set(all_entries(dict(self.base)).values()) - {*self.added_by_base().values()}))

    def copied_to(self) -> dict[int, int]:
        """Old id → new id of the rows that stay."""
        copied = self.vocab_map.rows_of(Origin.COPIED)
        old = self.vocab_map.indices[self.vocab_map.indptr[copied]]
        return dict(zip(old.tolist(), copied.tolist(), strict=True))


@dataclass(frozen=True)
class Placement:
    """Where a sibling's own rows and tokens go.

    Attributes:
        own: For each new id the sibling's row that it keeps whatever moved, or `PROJECTED`, shape (V_new,).
        added: The sibling's added tokens with their new ids.
        moved_ids: Its old ids → new ids, where any of them moved; else None.
        appended: How many of its tokens got an id past the adapted vocabulary, since theirs was taken.
    """

    own: np.ndarray
    added: Mapping[str, int]
    moved_ids: Mapping[int, int] | None
    appended: int


def place(vocabularies: Vocabularies, sibling: Mapping[str, Any], rows: int, folder: Path) -> Placement:
    """Place what a sibling has of its own.

    Where no old id moved, its rows past the base's keep their ids as far as the adapted vocabulary left these free;
    the stage `tokenizer` does so for the siblings of its recipe. A token whose id is taken, or moved away, comes after
    the last row. Padding rows that no token of the sibling uses are left out there.

    Args:
        vocabularies: Before and after.
        sibling: Content of the sibling's `tokenizer.json`.
        rows: V_sibling.
        folder: The sibling's, for messages.

    Raises:
        ModelError: A token of the sibling has no row, or is an ordinary token of the adapted vocabulary.
    """
    vocab_map = vocabularies.vocab_map
    copied_to = vocabularies.copied_to()
    in_place = all(old == new for old, new in copied_to.items())
    kept = _free_ids(vocabularies, rows) if in_place else {}
    mine = added_tokens(sibling)
    _require_rows(sibling, rows, folder)
    new_ids = {index: new for index in mine.values() if (new := copied_to.get(index, kept.get(index))) is not None}
    missing = sorted({*mine.values()} - new_ids.keys())
    size = max(vocab_map.new_size, 1 + max(new_ids.values(), default=0))
    new_ids |= {index: size + place for place, index in enumerate(missing)}
    added = {content: new_ids[index] for content, index in mine.items()}
    _require_apart(vocabularies, added, folder)
    service = {old: copied_to[old] for old in vocabularies.added_by_base().values() if old in copied_to and old < rows}
    own = np.full(size + len(missing), PROJECTED)
    for old, new in {**kept, **service, **new_ids}.items():
        if new < len(own):
            own[new] = old
    moved = missing or vocab_map.moved_ids() is not None
    return Placement(own, added, {**copied_to, **kept, **new_ids} if moved else None, len(missing))


def added_tokens(content: Mapping[str, Any]) -> dict[str, int]:
    """The added tokens of a `tokenizer.json` with their ids."""
    return {token["content"]: token["id"] for token in content.get("added_tokens", ())}


def _free_ids(vocabularies: Vocabularies, rows: int) -> dict[int, int]:
    """Ids of a sibling past the base's rows that the adapted vocabulary left free, each to itself."""
    vocab_map, entries = vocabularies.vocab_map, all_entries(dict(vocabularies.adapted))
    taken = {index for entry, index in entries.items() if entry != unused_name(index)}
    return {
        index: index
        for index in range(vocab_map.old_size, rows)
        if index >= vocab_map.new_size or (index not in taken and vocab_map.origins[index] == Origin.FRESH)
    }


def _require_rows(sibling: Mapping[str, Any], rows: int, folder: Path) -> None:
    last = max(all_entries(dict(sibling)).values())
    if last >= rows:
        raise ModelError(
            f"{folder} has {rows:,} embedding rows, but its tokenizer gives ids up to {last:,}.",
            "Check that tokenizer and weights belong together.",
        )


def _require_apart(vocabularies: Vocabularies, added: Mapping[str, int], folder: Path) -> None:
    service = added_tokens(vocabularies.adapted)
    entries = all_entries(dict(vocabularies.adapted))
    for content, index in added.items():
        if content in entries and content not in service and entries[content] != index:
            raise ModelError(
                f"{folder} adds the token {content!r}, which the adapted vocabulary learnt as an ordinary one "
                f"(id {entries[content]}).",
                "Leave that token out of the new vocabulary, or choose another sibling.",
            )
