"""Brings a GGUF file to safetensors."""

from __future__ import annotations

from pathlib import Path

import torch


def from_gguf(file: Path, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write the model and tokenizer of a GGUF file to a folder.

    Args:
        file: The GGUF file.
        folder: Folder to make.
        dtype: Of the tensors on disk, float32 or bfloat16.

    Raises:
        MissingExtraError: The reader for the format is not installed.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=dtype)
    for name in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(model.config, name):
            delattr(model.config, name)
    model.hf_quantizer, model.is_quantized = None, False
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
