"""Bits per byte right after surgery, for every initialisation and several numbers of new tokens, nothing trained.

Each method goes through `hubadapt.surgery.embed`; the first rows of two files are measured, in two halves (every other
row), so that a choice made on one can be judged on the other. `resize` is the peer: what transformers'
`resize_token_embeddings(mean_resizing=True)` gives.

    python benchmarks/initialisations.py --base demo/models/base --language ru --sizes 1024 4096 32000 \
        --corpus ru/*.jsonl.gz --test sentences.jsonl.gz:150 english.jsonl.gz:60 --work /tmp/initialisations \
        --methods mean 'scaled(by=0.9)' length resize
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from hubadapt.corpus.documents import read_documents
from hubadapt.embeddings import find_initialisation
from hubadapt.evaluation.bits_per_byte import bits_per_byte
from hubadapt.model import load_model, load_tokenizer
from hubadapt.surgery.embed import Start, embed
from hubadapt.tokenizer.build import added, learn, unchanged
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import scripts_of
from hubadapt.vocab_map import VOCAB_MAP_NAME


def texts_of(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        for document in read_documents(file, license="unknown"):
            yield document.text


def write_tokenizers(options: argparse.Namespace) -> dict[int, Path]:
    """One learning, cut to each size; a folder that is there from an earlier run is used again."""
    folders = {size: options.work / f"tokenizer-{size}" for size in options.sizes}
    if all((folder / VOCAB_MAP_NAME).is_file() for folder in folders.values()):
        return folders
    content = read_tokenizer_json(options.base)
    scripts = scripts_of(options.language)
    dialect, rules = dialect_of(content, scripts), Rules(scripts)
    words = count_words(texts_of(options.corpus), dialect, scripts)
    lesson = Lesson(max(options.sizes), 5, lambda entry: rules.allow(dialect.to_bytes(entry)))
    first_id = max(all_entries(content).values()) + 1
    start = unchanged(content, first_id)
    learnt = learn(start, words, lesson)
    for size, folder in folders.items():
        grown = added(start, learnt, new_tokens=size, first_id=first_id)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in options.base.glob("*token*.json"):
            shutil.copy(file, folder)
        (folder / "tokenizer.json").write_text(json.dumps(grown.content, ensure_ascii=False), "utf-8")
        grown.vocab_map().save(folder / VOCAB_MAP_NAME)
    return folders


def adapted(tokenizer: Path, method: str, options: argparse.Namespace) -> Any:
    """The model with new rows, its body as it was."""
    if method == "resize":
        torch.manual_seed(0)
        model = load_model(options.base)
        model.resize_token_embeddings(len(load_tokenizer(tokenizer)), mean_resizing=True)
        return model
    needs = find_initialisation(method).needs
    texts = [*islice(texts_of(options.corpus), options.texts)] if "texts" in needs else []
    target = options.work / "model"
    start = Start(method=method, donor=options.donor if "donor" in needs else None, texts=texts)
    embed(options.base, tokenizer, target, start)
    model = load_model(target)
    shutil.rmtree(target)
    return model


def measure(name: str, model: Any, tokenizer: Path, sets: Sequence[Sequence[str]], seconds: float) -> None:
    encoder = load_tokenizer(tokenizer)
    shown = []
    for texts in sets:
        halves = [texts[0::2], texts[1::2]]
        sizes = [sum(len(text.encode()) for text in half) for half in halves]
        bits = [bits_per_byte(model, encoder, half).value for half in halves]
        whole = sum(value * size for value, size in zip(bits, sizes, strict=True)) / sum(sizes)
        shown.append(f"{whole:.4f} ({bits[0]:.4f} / {bits[1]:.4f})")
    print(f"| {name} | {' | '.join(shown)} | {seconds:.1f} s |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--language", required=True)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True)
    parser.add_argument("--test", nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", required=True)
    parser.add_argument("--donor", type=Path)
    parser.add_argument("--texts", type=int, default=2000)
    options = parser.parse_args()
    files = [(Path(file), int(rows)) for file, rows in (item.rsplit(":", 1) for item in options.test)]
    sets = [[*islice(texts_of([file]), rows)] for file, rows in files]
    print(f"| tokens, method | {' | '.join(f'{file.name}, n = {rows}' for file, rows in files)} | surgery |")
    print(f"|---{'|---' * (len(sets) + 1)}|")
    measure("none", load_model(options.base), options.base, sets, 0)
    for size, tokenizer in write_tokenizers(options).items():
        for method in options.methods:
            start = time.perf_counter()
            model = adapted(tokenizer, method, options)
            measure(f"+{size:,}, {method}", model, tokenizer, sets, time.perf_counter() - start)


if __name__ == "__main__":
    main()
