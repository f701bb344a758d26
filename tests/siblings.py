"""Adapted bases and unusual siblings, as transformers and peft write them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pico
import torch
from transformers import AutoTokenizer

from hubadapt.surgery.embed import Start, embed


def rewrite(model: Any, folder: Path) -> Path:
    """Put a model's weights in place of those in a folder."""
    for weights in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
        if weights.name != "vocab_map.safetensors":
            weights.unlink()
    model.save_pretrained(folder)
    return folder


def write_adapted(base: Path, tokenizer: Path, folder: Path, *, all_rows: bool = False, seed: int = 3) -> Path:
    """A base with a tokenizer's new rows, which are then shaken; with `all_rows`, the old ones too."""
    embed(base, tokenizer, folder, Start())
    old, model = len(pico.load(base).get_input_embeddings().weight), pico.load(folder)
    torch.manual_seed(seed)
    for table in {
        id(it.weight): it.weight for it in (model.get_input_embeddings(), model.get_output_embeddings())
    }.values():
        first = 0 if all_rows else old
        table.data[first:] += 0.05 * torch.randn(table[first:].shape).to(table.dtype)
    shutil.copyfile(tokenizer / "vocab_map.safetensors", folder / "vocab_map.safetensors")
    return rewrite(model, folder)


def with_own_tokens(sibling: Path, folder: Path, tokens: tuple[str, ...], *, multiple: int | None = None) -> Path:
    """A sibling that was given tokens of its own and, with `multiple`, padded, as chat tunes often are."""
    shutil.copytree(sibling, folder)
    tokenizer, model = AutoTokenizer.from_pretrained(sibling), pico.load(sibling)
    tokenizer.add_tokens(list(tokens), special_tokens=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(11)
    model.resize_token_embeddings(max(len(tokenizer), len(model.get_input_embeddings().weight)), multiple)
    return rewrite(model, folder)


def write_adapter(
    base: Path, folder: Path, *, save: tuple[str, ...] = ("embed_tokens", "lm_head"), **config: Any
) -> Any:
    """A LoRA adapter of a base, its tables and low-rank parts shaken, and the peft model that it was saved from."""
    from peft import LoraConfig, get_peft_model

    settings = {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"], "task_type": "CAUSAL_LM"} | config
    model = get_peft_model(pico.load(base), LoraConfig(**settings, modules_to_save=list(save)))
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_((0.05 * torch.randn(parameter.shape)).to(parameter.dtype))
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(base / name, folder / name)
    return model
