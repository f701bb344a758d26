"""The part of a published card that belongs to its owner: written on the Hub, kept by every push."""

from __future__ import annotations

BEGIN = "<!-- yours: pushes keep what stands between this line and the next mark -->"
END = "<!-- yours: end -->"


def with_room(card: str) -> str:
    """A card with an empty place for the owner's words at its end."""
    return f"{card.rstrip()}\n\n{BEGIN}\n{END}\n"


def with_words(card: str, words: str) -> str:
    """A card from `with_room` with the owner's words in their place."""
    head, _, tail = card.rpartition(f"{BEGIN}\n")
    return f"{head}{BEGIN}\n{words}{tail}" if head else card


def split_words(text: str) -> tuple[str, str] | None:
    """A published card without the owner's words, and the words; None where the marks do not stand once, in order."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        return None
    head, _, rest = text.partition(BEGIN)
    words, end, tail = rest.partition(END)
    return (f"{head}{BEGIN}\n{END}{tail}", words.removeprefix("\r").removeprefix("\n")) if end else None
