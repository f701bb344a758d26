"""Which family a tokenizer is of, read from `tokenizer.json` itself and not from a class name."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from hubadapt.errors import ModelError


class Family(StrEnum):
    """How a tokenizer segments text."""

    BYTE_LEVEL_BPE = "byte-level BPE"
    BYTE_FALLBACK_BPE = "SentencePiece BPE with byte fallback"
    UNIGRAM = "Unigram"
    OTHER = "of another family"


def read_tokenizer_json(folder: Path) -> dict[str, Any]:
    """The content of a folder's `tokenizer.json`.

    Raises:
        ModelError: It is missing or not JSON.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        # Transformers makes a tokenizer of three entries of a .model, without a word.
        other = [*folder.glob("*.model*"), *folder.glob("tekken.json")]
        code = f"from hubadapt.tokenizer.sources import write_source; write_source({str(folder)!r})"
        write = f'python -c "{code}"' if other else "AutoTokenizer.from_pretrained(...).save_pretrained(...)"
        raise ModelError(f"{folder} holds no tokenizer.json.", f"Write one: {write}")
    return read_tokenizer_file(path)


def read_tokenizer_file(path: Path) -> dict[str, Any]:
    """The content of a file in the format of `tokenizer.json`.

    Raises:
        ModelError: It is not JSON, or describes no tokenizer.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}.", "Download or copy the tokenizer again.") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise ModelError(f"{path} describes no tokenizer.", "Download or copy the tokenizer again.")
    return content


def family_of(content: dict[str, Any]) -> Family:
    """Family of a tokenizer, from the parsed `tokenizer.json`."""
    model = content["model"]
    if model.get("type") == "Unigram":
        return Family.UNIGRAM
    if model.get("type") != "BPE":
        return Family.OTHER
    if model.get("byte_fallback"):
        return Family.BYTE_FALLBACK_BPE
    return Family.BYTE_LEVEL_BPE if has_step(content.get("pre_tokenizer"), "ByteLevel") else Family.OTHER


def require_family(content: dict[str, Any], name: str) -> Family:
    """The family of a tokenizer that hubadapt can change.

    Args:
        content: The parsed `tokenizer.json`.
        name: What the user calls the tokenizer.

    Raises:
        ModelError: It is of a family that hubadapt cannot change, or gives a token or an id twice.
    """
    family = family_of(content)
    if family is Family.OTHER:
        kind = content["model"].get("type", "unnamed")
        raise ModelError(
            f"the tokenizer of {name} is {family}, {kind} without byte-level or byte-fallback pieces; "
            "its vocabulary cannot be changed.",
            "Choose a base with a byte-level BPE (SmolLM2, Llama-3, Qwen, GPT-NeoX), a SentencePiece BPE with byte "
            "fallback (Llama-2, Mistral, Gemma) or a Unigram (XGLM).",
        )
    _check_added_tokens(content, name)
    return family


def _check_added_tokens(content: dict[str, Any], name: str) -> None:
    """Stop where vocabulary and added tokens disagree: which of the two ids is used then depends on the reader."""
    entries = model_entries(content)
    names = {index: entry for entry, index in entries.items()}
    for added in content.get("added_tokens", ()):
        token, index = added["content"], added["id"]
        if entries.get(token, index) != index or names.get(index, token) != token:
            other = f"{token!r} the id {entries[token]}" if token in entries else f"the id {index} to {names[index]!r}"
            raise ModelError(
                f"the tokenizer of {name} adds the token {token!r} with id {index}, but its vocabulary gives {other}.",
                "Download or copy the tokenizer again, or correct `added_tokens` in its tokenizer.json.",
            )


def read_merges(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Merges of a BPE in order, from either dialect: `"a b"` strings or `["a", "b"]` pairs."""
    return [
        (merge.split(" ", 1)[0], merge.split(" ", 1)[1]) if isinstance(merge, str) else (merge[0], merge[1])
        for merge in content["model"]["merges"]
    ]


def model_entries(content: dict[str, Any]) -> dict[str, int]:
    """Entry → id of the model's vocabulary alone. A BPE has it as such, a Unigram as a list with scores."""
    vocab = content["model"]["vocab"]
    return {entry: index for index, (entry, _) in enumerate(vocab)} if isinstance(vocab, list) else dict(vocab)


def unknown_entry(content: dict[str, Any]) -> str | None:
    """The entry that stands for what a vocabulary has no other entry for, if it has one."""
    model = content["model"]
    unigram = family_of(content) is Family.UNIGRAM
    if unigram and model.get("unk_id") is not None:
        return str(model["vocab"][model["unk_id"]][0])
    return None if unigram else model.get("unk_token")


def all_entries(content: dict[str, Any]) -> dict[str, int]:
    """Entry → id: the model's vocabulary and the tokens added to it."""
    entries = model_entries(content)
    for added in content.get("added_tokens", ()):
        entries.setdefault(added["content"], added["id"])
    return entries


def has_step(step: dict[str, Any] | None, kind: str) -> bool:
    """Whether a pre-tokenizer of `tokenizer.json` is, or holds, a step of that type."""
    if step is None:
        return False
    return step["type"] == kind or any(has_step(inner, kind) for inner in step.get("pretokenizers", ()))
