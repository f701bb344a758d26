"""Loads models and tokenizers from folders, and stops where what was loaded is not what the files say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hubadapt.checkpoint import find_tables, load_config, read_tensor, shard_map
from hubadapt.errors import ModelError
from hubadapt.loading import attempt, auto_tokenizer, open_tokenizer
from hubadapt.portable import TOKENIZER_FILES, make_portable

_PROBES = ("Hello, world! 2026 = 1 + 2025\n\tdef f(x):", "Съешь же ещё этих мягких французских булок. नमस्ते 你好 🙂")


def load_model(folder: Path) -> Any:
    """The causal language model of a folder in float32, in evaluation mode.

    Raises:
        ModelError: The folder holds no usable causal language model.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    load_config(folder)
    shard_map(folder)
    logging.disable_progress_bar()
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder, as downstream users get it.

    Raises:
        ModelError: It cannot be loaded, or its class gives other ids than `tokenizer.json` itself.
    """
    tokenizer, problem = auto_tokenizer(folder), f"the tokenizer of {folder} cannot be loaded"
    backend = open_tokenizer(folder / "tokenizer.json", f"of {folder}")
    # Some that were loaded fail only here: a class with another model's code, a Unigram without an unknown token.
    own = attempt(lambda: [tokenizer.encode(probe, add_special_tokens=False) for probe in _PROBES], problem)
    ids = attempt(lambda: [one.ids for one in backend.encode_batch([*_PROBES], add_special_tokens=False)], problem)
    if own != ids:
        raise ModelError(
            f"{type(tokenizer).__name__} gives other ids than {folder}/tokenizer.json.",
            'Set "tokenizer_class": "PreTrainedTokenizerFast" in its tokenizer_config.json.',
        )
    return tokenizer


def save_trained(model: Any, source: Path, folder: Path) -> None:
    """Write a model whose weights were trained in float32, in the type of those it was loaded from, with its tokenizer.

    Args:
        model: As `load_model` gave it.
        source: Where it was loaded from.
        folder: Where to write it; replaced if it exists.
    """
    table = read_tensor(source, find_tables(load_config(source)).embedding)
    shutil.rmtree(folder, ignore_errors=True)
    model.to(table.dtype).save_pretrained(folder)
    # Trainers align the ids of special tokens in these with what they were given to pad with.
    for name in ("config.json", "generation_config.json"):
        (folder / name).unlink(missing_ok=True)
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    copy_tokenizer(source, folder)
    make_portable(folder)


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy a folder's tokenizer files, and nothing else, to another folder."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
