"""Appends merges to a BPE: new ones stand after all old ones, and every old id stays.

Text without the new merges keeps its tokens (proof in `scripts.occurs_in_scripts_alone`), and each new token has an
exact decomposition into old ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tokenizers import models

from hubadapt.tokenizer.families import Family, all_entries, family_of, read_merges
from hubadapt.tokenizer.learn import Merge, Segment
from hubadapt.tokenizer.vocabulary import HOLE, NewVocabulary

Characters = Mapping[str, Sequence[str]]
"""Characters that a byte-fallback vocabulary lacks, each with the byte pieces that stood for it."""


def extend(
    content: dict[str, Any],
    merges: Sequence[Merge],
    *,
    first_id: int,
    old_rows: int | None = None,
    characters: Characters | None = None,
) -> NewVocabulary:
    """Append entries and merges to a BPE.

    Args:
        content: The old `tokenizer.json`.
        merges: As `learn_merges` gives them.
        first_id: Id of the first new token; at least one more than the largest old id.
        old_rows: V_old; `first_id` by default.
        characters: Characters that come before the merges, for a byte-fallback BPE that lacks them.

    Raises:
        ValueError: `first_id` is already taken.
    """
    entries = all_entries(content)
    if first_id <= max(entries.values()):
        raise ValueError(f"id {first_id} is taken: the old vocabulary ends at {max(entries.values())}")
    pieces: dict[str, tuple[int, ...]] = {entry: (index,) for entry, index in entries.items()}
    made: dict[str, tuple[int, ...]] = {}
    for character, parts in (characters or {}).items():
        made[character] = pieces[character] = tuple(entries[part] for part in parts)
    for merge in merges:
        if merge.token not in pieces:
            made[merge.token] = pieces[merge.token] = pieces[merge.left] + pieces[merge.right]
    rows = first_id if old_rows is None else old_rows
    copied = [*range(min(first_id, rows)), *[HOLE] * (first_id - rows)]
    return NewVocabulary(
        _grown(content, tuple(made), merges, first_id), copied, tuple(made), tuple(made.values()), rows
    )


def segmenter(content: dict[str, Any], characters: Characters | None = None) -> Callable[[Sequence[Merge]], Segment]:
    """Gives, for merges learnt so far, how the extended tokenizer segments a word: see `learn_merges`."""
    first_id = max(all_entries(content).values()) + 1

    def after(merges: Sequence[Merge]) -> Segment:
        grown = extend(content, merges, first_id=first_id, characters=characters) if merges or characters else None
        model = bpe_model(grown.content if grown else content)
        return lambda word: [token.value for token in model.tokenize(word)]

    return after


def bpe_model(content: dict[str, Any]) -> models.BPE:
    """The model alone of a BPE's `tokenizer.json`: several times faster to build than the whole tokenizer."""
    model = content["model"]
    return models.BPE(
        vocab=model["vocab"],
        merges=read_merges(content),
        unk_token=model.get("unk_token"),
        fuse_unk=bool(model.get("fuse_unk")),
        byte_fallback=bool(model.get("byte_fallback")),
        ignore_merges=bool(model.get("ignore_merges")),
    )


def _grown(content: dict[str, Any], tokens: Sequence[str], merges: Sequence[Merge], first_id: int) -> dict[str, Any]:
    model = dict(content["model"])
    # An added token that is not in the model's vocabulary too would be renumbered when the vocabulary grows.
    model["vocab"] = all_entries(content) | {token: first_id + i for i, token in enumerate(tokens)}
    old, new = read_merges(content), [(merge.left, merge.right) for merge in merges]
    if family_of(content) is Family.BYTE_FALLBACK_BPE:
        old = _with_new_splits(old, model["vocab"], frozenset(tokens))
        present = set(old)
        new = _all_splits([pair for pair in new if pair not in present], model["vocab"])
    # A merge that is listed twice has the later place: one of the base would then come after all others.
    model["merges"] = [[left, right] for left, right in dict.fromkeys([*old, *new])]
    return {**copy.deepcopy({key: value for key, value in content.items() if key != "model"}), "model": model}


def _with_new_splits(
    merges: Sequence[tuple[str, str]], vocab: Mapping[str, int], made: Collection[str]
) -> list[tuple[str, str]]:
    """Old merges and, after the last one of each entry, the ways to make it with a new one.

    SentencePiece gives every way to make a piece the piece's own score.
    """
    last = {left + right: place for place, (left, right) in enumerate(merges)}
    extra = {
        place: [(left, right) for left, right in splits(token, vocab) if left in made or right in made]
        for token, place in last.items()
    }
    return [pair for place, merge in enumerate(merges) for pair in (merge, *extra.get(place, ()))]


def _all_splits(merges: Sequence[tuple[str, str]], vocab: Mapping[str, int]) -> list[tuple[str, str]]:
    """Every way to make each token out of two entries: SentencePiece joins any two whose sum is a piece."""
    return [
        pair
        for left, right in merges
        for pair in sorted({(left, right), *splits(left + right, vocab)}, key=lambda pair: pair != (left, right))
    ]


def splits(token: str, vocab: Collection[str]) -> list[tuple[str, str]]:
    """Every way to make a token out of two entries."""
    pairs = [(token[:i], token[i:]) for i in range(1, len(token))]
    return [(left, right) for left, right in pairs if left in vocab and right in vocab]
