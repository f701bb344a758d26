"""Appends pieces to a Unigram vocabulary: old scores stay, new ones are fitted to be on their scale.

A Unigram segments a text into the pieces whose scores, log-probabilities, have the largest sum. New pieces hold a
letter of their script, so that they stand in no other text, and no new score is below the lowest old one, from which
the cost of an unknown character follows: other text keeps its ids. Scores are never normalised anew, which would move
every sum.
"""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from hubadapt.tokenizer.characters import frequent_characters
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.learn import Lesson, learn_merges
from hubadapt.tokenizer.protect import Protected, Unit
from hubadapt.tokenizer.vocabulary import HOLE, NewVocabulary

_SURPLUS = (1.5, 1.2, 1.0)
_ROUNDS = 2
_BATCH = 20_000

Pieces = Mapping[str, float]
"""New pieces with their scores."""

Count = Callable[[Pieces], Counter[int]]
"""How often each id occurs in some words once a vocabulary has new pieces, whose ids follow those of the list."""


def unused_name(index: int) -> str:
    """Name of an id that no token has. No text holds it: spaces become another character before segmentation."""
    return f"<unused row {index}>"


def learn_pieces(words: Mapping[str, int], content: dict[str, Any], lesson: Lesson, protected: Protected) -> Pieces:
    """Learn pieces over words.

    Candidates are what BPE merges most often. They are counted in the best segmentation, scored by their counts, and
    the rarest left out, in rounds. Characters that the vocabulary lacks stay in any case, as they do in SentencePiece.

    Args:
        words: Pre-tokens as `count_words` gives them, with their counts.
        content: The old `tokenizer.json`, a Unigram.
        lesson: What to learn; `min_occurrences` is how often a piece must be used.
        protected: English text that pieces must leave as it is.

    Returns:
        Pieces, the most probable first, none in the old vocabulary.

    Source:
        Kudo 2018, arXiv 1804.10959, with counts in the best segmentation in place of expected ones, and with old pieces
        fixed. Candidates from BPE instead of all substrings, and the scale, are ours.
    """
    count, harmful = _counter(words, content), _harmful_in(protected, content)
    scale, lowest = _scale(count({}), content, lesson), min(score for _, score in content["model"]["vocab"])
    characters = frequent_characters(words, all_entries(content), lesson)[: lesson.new_tokens]
    found = _occurrences(words, _candidates(words, content, lesson, characters))

    def scored(counts: Mapping[str, int]) -> dict[str, float]:
        # A tokenizer.model holds scores as 32-bit floats; both files shall add up the same.
        return {piece: float(np.float32(max(math.log(n) + scale, lowest))) for piece, n in counts.items()}

    for surplus in _SURPLUS:
        for _ in range(_ROUNDS):
            found = _used(count, scored(found), lesson.min_occurrences, content)
        left_out = harmful(found, scored(found))
        found = {piece: n for piece, n in found.items() if piece not in left_out}
        characters = [character for character in characters if character not in left_out]
        found = _most_frequent(found, characters, int(lesson.new_tokens * surplus))
    used = _used(count, scored(found), 1, content)
    pieces = _reachable(scored(_most_frequent(used, characters, len(found))), content)
    while left_out := harmful(_used(count, pieces, 1, content), pieces):
        pieces = {piece: score for piece, score in pieces.items() if piece not in left_out}
    return dict(sorted(pieces.items(), key=lambda item: (-item[1], item[0])))


def extend_unigram(
    content: dict[str, Any], pieces: Pieces, *, first_id: int, old_rows: int | None = None
) -> NewVocabulary:
    """Append pieces to a Unigram.

    Ids between the old vocabulary and the first new piece get entries that no text holds, since a Unigram is a list.

    Args:
        content: The old `tokenizer.json`.
        pieces: As `learn_pieces` gives them.
        first_id: Id of the first new piece; at least one more than the largest old id.
        old_rows: V_old; `first_id` by default.

    Raises:
        ValueError: `first_id` is already taken.
    """
    entries = all_entries(content)
    if first_id <= max(entries.values()):
        raise ValueError(f"id {first_id} is taken: the old vocabulary ends at {max(entries.values())}")
    vocab = [list(entry) for entry in content["model"]["vocab"]]
    lowest, by_id = min(score for _, score in vocab), {index: entry for entry, index in entries.items()}
    vocab += [[by_id.get(index, unused_name(index)), lowest] for index in range(len(vocab), first_id)]
    vocab += [[piece, score] for piece, score in pieces.items()]
    grown = copy.deepcopy({key: value for key, value in content.items() if key != "model"})
    grown["model"] = {**content["model"], "vocab": vocab}
    rows = first_id if old_rows is None else old_rows
    copied = [*range(min(first_id, rows)), *[HOLE] * (first_id - rows)]
    segment = _model(content, {}).model.tokenize
    parts = tuple(tuple(token.id for token in segment(piece)) for piece in pieces)
    return NewVocabulary(grown, copied, tuple(pieces), parts, rows)


