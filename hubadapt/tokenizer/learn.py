"""Continued BPE: learn merges on top of a BPE's own, starting from its own segmentation of the words of a language.

Source: "Teaching Old Tokenizers New Words", Purason et al. 2026 (continued BPE); the mapping to private-use characters
that lets the Rust trainer of `tokenizers` learn the merges, and the rounds around what may not be merged, are ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

# Planes 15 and 16 are private: one character for each piece that occurs.
_PRIVATE = (*range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE))
_REPEAT = 1000
_ROUNDS = 8


@dataclass(frozen=True)
class Merge:
    """One learnt merge: the two vocabulary entries that it joins."""

    left: str
    right: str

    @property
    def token(self) -> str:
        """The entry that the merge makes."""
        return self.left + self.right


Segment = Callable[[str], Sequence[str]]
"""How a tokenizer segments one word, as entries of its vocabulary."""


@dataclass(frozen=True)
class Lesson:
    """What to learn, and what not.

    Attributes:
        new_tokens: New entries at the most.
        min_occurrences: A pair rarer than this is not merged.
        allow: Whether an entry may be made at all.
        apart: Pairs of entries that are not merged, since text that must not change holds them side by side.
    """

    new_tokens: int
    min_occurrences: int
    allow: Callable[[str], bool]
    apart: Set[tuple[str, str]] = frozenset()


def learn_merges(
    words: Mapping[str, int],
    known: Collection[str],
    segmenter: Callable[[Sequence[Merge]], Segment],
    lesson: Lesson,
) -> list[Merge]:
    """Learn merges over words.

    A merge that is not allowed is left out with all that builds on it. What is then left of the budget is learnt in
    further rounds, in which the words are cut at such pairs, as they are from the start at pairs to be kept apart.

    Args:
        words: Pre-tokens, as `count_words` gives them, with their counts.
        known: Entries of the old vocabulary; a merge that makes one of them costs nothing of the budget.
        segmenter: How the tokenizer segments a word once it has the merges given.
        lesson: What to learn.

    Returns:
        Merges in the order learnt, fewer than asked where the words run out of pairs.
    """
    merges: list[Merge] = []
    refused = set(lesson.apart)
    known = set(known)
    for _ in range(_ROUNDS):
        room = lesson.new_tokens - len({merge.token for merge in merges} - known)
        found, alphabet = _train(_cut_words(words, segmenter(merges), refused), room, lesson.min_occurrences)
        # A pair that was cut comes back where a merge makes an old entry out of others.
        allowed = [merge for merge in found if lesson.allow(merge.token) and (merge.left, merge.right) not in refused]
        kept = _reachable(allowed, alphabet)
        merges = within_budget([*merges, *kept], known, lesson.new_tokens)
        dropped = {(merge.left, merge.right) for merge in {*found} - {*kept}}
        if not dropped or not kept or len({merge.token for merge in merges} - known) == lesson.new_tokens:
            break
        refused |= dropped
    return merges


def _cut_words(
    words: Mapping[str, int], segment: Segment, refused: Collection[tuple[str, str]]
) -> Counter[tuple[str, ...]]:
    """Occurrences of each sequence of pieces, cut between two that may not be merged."""
    sequences: Counter[tuple[str, ...]] = Counter()
    for word in sorted(words):
        pieces = tuple(segment(word))
        start = 0
        for end in range(1, len(pieces) + 1):
            if end == len(pieces) or pieces[end - 1 : end + 1] in refused:
                sequences[pieces[start:end]] += words[word]
                start = end
    return sequences


def _train(sequences: Counter[tuple[str, ...]], room: int, min_occurrences: int) -> tuple[list[Merge], Collection[str]]:
    """Merges over sequences of pieces, and the pieces that occur in them."""
    pieces = sorted({piece for sequence in sequences for piece in sequence})
    character = {piece: chr(code) for piece, code in zip(pieces, _PRIVATE, strict=False)}
    name = dict(zip(character.values(), character, strict=True))
    spelled = {"".join(character[p] for p in sequence): count for sequence, count in sequences.items()}
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # A quarter more, for merges that turn out to make an old entry or are left out.
    trainer = trainers.BpeTrainer(
        vocab_size=len(pieces) + room + room // 4 + 256,
        min_frequency=min_occurrences,
        show_progress=False,
        special_tokens=[],
    )
    learner.train_from_iterator(_repeated(spelled), trainer)
    # The learner's own state is read through its JSON: it has no accessor for merges.
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [Merge(*("".join(name[char] for char in side) for side in merge)) for merge in merges], set(pieces)


def _repeated(spelled: Mapping[str, int]) -> Iterator[str]:
    for word, count in spelled.items():
        if len(word) > 1:
            for start in range(0, count, _REPEAT):
                yield " ".join([word] * min(_REPEAT, count - start))


def _reachable(merges: Sequence[Merge], alphabet: Collection[str]) -> list[Merge]:
    """The merges both of whose sides exist when their turn comes."""
    made, kept = set(alphabet), []
    for merge in merges:
        if merge.left in made and merge.right in made:
            made.add(merge.token)
            kept.append(merge)
    return kept


def within_budget(merges: Sequence[Merge], known: Collection[str], new_tokens: int) -> list[Merge]:
    """The first merges, as far as they make no more than `new_tokens` new entries.

    Args:
        merges: In the order learnt.
        known: Entries of the old vocabulary, which cost nothing.
        new_tokens: New entries at the most.
    """
    made: set[str] = set()
    for index, merge in enumerate(merges):
        if merge.token not in known and merge.token not in made and len(made) == new_tokens:
            return list(merges[:index])
        if merge.token not in known:
            made.add(merge.token)
    return list(merges)
