"""Asks several models the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hubadapt.generation.greedy import Answer, generate, prompt_ids
from hubadapt.hub.fetch import local_folder, resolve
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


def ask(models: tuple[str, ...], prompt: str, *, start: Path, max_new_tokens: int) -> list[Column]:
    """Answers of every model to one prompt, by greedy generation.

    Args:
        models: Folders or Hub ids; a run folder stands for its sources and all models it made.
        prompt: Plain text to continue.
        start: Where relative folders begin.
        max_new_tokens: Length at the most.

    Raises:
        UserError: A model cannot be found or loaded.
    """
    columns = []
    for name, folder in [found for model in models for found in _folders(model, start)]:
        model, tokenizer = load_model(folder), load_tokenizer(folder)
        pieces = tuple(tokenizer.decode([token]) for token in tokenizer.encode(prompt, add_special_tokens=False))
        answer = generate(model, tokenizer, prompt_ids(tokenizer, prompt, chat=False), max_new_tokens=max_new_tokens)
        columns.append(Column(name, pieces, answer))
    return columns


def _folders(text: str, start: Path) -> list[tuple[str, Path]]:
    run = start / text
    if not (run / MANIFEST_NAME).is_file():
        return [(text, local_folder(resolve(text, start).ref, start))]
    manifest = read_manifest(run)
    sources = [(name, local_folder(ref, run.parent)) for name, ref in manifest.sources().items()]
    return [
        *sources,
        *((artifact.name, run / artifact.folder) for artifact in manifest.artifacts() if artifact.kind == "model"),
    ]
