"""Fix-ups that let transformers 4.57 read a folder that transformers 5 wrote, with equal ids and logits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubadapt.manifest import write_atomic
from hubadapt.token_ids import renumbered_added_tokens

TOKENIZER_CONFIG = "tokenizer_config.json"
SENTENCEPIECE_MODEL = "tokenizer.model"
SENTENCEPIECE_MODELS = (SENTENCEPIECE_MODEL, "spiece.model")
"""Names of SentencePiece models whose ids are those of the `tokenizer.json` beside them; T5 has the second.

XLM-RoBERTa's `sentencepiece.bpe.model` is none: its ids are one less.
"""
TOKENIZER_FILES = (
    "tokenizer.json", TOKENIZER_CONFIG, "special_tokens_map.json", "chat_template.jinja", *SENTENCEPIECE_MODELS,
)  # fmt: skip
"""What makes a tokenizer, and may come along with a changed vocabulary."""

_VOCABULARIES = (
    "vocab.json", "merges.txt", "vocab.txt", "added_tokens.json", "tekken.json", "*.tiktoken", "*.model", "*.model.v*",
)  # fmt: skip
_PRIVATE_KEYS = ("is_local", "local_files_only", "backend", "name_or_path")
_SPECIAL_KEYS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
    "additional_special_tokens",
)


def portable_tokenizer_config(config: dict[str, Any]) -> dict[str, Any]:
    """A `tokenizer_config.json` that both major versions read as the tokenizer that `tokenizer.json` describes.

    Named classes rebuild parts of the tokenizer from code in transformers 5, and `TokenizersBackend` is unknown to 4.
    """
    portable = {key: value for key, value in config.items() if key not in _PRIVATE_KEYS}
    extra = portable.pop("extra_special_tokens", None)
    if isinstance(extra, list):
        portable["additional_special_tokens"] = extra
    elif extra is not None:
        portable["extra_special_tokens"] = extra
    return {**portable, "tokenizer_class": "PreTrainedTokenizerFast"}


def portable_model_config(config: dict[str, Any]) -> dict[str, Any]:
    """A `config.json` with the keys that transformers 4 reads beside those that 5 writes."""
    portable = dict(config)
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:
        portable["rope_theta"] = rope["rope_theta"]
        if rope.get("rope_type", "default") != "default":
            portable["rope_scaling"] = {key: value for key, value in rope.items() if key != "rope_theta"}
    if "dtype" in config:
        portable["torch_dtype"] = config["dtype"]
    # Transformers writes where the model was loaded from, which may be a path on this machine.
    portable.pop("_name_or_path", None)
    portable.pop("_model_name_or_path", None)
    return portable


def make_portable(folder: Path) -> None:
    """Rewrite the configuration files of a model or tokenizer folder in place, each atomically."""
    if (folder / "config.json").is_file():
        _rewrite(folder / "config.json", portable_model_config(_read(folder / "config.json")))
    if (folder / "tokenizer_config.json").is_file():
        config = portable_tokenizer_config(_read(folder / "tokenizer_config.json"))
        _rewrite(folder / "tokenizer_config.json", config)
        _rewrite(folder / "special_tokens_map.json", {key: config[key] for key in _SPECIAL_KEYS if key in config})


def other_vocabularies(folder: Path) -> list[str]:
    """Names of a folder's files that hold its vocabulary in other formats, in order, without `SENTENCEPIECE_MODELS`."""
    found = {path.name for pattern in _VOCABULARIES for path in folder.glob(pattern)}
    return sorted(found - {*SENTENCEPIECE_MODELS})


def move_added_tokens(folder: Path, moved_ids: Mapping[int, int]) -> None:
    """Rewrite the ids of added tokens in a folder's `tokenizer_config.json`, where ids moved."""
    if (folder / TOKENIZER_CONFIG).is_file():
        _rewrite(folder / TOKENIZER_CONFIG, renumbered_added_tokens(_read(folder / TOKENIZER_CONFIG), moved_ids))


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _rewrite(path: Path, content: dict[str, Any]) -> None:
    write_atomic(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
