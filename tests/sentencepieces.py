"""Small SentencePiece models, trained on generated text, and tokenizer folders made of them."""

from __future__ import annotations

import base64
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pico
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from hubadapt.tokenizer.additions import Additions
from hubadapt.tokenizer.build import learn, unchanged
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.sources import write_source

CYRILLIC = ("Cyrillic",)
_LIKE_LLAMA = {
    "byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False,
    "split_digits": True, "allow_whitespace_only_pieces": True,
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "bpe": {"model_type": "bpe", "vocab_size": 460, **_LIKE_LLAMA},
    "bpe without a space before": {"model_type": "bpe", "vocab_size": 440, "add_dummy_prefix": False, **_LIKE_LLAMA},
    "unigram": {"model_type": "unigram", "vocab_size": 120},
    "unigram with bytes": {"model_type": "unigram", "vocab_size": 400, **_LIKE_LLAMA},
}
"""Options of SentencePiece's trainer by kind of model."""

KINDS = tuple(OPTIONS)


@cache
def trained(kind: str) -> bytes:
    """A model of English and a little Russian that lacks some of its letters."""
    from sentencepiece import SentencePieceTrainer

    russian = [text for text in pico.russian(40, seed=4) if not {*"щэюяё"} & {*text}]
    written = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([*pico.english(300, seed=5), *russian[:6]]),
        model_writer=written,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
        **OPTIONS[kind],
    )
    return written.getvalue()


def write_folder(folder: Path, kind: str) -> Path:
    """A tokenizer folder with `tokenizer.model` and `tokenizer.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(trained(kind))
    return write_source(folder / "tokenizer.model", folder)


def learnt(content: dict[str, Any], texts: list[str], new_tokens: int = 60) -> Additions:
    """What a run would add for Russian."""
    dialect, rules = dialect_of(content, CYRILLIC), Rules(CYRILLIC)
    lesson = Lesson(new_tokens, 2, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    return learn(unchanged(content, 1), count_words(texts, dialect, CYRILLIC), lesson)


def write_tekken(path: Path, tokenizer: Tokenizer) -> Path:
    """A `tekken.json` with the entries of a byte-level BPE, in the order of its ids."""
    from hubadapt.tokenizer.byte_level import piece_to_bytes

    model = json.loads(tokenizer.to_str())["model"]
    entries = [piece_to_bytes(entry) for entry in sorted(model["vocab"], key=model["vocab"].__getitem__)]
    special = ["<unk>", "<s>", "</s>", "[INST]"]
    content = {
        "config": {
            "pattern": pico.LLAMA3_PATTERN,
            "num_vocab_tokens": len(entries),
            "default_vocab_size": len(entries) + 6,
            "default_num_special_tokens": 6,
            "version": "v3",
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(entry).decode(), "token_str": None}
            for rank, entry in enumerate(entries)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": token, "is_control": True} for rank, token in enumerate(special)
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


def write_model(folder: Path, kind: str, *, spare_rows: int = 0) -> Path:
    """A pico Llama whose tokenizer is a SentencePiece model of that kind."""
    write_folder(folder, kind)
    rows = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size() + spare_rows
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(pico.config_of("llama", rows=rows, tied=True))
    model.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n", "utf-8")
    return folder