def _model(content: dict[str, Any], pieces: Pieces) -> Tokenizer:
    """The model alone, with new pieces after the old ones."""
    model = {**content["model"], "vocab": [*content["model"]["vocab"], *map(list, pieces.items())]}
    bare = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"))
    return Tokenizer.from_str(json.dumps({"version": "1.0", "added_tokens": [], **bare, "model": model}))


def _segmented(words: Sequence[str], content: dict[str, Any], pieces: Pieces) -> Iterator[tuple[str, list[int]]]:
    """Words with their ids; those of new pieces follow those of the list."""
    tokenizer = _model(content, pieces)
    for start in range(0, len(words), _BATCH):
        batch = words[start : start + _BATCH]
        for word, encoding in zip(batch, tokenizer.encode_batch_fast(batch), strict=True):
            yield word, encoding.ids


def _counter(words: Mapping[str, int], content: dict[str, Any]) -> Count:
    spelled = sorted(words)

    def count(pieces: Pieces) -> Counter[int]:
        counts: Counter[int] = Counter()
        for word, ids in _segmented(spelled, content, pieces):
            for index in ids:
                counts[index] += words[word]
        return counts

    return count


def _harmful_in(protected: Protected, content: dict[str, Any]) -> Callable[[Mapping[str, int], Pieces], set[str]]:
    """Gives, for pieces with their occurrences and with their scores, those that English text would feel too often."""
    dialect, first = dialect_of(content), len(content["model"]["vocab"])
    # SentencePiece puts a space of its own at the start of a text.
    spelled = {word: (word, f"▁{word.removeprefix('▁')}") for word in protected.every_word()}
    forms = sorted({form for both in spelled.values() for form in both})

    def harmful(occurrences: Mapping[str, int], pieces: Pieces) -> set[str]:
        names = list(pieces)
        used = {
            form: {(names[index - first],) for index in ids if index >= first}
            for form, ids in _segmented(forms, content, pieces)
        }
        gains: dict[Unit, float] = {(piece,): n for piece, n in occurrences.items()}
        left_out = protected.harmful(gains, lambda word: set().union(*(used[form] for form in spelled[word])), dialect)
        return {piece for unit in left_out for piece in unit}

    return harmful


def _used(count: Count, pieces: Pieces, least: int, content: dict[str, Any]) -> dict[str, int]:
    """Occurrences of the new pieces that are used often enough."""
    counts, first = count(pieces), len(content["model"]["vocab"])
    return {piece: n for place, piece in enumerate(pieces) if (n := counts[first + place]) >= least}


def _scale(counts: Mapping[int, int], content: dict[str, Any], lesson: Lesson) -> float:
    """What to add to the logarithm of a count to get a score: what old pieces of the script show, by their counts.

    Where the old vocabulary has none, as for a script it never saw, all that it writes the words with is taken. A count
    is never worth more than its share of all the words' tokens: probabilities of new pieces sum to less than one.
    """
    vocab, unknown = content["model"]["vocab"], content["model"].get("unk_id")
    seen = {index: n for index, n in counts.items() if index != unknown and vocab[index][1] < 0}
    own = {index: n for index, n in seen.items() if lesson.allow(vocab[index][0])} or seen
    share = -math.log(sum(counts.values()) + 1)
    offsets = sum(n * (float(vocab[index][1]) - math.log(n)) for index, n in own.items())
    return min(offsets / sum(own.values()), share) if own else share


def _candidates(
    words: Mapping[str, int], content: dict[str, Any], lesson: Lesson, characters: Sequence[str]
) -> Collection[str]:
    known = all_entries(content)
    double = Lesson(2 * lesson.new_tokens, lesson.min_occurrences, lesson.allow)
    merges = learn_merges(words, {*known, *characters}, lambda merges: list, double)
    return {*characters, *(merge.token for merge in merges)} - known.keys()


def _most_frequent(found: Mapping[str, int], characters: Sequence[str], number: int) -> dict[str, int]:
    """The characters, and as many of the other pieces as make up a number."""
    required = {character: max(found.get(character, 0), 1) for character in characters}
    others = sorted(found.keys() - required.keys(), key=lambda piece: (-found[piece], piece))
    return required | {piece: found[piece] for piece in others[: max(number - len(required), 0)]}


def _occurrences(words: Mapping[str, int], candidates: Collection[str]) -> dict[str, int]:
    """How often each candidate stands anywhere in the words."""
    longest, counts = max(map(len, candidates), default=0), Counter[str]()
    for word, count in words.items():
        for piece in _substrings(word, longest):
            if piece in candidates:
                counts[piece] += count
    return {piece: counts[piece] for piece in sorted(counts)}


def _substrings(word: str, longest: int) -> Iterator[str]:
    for start in range(len(word)):
        for end in range(start + 1, min(start + longest, len(word)) + 1):
            yield word[start:end]


def _reachable(pieces: Pieces, content: dict[str, Any]) -> dict[str, float]:
    """The pieces that the finished model writes as themselves; taking others out makes none of them unreachable."""
    names: Sequence[str] = list(pieces)
    encodings = _model(content, pieces).encode_batch(names)
    first = len(content["model"]["vocab"])
    kept = [name for place, name in enumerate(names) if encodings[place].ids == [first + place]]
    return {piece: pieces[piece] for piece in kept}
