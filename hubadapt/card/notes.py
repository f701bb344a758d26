"""What the owner adds to every card of a model, from the run's notes: metadata of their own, and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hubadapt.errors import CardError
from hubadapt.front_matter import read_front_matter, split_card

_ADDED_TO = ("tags",)
# Computed where there is something to compute it from; elsewhere there is nothing to say.
_NEVER = ("model-index",)


def split_notes(notes: str) -> tuple[dict[str, Any], str]:
    """Metadata and words of notes; metadata are YAML between two lines of `---` at their top, if there is any.

    Raises:
        CardError: They begin with such lines, and what is between them cannot be read.
    """
    block, words = split_card(notes)
    if block is None:
        return {}, notes
    try:
        return read_front_matter(notes), words.lstrip("\n")
    except CardError as error:
        raise CardError(error.problem.replace("the card", "the notes", 1), error.hint) from error


def with_own(front: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A card's metadata with the owner's: their tags behind ours, and keys that the card does not compute.

    Raises:
        CardError: A key is one that the card computes.
    """
    taken = [key for key in own if (key in front and key not in _ADDED_TO) or key in _NEVER]
    if taken:
        raise CardError(
            f"the notes set {taken[0]}, which the card computes from the run.",
            "Leave it out of notes.md; the recipe decides it.",
        )
    tags = own.get("tags", [])
    added = {"tags": [*front["tags"], *(tags if isinstance(tags, list) else [tags])]} if tags else {}
    return {**front, **own, **added}
