"""Gates on the vocabulary itself: its entries, ids and merges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tokenizers import Tokenizer

from hubadapt.manifest import fingerprint
from hubadapt.tokenizer.dialects import Dialect, dialect_of
from hubadapt.tokenizer.families import Family, all_entries, read_merges
from hubadapt.tokenizer.gates.trial import Case, Finding, Trial, compare, encode, load

_BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")
_FLAGS = ("content", "special", "single_word", "lstrip", "rstrip", "normalized")


def tokens(trial: Trial) -> Finding:
    """Every token of whole characters encodes to itself alone, new ones without exception."""
    to_text = dialect_of(trial.new_content).to_text
    whole = [entry for entry in _ordinary(trial) if to_text(entry)]
    return compare(_alone(trial, whole, trial.old, trial.new))


def old_ids(trial: Trial) -> Finding:
    """Every old token keeps its id, new ids follow without a gap, and no id has two tokens."""
    ids, names, old = trial.new.get_vocab(), trial.new.id_to_token, trial.old.get_vocab()
    first, times = len(trial.copied), Counter(old.values())
    expected = {entry: trial.moved.get(index) for entry, index in old.items()}
    expected |= {token: first + place for place, token in enumerate(trial.tokens)}
    # An id that two tokens of the base share gives back either of them.
    return compare(
        (entry, ids.get(entry) == index and names(index) == entry, times[old.get(entry, -1)] < 2)
        for entry, index in expected.items()
        if index is not None
    )


def special_tokens(trial: Trial) -> Finding:
    """Added tokens keep id, content and flags, are found in text as before, and none comes or goes."""
    old, new = trial.old.get_added_tokens_decoder(), trial.new.get_added_tokens_decoder()
    kept = {trial.move([index])[0]: token for index, token in old.items()}
    cases = [(token.content, _flags(token) == _flags(new.get(index)), True) for index, token in kept.items()]
    cases += [(token.content, index in kept, True) for index, token in new.items()]
    texts = [f".{token.content}." for token in kept.values()]
    before, after = (encode(tokenizer, texts) for tokenizer in (trial.old, trial.new))
    for (index, token), then, now in zip(kept.items(), map(trial.move, before), after, strict=True):
        cases.append((token.content, index in now, index in then))
    around = trial.move(trial.old.encode("a").ids) == trial.new.encode("a").ids
    return compare([*cases, ("the special tokens around a text", around, True)])


def _flags(token: Any) -> tuple[Any, ...] | None:
    return token and tuple(getattr(token, flag) for flag in _FLAGS)


def merges(trial: Trial) -> Finding | None:
    """Old merges stay first and in order, and merges alone make every new token.

    That the parts of each merge are entries is known already: `tokenizers` loads nothing else.
    """
    if trial.new_content["model"]["type"] != "BPE":
        return None
    by_merges = (_merging(trial.old_content), _merging(trial.new_content))
    stays = [] if trial.replaced else _stays(trial)
    return compare([*stays, *_alone(trial, _ordinary(trial), *by_merges), *_cut_apart(trial)])


def scores(trial: Trial) -> Finding | None:
    """Old pieces of a Unigram keep their scores, and every new one is written as itself alone."""
    if trial.new_content["model"]["type"] != "Unigram":
        return None
    before, after = (dict(map(tuple, one["model"]["vocab"])) for one in (trial.old_content, trial.new_content))
    kept = [] if trial.replaced else [(piece, after.get(piece) == score, True) for piece, score in before.items()]
    return compare([*kept, *((token, _is_alone(trial.new, token), True) for token in trial.tokens)])


def _stays(trial: Trial) -> list[Case]:
    """Each old merge whose parts are still there is there too, in the old order and before those of old parts alone.

    A merge of a new token may stand between two old ones: it applies to nothing that lacks the token.
    """
    old, new = read_merges(trial.old_content), read_merges(trial.new_content)
    made = set(trial.tokens)
    entries = all_entries(trial.new_content).keys() - made
    place = {pair: number for number, pair in enumerate(new)}
    expected = [pair for pair in dict.fromkeys(old) if {*pair, "".join(pair)} <= entries]
    cases = [(" ".join(pair), pair in place, True) for pair in expected]
    there = [pair for pair in expected if pair in place]
    cases += [(" ".join(after), place[before] < place[after], True) for before, after in pairwise(there)]
    last, known = max((place[pair] for pair in there), default=0), set(old)
    early = [pair for pair in new[:last] if pair not in known and not made & {*pair}]
    return [*cases, *((" ".join(pair), False, True) for pair in early)]


def repeatable(trial: Trial) -> Finding | None:
    """The same input gives the same vocabulary again."""
    if trial.again is None:
        return None
    same = fingerprint(trial.new_content) == fingerprint(trial.again())
    return compare([("another vocabulary from the same words", same, True)])


def _ordinary(trial: Trial) -> list[str]:
    """Entries of the changed model that text can be cut into: no added tokens, no pieces that stand for one byte."""
    vocab = trial.new_content["model"]["vocab"]
    service = {added["content"] for added in trial.new_content.get("added_tokens", ())}
    entries = [entry if isinstance(entry, str) else entry[0] for entry in vocab]
    return [entry for entry in entries if entry not in service and not _BYTE_PIECE.fullmatch(entry)]


def _alone(trial: Trial, entries: Sequence[str], old: Tokenizer, new: Tokenizer) -> list[Case]:
    """Whether a model writes each entry as one token.

    An old entry that the base cut as well is a fault of the base. A Unigram cuts what is likelier in parts, by design.
    """
    made = set(trial.tokens) if trial.new_content["model"]["type"] == "BPE" else ()
    return [
        (entry, (holds := _is_alone(new, entry)), holds or entry in made or _is_alone(old, entry)) for entry in entries
    ]


def _is_alone(tokenizer: Tokenizer, entry: str) -> bool:
    return [token.value for token in tokenizer.model.tokenize(entry)] == [entry]


def _merging(content: dict[str, Any]) -> Tokenizer:
    """The tokenizer without its shortcut for words that are entries."""
    return load({**content, "model": {**content["model"], "ignore_merges": False}})


def _cut_apart(trial: Trial) -> list[Case]:
    """New tokens whose text the pre-tokenizer cuts, so that no text of theirs alone reaches them."""
    dialect = dialect_of(trial.new_content)
    if dialect.family is not Family.BYTE_LEVEL_BPE:
        return []
    cut = [token for token in trial.tokens if _is_cut(dialect, token)]
    in_base = bool(cut) and any(_is_cut(dialect, entry) for entry in trial.old_content["model"]["vocab"])
    return [(token, False, not in_base) for token in cut]


def _is_cut(dialect: Dialect, entry: str) -> bool:
    text = dialect.to_text(entry)
    return bool(text) and dialect.cut(text or "") != [entry]
