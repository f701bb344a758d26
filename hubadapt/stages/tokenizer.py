"""Stage `tokenizer`: extends a byte-level BPE by continued BPE on the target language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field
from tokenizers import Tokenizer

from hubadapt.checkpoint import load_config
from hubadapt.corpus.dataset import read_split
from hubadapt.errors import ModelError, UserError
from hubadapt.manifest import write_atomic
from hubadapt.model import copy_tokenizer, load_tokenizer
from hubadapt.portable import make_portable
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.tokenizer.byte_level import piece_to_text
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.extend import Extension, extend, learn_merges
from hubadapt.tokenizer.families import read_tokenizer_json, require_byte_level
from hubadapt.tokenizer.gates import check_gates
from hubadapt.tokenizer.scripts import script_of
from hubadapt.vocab_map import VOCAB_MAP_NAME, from_pieces

_PROBES = (
    "for i in range(10):\n    print(f'{i:>3}')  # 3.14159",
    "https://example.org/?q=1&r=2",
    "Ça coûte 12,50 €.",
    "Größe: 1 234 567 m²",
    "今日は良い天気です。",
    "नमस्ते दुनिया",
    "Καλημέρα κόσμε",
    "مرحبا بالعالم",
    "🙂👩‍🚀 \t\r\n  ",
)


class Config(StageConfig):
    """Parameters of the tokenizer stage."""

    new_tokens: int = Field(1024, gt=0, le=100_000, description="How many tokens to add at the most")
    min_occurrences: int = Field(20, ge=2, description="A pair rarer than this in the corpus is not merged")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether the language has a script of its own."""
    try:
        script_of(outlook.language)
    except UserError as error:
        yield error


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Counting and learning take seconds for the corpora of a laptop; the learner is written in Rust."""
    return Cost(seconds=8 + config.new_tokens / 10_000, memory=500_000_000, disk=6_000_000)


@stage("tokenizer", Config, needs=("corpus",), siblings=False, check=check, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Extend the vocabulary by continued BPE: new merges after the old ones, all old ids kept."""
    base = context.sources["base"]
    language = context.manifest.language
    content = read_tokenizer_json(base)
    require_byte_level(content, base)
    old = Tokenizer.from_file(str(base / "tokenizer.json"))
    dataset = context.latest_folder("dataset")
    texts = read_split(dataset, "train", language)
    with context.progress("counting words", sum(map(len, texts))) as advance:
        words = count_words(texts, old, script_of(language), advance)
    merges = learn_merges(
        words, old, script_of(language), new_tokens=config.new_tokens, min_occurrences=config.min_occurrences
    )
    extension = extend(content, merges, first_id=_first_id(base, content))
    folder = _write(base, context.folder / "tokenizer", extension)
    new = Tokenizer.from_file(str(folder / "tokenizer.json"))
    others = [*_PROBES, *(text[:2000] for text in read_split(dataset, "test", "en")[:200])]
    gates = check_gates(old, new, extension, target=[text[:2000] for text in texts[:200]], others=others)
    load_tokenizer(folder)
    return StageResult(
        made=(Made("tokenizer", "tokenizer", folder, "base"),),
        facts={
            "old_size": extension.first_id,
            "new_tokens": len(extension.tokens),
            "new_merges": len(extension.merges),
            "gates": [asdict(gate) for gate in gates],
            "examples": _examples(extension),
        },
    )


def _first_id(base: Path, content: dict[str, Any]) -> int:
    table_rows = int(load_config(base).get_text_config().vocab_size)
    ids = [*content["model"]["vocab"].values(), *(token["id"] for token in content.get("added_tokens", ()))]
    if max(ids) >= table_rows:
        raise ModelError(
            f"{base} has {table_rows} embedding rows, but its tokenizer gives ids up to {max(ids)}.",
            "Check that tokenizer and weights belong together.",
        )
    return table_rows


def _write(base: Path, folder: Path, extension: Extension) -> Path:
    copy_tokenizer(base, folder)
    write_atomic(folder / "tokenizer.json", json.dumps(extension.content, ensure_ascii=False) + "\n")
    make_portable(folder)
    from_pieces(extension.first_id, extension.pieces).save(folder / VOCAB_MAP_NAME)
    return folder


def _examples(extension: Extension) -> list[str]:
    words = [
        text for token in extension.tokens if (text := piece_to_text(token)) and text.startswith(" ") and len(text) > 4
    ]
    return words[:: max(len(words) // 24, 1)][:24]
