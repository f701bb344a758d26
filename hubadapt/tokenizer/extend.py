"""Continued BPE: learn merges on top of a byte-level BPE's own, for the words of one script.

New merges stand after all old ones and every old id stays, so text without the script keeps its tokens (proof in
`scripts.occurs_in_script_alone`), and each new token has an exact decomposition into old ones.

Source: "Teaching Old Tokenizers New Words", Purason et al. 2026 (continued BPE); the mapping to private-use characters
that lets the Rust trainer of `tokenizers` learn the merges is ours.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from hubadapt.errors import CorpusError
from hubadapt.tokenizer.byte_level import piece_to_bytes
from hubadapt.tokenizer.families import read_merges
from hubadapt.tokenizer.scripts import occurs_in_script_alone

_PLANE_15 = 0xF0000
_REPEAT = 1000


@dataclass(frozen=True)
class Merge:
    """One learnt merge: the two vocabulary entries that it joins."""

    left: str
    right: str

    @property
    def token(self) -> str:
        """The entry that the merge makes."""
        return self.left + self.right


@dataclass(frozen=True)
class Extension:
    """An extended tokenizer.

    Attributes:
        content: The new `tokenizer.json`.
        first_id: Id of the first new token; all before are the old vocabulary and table rows.
        tokens: New vocabulary entries, in order of id.
        pieces: For each new token the old ids it is made of, in order.
        merges: All new merges, in order; more than `tokens` where a merge reaches an old entry.
    """

    content: dict[str, Any]
    first_id: int
    tokens: tuple[str, ...]
    pieces: tuple[tuple[int, ...], ...]
    merges: tuple[Merge, ...]


def learn_merges(
    words: Counter[str], tokenizer: Tokenizer, script: str, *, new_tokens: int, min_occurrences: int
) -> list[Merge]:
    """Learn merges over words, starting from the tokenizer's own segmentation of each.

    Args:
        words: Pre-tokens in the byte-level alphabet with their counts, as `count_words` gives them.
        tokenizer: The byte-level BPE to continue.
        script: Unicode script; merges that could occur in other text are left out, with all that build on them.
        new_tokens: How many new entries to make at the most.
        min_occurrences: A pair rarer than this is not merged.

    Returns:
        Merges in the order learnt, fewer than asked where the words run out of pairs.

    Raises:
        CorpusError: There is no word to learn from.
    """
    if not words:
        raise CorpusError(
            f"the training corpus holds no word in {script} letters.",
            "Check `corpus.sources` in the recipe: is this the right file for the language?",
        )
    pieces = {word: [token.value for token in tokenizer.model.tokenize(word)] for word in sorted(words)}
    alphabet = sorted({piece for word_pieces in pieces.values() for piece in word_pieces})
    chars = {piece: chr(_PLANE_15 + i) for i, piece in enumerate(alphabet)}
    spelled = {"".join(chars[piece] for piece in pieces[word]): words[word] for word in pieces}
    names = dict(zip(chars.values(), chars, strict=True))
    in_scope = _in_scope(_train(spelled, len(alphabet), new_tokens, min_occurrences), names, script)
    return _first_new(in_scope, set(tokenizer.get_vocab()), new_tokens)


def extend(content: dict[str, Any], merges: list[Merge], *, first_id: int) -> Extension:
    """Append merges to a byte-level BPE.

    Args:
        content: The old `tokenizer.json`.
        merges: As `learn_merges` gives them.
        first_id: Id of the first new token; at least one more than the largest old id.

    Raises:
        ValueError: `first_id` is already taken.
    """
    new = copy.deepcopy(content)
    vocab: dict[str, int] = new["model"]["vocab"]
    # An added token that is not in the model's vocabulary too would be renumbered when the vocabulary grows.
    for added in new.get("added_tokens", ()):
        vocab.setdefault(added["content"], added["id"])
    if first_id <= max(vocab.values()):
        raise ValueError(f"id {first_id} is taken: the old vocabulary ends at {max(vocab.values())}")
    pieces: dict[str, tuple[int, ...]] = {entry: (index,) for entry, index in vocab.items()}
    tokens: list[str] = []
    for merge in merges:
        if merge.token not in vocab:
            vocab[merge.token] = first_id + len(tokens)
            pieces[merge.token] = pieces[merge.left] + pieces[merge.right]
            tokens.append(merge.token)
    old_merges = read_merges(content)
    new["model"]["merges"] = [[left, right] for left, right in [*old_merges, *((m.left, m.right) for m in merges)]]
    return Extension(new, first_id, tuple(tokens), tuple(pieces[token] for token in tokens), tuple(merges))


def _train(spelled: dict[str, int], alphabet_size: int, new_tokens: int, min_occurrences: int) -> list[tuple[str, str]]:
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # Room for merges that turn out to reach an old entry or to lie out of scope.
    trainer = trainers.BpeTrainer(
        vocab_size=alphabet_size + new_tokens + new_tokens // 4 + 256,
        min_frequency=min_occurrences,
        show_progress=False,
        special_tokens=[],
    )
    learner.train_from_iterator(_repeated(spelled), trainer)
    # The learner's own state is read through its JSON: it has no accessor for merges.

    return [(left, right) for left, right in json.loads(learner.to_str())["model"]["merges"]]


def _repeated(spelled: dict[str, int]) -> Iterator[str]:
    for word, count in spelled.items():
        for start in range(0, count, _REPEAT):
            yield " ".join([word] * min(_REPEAT, count - start))


def _in_scope(merges: list[tuple[str, str]], names: dict[str, str], script: str) -> Iterator[Merge]:
    reachable = set(names)
    for left, right in merges:
        if left not in reachable or right not in reachable:
            continue
        merge = Merge("".join(names[char] for char in left), "".join(names[char] for char in right))
        if occurs_in_script_alone(piece_to_bytes(merge.token), script):
            reachable.add(left + right)
            yield merge


def _first_new(merges: Iterator[Merge], old: set[str], new_tokens: int) -> list[Merge]:
    kept: list[Merge] = []
    known = set(old)
    for merge in merges:
        if merge.token not in known and len(known) - len(old) == new_tokens:
            break
        known.add(merge.token)
        kept.append(merge)
    return kept
