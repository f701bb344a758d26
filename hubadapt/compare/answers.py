"""Asks several models the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hubadapt.generation.greedy import Answer, generate, prompt_ids
from hubadapt.hub.fetch import local_folder, resolve, source_folder
from hubadapt.manifest import MANIFEST_NAME, read_manifest
from hubadapt.model import load_model, load_tokenizer


@dataclass(frozen=True)
class Column:
    """One model's side of a comparison.

    Attributes:
        name: What the model is called.
        prompt: The prompt's tokens, as text.
        answer: What it wrote.
    """

    name: str
    prompt: tuple[str, ...]
    answer: Answer


def find_models(texts: tuple[str, ...], start: Path) -> dict[str, Path]:
    """Folder of every model meant, by name, downloaded where needed.

    Args:
        texts: Folders or Hub ids; a run folder stands for its sources and all models it made.
        start: Where relative folders begin.

    Raises:
        UserError: A model cannot be found.
    """
    return {name: folder for text in texts for name, folder in _folders(text, start)}


def answer(name: str, folder: Path, prompt: str, *, max_new_tokens: int) -> Column:
    """One model's answer to a prompt, by greedy generation.

    Args:
        name: What to call the model.
        folder: Where it is.
        prompt: Plain text to continue.
        max_new_tokens: Length at the most.

    Raises:
        ModelError: The folder holds no usable model.
    """
    model, tokenizer = _load(folder)
    pieces = tuple(tokenizer.decode([token]) for token in tokenizer.encode(prompt, add_special_tokens=False))
    ids = prompt_ids(tokenizer, prompt, chat=False)
    return Column(name, pieces, generate(model, tokenizer, ids, max_new_tokens=max_new_tokens))


@lru_cache(maxsize=2)
def _load(folder: Path) -> tuple[Any, Any]:
    return load_model(folder), load_tokenizer(folder)


def _folders(text: str, start: Path) -> list[tuple[str, Path]]:
    run = start / text
    if not (run / MANIFEST_NAME).is_file():
        return [(text, local_folder(resolve(text, start).ref, start))]
    manifest = read_manifest(run)
    made = [(made.name, run / made.folder) for made in manifest.artifacts() if made.kind == "model"]
    return [*((name, source_folder(ref, run)) for name, ref in manifest.sources().items()), *made]
