"""Extended pico tokenizers to damage: a base, its extension by Russian words, and both as folders."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pico

from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.extend import extend, segmenter
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.gates import GATES, Gate, Trial, try_gates
from hubadapt.tokenizer.gates.trial import load
from hubadapt.tokenizer.learn import Lesson, Merge, learn_merges
from hubadapt.tokenizer.rules import Rules

Content = dict[str, Any]
Damage = Callable[[Content], None]
CYRILLIC = ("Cyrillic",)
STYLES = (*pico.BYTE_LEVEL_STYLES, "byte-fallback")
TEXTS = ["Река течёт , дом стоит .", *pico.russian(40)]


def content_of(style: str = "gpt2", damage: Damage | None = None) -> Content:
    """The `tokenizer.json` of a base."""
    content: Content = json.loads(pico.tokenizer_of(style).to_str())
    if damage is not None:
        damage(content)
    return content


def extension_of(content: Content):
    """The base with some Russian words."""
    if content["model"].get("byte_fallback"):
        letters = {letter: [f"<0x{byte:02X}>" for byte in letter.encode()] for letter in "дмоерк"}
        merges = [Merge("д", "о"), Merge("до", "м"), Merge("▁", "дом"), Merge("▁", "р"), Merge("▁р", "е")]
        return extend(content, merges, first_id=max(all_entries(content).values()) + 1, characters=letters)
    dialect, rules = dialect_of(content, CYRILLIC), Rules(CYRILLIC)
    words = count_words(pico.russian(), dialect, CYRILLIC)
    lesson = Lesson(40, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    merges = learn_merges(words, all_entries(content), segmenter(content), lesson)
    return extend(content, merges, first_id=max(all_entries(content).values()) + 1)


def trial_of(
    style: str = "gpt2",
    *,
    base: Damage | None = None,
    new: Damage | None = None,
    both: Damage | None = None,
    **rest: Any,
) -> Trial:
    """A trial of an extension.

    Args:
        style: Of the base.
        base: Done to the base before it is extended.
        new: Done to the extension.
        both: Done to the extension and, after extending, to the base.
        **rest: Other fields of the trial.
    """
    old = content_of(style, base)
    vocabulary = extension_of(old)
    changed = copy.deepcopy(vocabulary.content)
    for damage in (new, both):
        if damage is not None:
            damage(changed)
    if both is not None:
        both(old)
    given = {"scripts": CYRILLIC, "target": TEXTS, "english": pico.english(20)} | rest
    tokens = given.pop("tokens", ())
    return Trial(old, changed, vocabulary.copied, (*vocabulary.tokens, *tokens), **given)


def ask(name: str, trial: Trial) -> Gate:
    """What one gate says."""
    (gate,) = try_gates(trial, gates={name: GATES[name]})
    assert gate.name == name
    return gate


def add_entry(content: Content, *parts: str, merged: bool = True) -> str:
    """Append an entry made of parts, with the merges that make it unless told otherwise; the entry."""
    entry = parts[0]
    for part in parts[1:]:
        entry += part
        if entry not in content["model"]["vocab"]:
            content["model"]["vocab"][entry] = max(all_entries(content).values()) + 1
        if merged:
            content["model"]["merges"].append([entry.removesuffix(part), part])
    return entry


def pin(content: Content) -> None:
    """Give special tokens their place in the model's vocabulary, behind what was appended."""
    for added in content["added_tokens"]:
        added["id"] = max(content["model"]["vocab"].values()) + 1
        content["model"]["vocab"][added["content"]] = added["id"]


def first_pieces(content: Content, text: str) -> Sequence[str]:
    """How a tokenizer begins a text."""
    return load(content).encode(text, add_special_tokens=False).tokens[:2]


def write_pair(folder: Path, style: str = "gpt2"):
    """A base and its extension as folders; what was changed."""
    from hubadapt.model import copy_tokenizer
    from hubadapt.portable import make_portable

    base = pico.write_tokenizer(folder / "base", style)
    vocabulary = extension_of(json.loads((base / "tokenizer.json").read_text("utf-8")))
    new = folder / "new"
    copy_tokenizer(base, new)
    (new / "tokenizer.json").write_text(json.dumps(vocabulary.content, ensure_ascii=False), "utf-8")
    make_portable(new)
    return base, new, vocabulary
