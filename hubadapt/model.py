"""Loads models and tokenizers from folders, and stops where what was loaded is not what the files say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hubadapt.checkpoint import load_config, shard_map
from hubadapt.errors import ModelError
from hubadapt.loading import attempt, auto_tokenizer, open_tokenizer
from hubadapt.portable import TOKENIZER_FILES

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


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy a folder's tokenizer files, and nothing else, to another folder."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
