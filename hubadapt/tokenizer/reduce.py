"""Takes entries out of a BPE's vocabulary, with all that is built on them: unwanted scripts, or all but the first.

Source: dropping by script is the effect that ruadapt has by starting from cl100k, without the entries that Qwen added
to it; keeping the first N ids is its "shrink" rule.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence, Set
from typing import Any

from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import all_entries, read_merges
from hubadapt.tokenizer.renumber import renumbered
from hubadapt.tokenizer.scripts import occurs_in_scripts_alone
from hubadapt.tokenizer.vocabulary import NewVocabulary

Keep = Callable[[str, int], bool]


def keep_first(number: int) -> Keep:
    """Keeps the entries with ids below `number`, and characters of their own, which SentencePiece puts last."""
    return lambda entry, index: index < number or len(entry) == 1


def keep_without(content: dict[str, Any], scripts: tuple[str, ...]) -> Keep:
    """Keeps the entries that can occur in text without these scripts.

    Args:
        content: The tokenizer, for how it writes bytes.
        scripts: Unicode script names, such as Han.
    """
    to_bytes = dialect_of(content).to_bytes
    return lambda entry, index: not occurs_in_scripts_alone(to_bytes(entry), scripts)


def reduce(content: dict[str, Any], keep: Keep, *, old_rows: int) -> NewVocabulary:
    """Take entries out.

    Added tokens and single bytes always stay. A merge stays if both its sides and its result do; an entry that only
    dropped merges made goes as well. The remaining ids move together, in their old order.

    Args:
        content: The old `tokenizer.json`.
        keep: Whether an entry of the model's vocabulary stays.
        old_rows: V_old.

    Returns:
        The smaller vocabulary; it has no new tokens.
    """
    vocab: dict[str, int] = content["model"]["vocab"]
    service = {added["content"] for added in content.get("added_tokens", ())}
    merges = read_merges(content)
    made = {left + right for left, right in merges}
    to_bytes = dialect_of(content).to_bytes
    alive = {
        entry
        for entry, index in vocab.items()
        if entry in service or (entry not in made and len(to_bytes(entry)) == 1) or keep(entry, index)
    }
    reached = _reached(merges, alive - made, alive)
    kept_merges = [[left, right] for left, right in merges if {left, right, left + right} <= reached]
    entries = all_entries(content)
    copied = sorted(index for entry, index in entries.items() if entry in reached or entry in service)
    smaller = copy.deepcopy({key: value for key, value in content.items() if key != "model"})
    smaller["model"] = {
        **content["model"],
        "vocab": {entry: index for entry, index in entries.items() if entry in reached or entry in service},
        "merges": kept_merges,
    }
    return NewVocabulary(renumbered(smaller, copied), copied, (), (), old_rows)


def _reached(merges: Sequence[tuple[str, str]], roots: Set[str], alive: Set[str]) -> set[str]:
    """Entries that merges make of the roots; SentencePiece lists a merge before the one that makes its part."""
    reached, found = set(roots), set(roots)
    while found:
        found = {left + right for left, right in merges if left in reached and right in reached} & alive - reached
        reached |= found
    return reached
