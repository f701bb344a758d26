"""Stage `tokenizer`: extends the base's vocabulary by continued BPE on the target language."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field
from tokenizers import Tokenizer

from hubadapt.checkpoint import load_config
from hubadapt.corpus.dataset import read_split
from hubadapt.errors import CorpusError, ModelError, UserError
from hubadapt.manifest import write_atomic
from hubadapt.model import copy_tokenizer, load_tokenizer
from hubadapt.portable import make_portable
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import Dialect, dialect_of
from hubadapt.tokenizer.extend import extend, segmenter
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json, require_family
from hubadapt.tokenizer.gates import check_gates
from hubadapt.tokenizer.learn import Lesson, Merge, learn_merges
from hubadapt.tokenizer.protect import harm_to
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import scripts_of, shares_english_script
from hubadapt.tokenizer.vocabulary import NewVocabulary
from hubadapt.vocab_map import VOCAB_MAP_NAME

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

    new_tokens: int = Field(1024, gt=0, le=2**20, description="How many tokens to add at the most")
    min_occurrences: int = Field(20, ge=2, description="A pair rarer than this in the corpus is not merged")
    longest: int = Field(32, ge=2, description="Characters of a new token at the most, a leading space included")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether the script of the language is known."""
    try:
        scripts_of(outlook.language)
    except UserError as error:
        yield error


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Counting and learning take seconds for the corpora of a laptop; the learner is written in Rust."""
    return Cost(seconds=8 + config.new_tokens / 10_000, memory=500_000_000, disk=6_000_000)


@stage("tokenizer", Config, needs=("corpus",), siblings=False, check=check, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Extend the base's vocabulary with tokens learnt on the corpus; gates prove that other text keeps its tokens."""
    language, base = context.manifest.language, context.sources["base"]
    content = read_tokenizer_json(base)
    require_family(content, context.manifest.base.id)
    dialect = dialect_of(content, scripts_of(language))
    old = Tokenizer.from_file(str(base / "tokenizer.json"))
    dataset = context.latest_folder("dataset")
    texts = read_split(dataset, "train", language)
    vocabulary = _learn(context, config, content, dialect, texts)
    folder = _write(base, context.folder / "tokenizer", vocabulary)
    new = Tokenizer.from_file(str(folder / "tokenizer.json"))
    others = [*_PROBES, *(text[:2000] for text in read_split(dataset, "test", "en")[:200])]
    gates = check_gates(old, new, vocabulary, target=[text[:2000] for text in texts[:200]], others=others)
    load_tokenizer(folder)
    return StageResult(
        made=(Made("tokenizer", "tokenizer", folder, "base"),),
        facts={
            "old_size": vocabulary.first_new,
            "new_tokens": len(vocabulary.tokens),
            "gates": [asdict(gate) for gate in gates],
            "examples": _examples(vocabulary, dialect),
        },
    )


def _learn(
    context: StageContext, config: Config, content: dict[str, Any], dialect: Dialect, texts: list[str]
) -> NewVocabulary:
    scripts = scripts_of(context.manifest.language)
    with context.progress("counting words", sum(map(len, texts))) as advance:
        words = count_words(texts, dialect, scripts, advance)
    if not words:
        raise CorpusError(
            f"the training corpus holds no word in {' or '.join(scripts)} letters.",
            "Check `corpus.sources` in the recipe: is this the right file for the language?",
        )
    rules = Rules(scripts, longest=config.longest)
    lesson = Lesson(
        config.new_tokens,
        config.min_occurrences,
        allow=lambda entry: rules.allow(dialect.to_bytes(entry)),
        harm=_harm(context, content, dialect, scripts),
    )
    merges = learn_merges(words, all_entries(content), segmenter(content), lesson)
    return extend(content, merges, first_id=_first_id(context.sources["base"], content))


def _harm(
    context: StageContext, content: dict[str, Any], dialect: Dialect, scripts: tuple[str, ...]
) -> Callable[[Sequence[Merge]], Collection[Merge]]:
    """In a script of its own nothing can do harm; in the Latin one the corpus's English text is protected."""
    if not shares_english_script(scripts):
        return lambda merges: ()
    english = read_split(context.latest_folder("dataset"), "test", "en")
    if not english:
        raise CorpusError(
            f"{context.manifest.language!r} shares its script with English, but the corpus holds no English text.",
            "Add a source with `language: en` to `corpus.sources`: prose and code, some megabytes.",
        )
    return harm_to(count_words([*_PROBES, *english], dialect, scripts), content)


def _first_id(base: Path, content: dict[str, Any]) -> int:
    table_rows = int(load_config(base).get_text_config().vocab_size)
    last = max(all_entries(content).values())
    if last >= table_rows:
        raise ModelError(
            f"{base} has {table_rows} embedding rows, but its tokenizer gives ids up to {last}.",
            "Check that tokenizer and weights belong together.",
        )
    return table_rows


def _write(base: Path, folder: Path, vocabulary: NewVocabulary) -> Path:
    copy_tokenizer(base, folder)
    write_atomic(folder / "tokenizer.json", json.dumps(vocabulary.content, ensure_ascii=False) + "\n")
    make_portable(folder)
    vocabulary.vocab_map().save(folder / VOCAB_MAP_NAME)
    return folder


def _examples(vocabulary: NewVocabulary, dialect: Dialect) -> list[str]:
    words = [
        text
        for token in vocabulary.tokens
        if (text := dialect.to_text(token)) and text.startswith(" ") and len(text) > 4
    ]
    return words[:: max(len(words) // 24, 1)][:24]
