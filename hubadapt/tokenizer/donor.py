"""The words of a donor vocabulary, to be learnt as chains of merges on top of another one.

Source: ruadapt's "ext_u48": a Unigram or BPE vocabulary of the language is expressed as merges of the base's BPE, the
most frequent pair first, until each piece is one token. The tokens in between come along.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from hubadapt.errors import ModelError
from hubadapt.tokenizer.dialects import Dialect, dialect_of
from hubadapt.tokenizer.families import Family, family_of
from hubadapt.tokenizer.rules import Rules

_WEIGHT = 1e6


def donor_words(donor: dict[str, Any], dialect: Dialect, rules: Rules, *, name: str) -> Counter[str]:
    """Pieces of a donor vocabulary as words of the base, weighted by how frequent the donor says they are.

    Pieces that the rules forbid, or that the base would cut in two before any merge, are left out.

    Args:
        donor: Parsed `tokenizer.json` of the donor.
        dialect: Of the base.
        rules: What a new token must be like.
        name: What the user calls the donor.

    Returns:
        Word as the base's vocabulary writes it → weight, at least 1: 10⁶ × probability for a Unigram, 10⁶ / (rank + 1)
        for a BPE.

    Raises:
        ModelError: The donor's family is not known, or none of its pieces can be taken.
    """
    to_text = dialect_of(donor).to_text
    words: Counter[str] = Counter()
    for piece, weight in _weighted(donor, name):
        text = to_text(piece)
        if text and rules.allow(text.encode()):
            cut = dialect.cut(text)
            if len(cut) == 1:
                words[cut[0]] += max(1, int(weight))
    if not words:
        raise ModelError(
            f"the donor {name} holds no piece in {' or '.join(rules.scripts)} letters that could be added.",
            "Choose a donor trained on the target language.",
        )
    return words


def _weighted(donor: dict[str, Any], name: str) -> list[tuple[str, float]]:
    family, vocab = family_of(donor), donor["model"].get("vocab")
    if family is Family.UNIGRAM:
        return [(piece, _WEIGHT * math.exp(score)) for piece, score in vocab]
    if family is Family.OTHER:
        kind = donor["model"].get("type", "unnamed")
        raise ModelError(
            f"the donor {name} is a {kind} tokenizer, whose pieces cannot be taken over.",
            "Choose a donor with a Unigram or BPE vocabulary.",
        )
    return [(piece, _WEIGHT / (rank + 1)) for rank, piece in enumerate(sorted(vocab, key=vocab.__getitem__))]
