"""Merges of a language in the Latin script that a sample of protected text, English and code, would feel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from hubadapt.tokenizer.extend import Characters, segmenter
from hubadapt.tokenizer.learn import Merge


def spelled_with_space(words: Iterable[str]) -> set[str]:
    """Words as SentencePiece spells them, also as they are at the start of a text, where it puts a space of its own."""
    words = {*words}
    return words | {f"▁{word}" for word in words if not word.startswith("▁")}


def harm_to(
    words: Iterable[str], content: dict[str, Any], characters: Characters | None = None
) -> Callable[[Sequence[Merge]], set[Merge]]:
    """Which of some merges would change the tokens of protected words: see `Lesson.harm`.

    Args:
        words: Pre-tokens of the protected text, as `count_words` gives them.
        content: The old `tokenizer.json`.
        characters: Characters that come before the merges, none of them in the words.
    """
    after = segmenter(content, characters)
    segment = after(())
    protected = {word: tuple(segment(word)) for word in sorted(words)}

    def harmful(merges: Sequence[Merge]) -> set[Merge]:
        extended = after(merges)
        ranks = {(merge.left, merge.right): rank for rank, merge in enumerate(merges)}
        changed = (pieces for word, pieces in protected.items() if tuple(extended(word)) != pieces)
        return {merges[rank] for pieces in changed for rank in _fired(pieces, ranks)}

    return harmful


def _fired(pieces: Sequence[str], ranks: Mapping[tuple[str, str], int]) -> list[int]:
    """Ranks of the merges that apply to a word, the earliest first, as BPE applies them."""
    parts = list(pieces)
    fired: list[int] = []
    while True:
        found = min(
            ((ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in ranks),
            default=None,
        )
        if found is None:
            return fired
        rank, at = found
        fired.append(rank)
        parts[at : at + 2] = ["".join(parts[at : at + 2])]
