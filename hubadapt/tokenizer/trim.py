"""Drops new tokens that the finished segmentation hardly uses: steps on the way to longer ones, and rare words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from hubadapt.tokenizer.learn import Merge, Segment


def trim(
    merges: Sequence[Merge],
    known: Collection[str],
    words: Mapping[str, int],
    segmenter: Callable[[Sequence[Merge]], Segment],
    *,
    least_uses: int,
) -> list[Merge]:
    """Drop new tokens that are used too rarely and that no other token is built on, until none is left.

    What a dropped token stood for falls back to its parts, so uses are counted anew after each round.

    Args:
        merges: As `learn_merges` gives them.
        known: Entries of the old vocabulary; they stay.
        words: What the merges were learnt on, with counts.
        segmenter: As for `learn_merges`.
        least_uses: A token used less often than this goes, unless another is built on it.

    Source:
        Leaf pruning: Purason et al. 2026; the cascade of uses: ruadapt.
    """
    kept, known = list(merges), set(known)
    while True:
        uses = _uses(words, segmenter(kept))
        sides = {side for merge in kept for side in (merge.left, merge.right)}
        gone = {
            merge.token
            for merge in kept
            if merge.token not in sides and merge.token not in known and uses[merge.token] < least_uses
        }
        if not gone:
            return kept
        kept = [merge for merge in kept if merge.token not in gone]


def _uses(words: Mapping[str, int], segment: Segment) -> Counter[str]:
    uses: Counter[str] = Counter()
    for word, count in words.items():
        for entry in segment(word):
            uses[entry] += count
    return uses
