"""Proof that an extended tokenizer changed nothing but the target script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from hubadapt.errors import ModelError
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.vocabulary import NewVocabulary


@dataclass(frozen=True)
class Gate:
    """One property, how many cases were tried and which failed first (empty when none did)."""

    name: str
    tried: int
    failure: str = ""


def _first_failure(name: str, cases: Sequence[tuple[str, bool]]) -> Gate:
    return Gate(name, len(cases), next((case for case, holds in cases if not holds), ""))


def check_gates(
    old: Tokenizer, new: Tokenizer, vocabulary: NewVocabulary, *, target: Sequence[str], others: Sequence[str]
) -> list[Gate]:
    """Try every gate on a changed vocabulary.

    Args:
        old: The tokenizer before.
        new: The tokenizer after, loaded from its file.
        vocabulary: What was changed.
        target: Texts of the target language.
        others: Texts that must not change: English, code, other scripts.

    Returns:
        All gates, passed.

    Raises:
        ModelError: A gate failed; the message names it and the first case.
    """
    old_vocab, new_vocab = old.get_vocab(), new.get_vocab()
    to_text = dialect_of(vocabulary.content).to_text
    whole = [(token, text) for token in vocabulary.tokens if (text := to_text(token))]
    gates = [
        _first_failure(
            "old ids unchanged", [(entry, new_vocab.get(entry) == index) for entry, index in old_vocab.items()]
        ),
        _first_failure("other text keeps its ids", [(text, _ids(old, text) == _ids(new, text)) for text in others]),
        _first_failure(
            "text survives a round trip",
            [(text, _survives(new, text) or not _survives(old, text)) for text in [*target, *others]],
        ),
        _first_failure(
            "new tokens encode to themselves",
            [(text, new.model.tokenize(token)[0].id == new_vocab[token]) for token, text in whole],
        ),
    ]
    for gate in gates:
        if gate.failure:
            raise ModelError(
                f"the extended tokenizer fails the gate {gate.name!r} at {gate.failure[:80]!r}.",
                "Please report it with the base's name; a smaller `new_tokens` may avoid it.",
            )
    return gates


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def _survives(tokenizer: Tokenizer, text: str) -> bool:
    return bool(tokenizer.decode(_ids(tokenizer, text), skip_special_tokens=False) == text)
