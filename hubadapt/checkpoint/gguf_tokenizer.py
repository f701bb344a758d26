"""The tokenizer of a GGUF file, as far as it can be told how it splits text."""

from __future__ import annotations

import json
from pathlib import Path

from hubadapt.errors import ModelError
from hubadapt.manifest import write_atomic

# Names of llama.cpp for rules that transformers does not tell apart: those of GPT-2, and those with single digits.
_GPT2 = ("gpt-2", "phi-2", "mpt", "olmo", "jais")
_GPT2_AND_DIGITS = ("smollm", "starcoder", "refact", "command-r")


def write_gguf_tokenizer(file: Path, folder: Path) -> None:
    """Write the tokenizer of a GGUF file to a folder.

    A byte-level vocabulary only names the rule that cuts text before its merges apply. Transformers takes GPT-2's for
    each name that it does not know, which gives other ids.

    Raises:
        ModelError: The rule is not known, or the tokenizer is of a kind that transformers does not read.
    """
    from transformers import AutoTokenizer
    from transformers.integrations.gguf import get_gguf_tokenizer
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    try:
        _, described, _ = get_gguf_tokenizer(str(file))
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except (ValueError, KeyError) as error:
        raise ModelError(f"the tokenizer of {file} cannot be read: {error}.", _HINT) from error
    rule = described.get("pre_tokenizer_type")
    known = (*GGUF_PRE_TOKENIZER_SPLITS, *_GPT2, *_GPT2_AND_DIGITS)
    if described.get("tokenizer_type") == "gpt2" and rule not in known:
        what = (
            f"cuts text by a rule named {rule!r}, which is not known"
            if rule
            else "does not name the rule it cuts text by"
        )
        raise ModelError(f"the tokenizer of {file} {what}.", _HINT)
    tokenizer.save_pretrained(folder)
    if rule in _GPT2_AND_DIGITS:
        _split_digits(folder / "tokenizer.json")


_HINT = "Take the model's safetensors and tokenizer instead of its GGUF file."


def _split_digits(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, content["pre_tokenizer"]],
    }
    write_atomic(path, json.dumps(content, ensure_ascii=False) + "\n")
