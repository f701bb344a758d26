"""Gates on the tokenizer as others load it: transformers, its chat template, SentencePiece."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hubadapt.tokenizer.gates.probes import CODE, DIALOGUES, ENGLISH, MATHS, OTHER_SCRIPTS
from hubadapt.tokenizer.gates.trial import GONE, Case, Finding, Trial, compare, encode

_ROLES = ("bos_token", "eos_token", "pad_token")
_CONFIGURATIONS = ("tokenizer_config.json", "special_tokens_map.json")


def loading(trial: Trial) -> Finding | None:
    """`AutoTokenizer` gives the ids of `tokenizer.json`, and special tokens as from the base."""
    if trial.loaded is None:
        return None
    old, new, error = trial.loaded
    if new is None:
        return compare([(error, False, old is not None)])
    texts = _texts(trial)
    before = _agree(old, encode(trial.old, texts), texts) if old else [True] * len(texts)
    after = _agree(new, encode(trial.new, texts), texts)
    cases = list(zip(texts, after, before, strict=True))
    return compare([*cases, *(_special(trial, old, new) if old else ())])


def _agree(loaded: Any, ids: Sequence[list[int]], texts: Sequence[str]) -> list[bool]:
    return [loaded.encode(text, add_special_tokens=False) == own for text, own in zip(texts, ids, strict=True)]


def _special(trial: Trial, old: Any, new: Any) -> list[Case]:
    """Special tokens as loaded: around a text, by role, and those that only `tokenizer_config.json` names."""
    around = trial.move(old.encode("a")) == new.encode("a")
    cases = [("the special tokens around a text", around, True)]
    named = _configuration(trial)
    for role in _ROLES:
        before, after = (getattr(loaded, f"{role}_id") for loaded in (old, new))
        expected = before if before is None else trial.move([before])[0]
        # Some classes of transformers fill a role that no file names.
        cases.append((role, after == expected, after is not None or role in named))
    for index, token in old.added_tokens_decoder.items():
        now = new.added_tokens_decoder.get(trial.moved.get(index, index))
        cases.append((token.content, now is not None and now.content == token.content, True))
    return cases


def _configuration(trial: Trial) -> dict[str, Any]:
    """What the files of the base say about its tokenizer, empty values left out."""
    folder = trial.folders[0] if trial.folders else Path()
    files = [json.loads((folder / name).read_text("utf-8")) for name in _CONFIGURATIONS if (folder / name).is_file()]
    return {key: value for file in files for key, value in file.items() if value}


def chat(trial: Trial) -> Finding | None:
    """The chat template writes English dialogues in the ids of the base."""
    if trial.loaded is None:
        return None
    old, new, error = trial.loaded
    if trial.replaced or old is None or not old.chat_template:
        return None
    if new is None:
        return compare([(error, False, True)])
    cases: list[Case] = []
    for dialogue in DIALOGUES:
        for prompt in (False, True):
            before, after = (_render(loaded, dialogue, prompt) for loaded in (old, new))
            expected = None if before is None else trial.move(before)
            held = expected is not None and GONE not in expected
            cases.append((" / ".join(turn["role"] for turn in dialogue), after is not None and after == expected, held))
    return compare(cases)


def _render(tokenizer: Any, dialogue: Sequence[dict[str, str]], prompt: bool) -> list[int] | None:
    """Ids of a dialogue, or None where the template cannot write it; some refuse a system prompt."""
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template(dialogue, tokenize=False, add_generation_prompt=prompt)
    except (TemplateError, ValueError):
        return None
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def sentencepiece(trial: Trial) -> Finding | None:
    """Where a SentencePiece model lies beside it and the package is there: the same ids as SentencePiece."""
    if trial.folders is None or importlib.util.find_spec("sentencepiece") is None:
        return None
    base, folder = trial.folders
    if not any(folder.glob("*.model")):
        return None
    texts = _texts(trial)
    before, after = _pieces(base, texts), _pieces(folder, texts)
    if after is None:
        return compare([("the file cannot be read", False, before is not None)])
    held = [ids == own for ids, own in zip(before, encode(trial.old, texts), strict=True)] if before else None
    holds = [ids == own for ids, own in zip(after, encode(trial.new, texts), strict=True)]
    return compare(zip(texts, holds, held or [True] * len(texts), strict=True))


def _pieces(folder: Path, texts: Sequence[str]) -> list[list[int]] | None:
    """Ids by SentencePiece; None without a model, or where the file is none."""
    from sentencepiece import SentencePieceProcessor

    for path in sorted(folder.glob("*.model")):
        try:
            ids: list[list[int]] = SentencePieceProcessor(model_file=str(path)).encode(list(texts))
        except (RuntimeError, OSError):
            return None
        return ids
    return None


def _texts(trial: Trial) -> list[str]:
    return [*ENGLISH, *CODE, *MATHS, *OTHER_SCRIPTS, *trial.target]
