"""Characters per token of extended vocabularies on texts that were not learnt from, beside base and pre-token floor.

Sources of the corpus are counted with weights: `--weight news=16` counts every row whose source holds "news" sixteen
times, 1 otherwise; the last one that fits decides. `--held-out news:5` keeps every fifth row of such sources out of the
learning and measures on those; more files to measure on follow --test. Of the English of --protect every document whose
number --judged divides is kept aside: what changes is counted on it. A language in the Latin script is learnt a second
time without protection.

    python benchmarks/density.py --language ru --new-tokens 32000 --corpus ru/*.jsonl.gz --tokenizer a/tokenizer.json \
        --weight novels=0.3 --weight news=16 --held-out news:5 --test sentences.jsonl.gz --protect en/*.jsonl.gz
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from hubadapt.corpus.documents import read_documents
from hubadapt.tokenizer.build import added, learn, unchanged
from hubadapt.tokenizer.count import count_words, damped
from hubadapt.tokenizer.dialects import Dialect, dialect_of
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.gates import Trial
from hubadapt.tokenizer.gates.english import changed_english, lines_of
from hubadapt.tokenizer.gates.probes import PROTECTED
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.measure import characters_per_token
from hubadapt.tokenizer.protect import Protected
from hubadapt.tokenizer.rules import Rules
from hubadapt.tokenizer.scripts import scripts_of, shares_english_script
from hubadapt.tokenizer.vocabulary import NewVocabulary

_SCALE = 20  # weights of a twentieth still count


def rows(files: list[Path]) -> Iterator[tuple[str, str]]:
    for file in files:
        for document in read_documents(file, license="unknown"):
            yield document.source, document.text


def weight_of(source: str, weights: list[str]) -> float:
    fitting = [float(value) for name, value in (item.split("=") for item in weights) if name in source]
    return fitting[-1] if fitting else 1.0


def split(options: argparse.Namespace) -> tuple[dict[float, list[str]], list[str]]:
    """Texts to learn from by weight, and those held out."""
    word, every = (*options.held_out.split(":"), "1")[:2]
    learnt: dict[float, list[str]] = {}
    held_out, seen = [], 0
    for source, text in rows(options.corpus):
        if word in source:
            seen += 1
            if seen % int(every) == 0:
                held_out.append(text)
                continue
        learnt.setdefault(weight_of(source, options.weight), []).append(text)
    return learnt, held_out


def weighted_words(learnt: dict[float, list[str]], dialect: Dialect, scripts: tuple[str, ...]) -> Counter[str]:
    words: Counter[str] = Counter()
    for weight, texts in learnt.items():
        if weight:
            for word, count in count_words(texts, dialect, scripts).items():
                words[word] += round(count * weight * _SCALE)
    return words


def encoding_speed(old: Tokenizer, new: Tokenizer, texts: list[str]) -> float:
    """Median over nine pairs of the base's seconds over the extended one's, on the same texts."""

    def seconds(tokenizer: Tokenizer) -> float:
        start = time.perf_counter()
        for text in texts:
            tokenizer.encode(text, add_special_tokens=False)
        return time.perf_counter() - start

    return statistics.median(seconds(old) / seconds(new) for _ in range(9))


def floor(tokenizer: Tokenizer, texts: list[str]) -> float:
    normal = [tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text for text in texts]
    return sum(map(len, texts)) / sum(len(tokenizer.pre_tokenizer.pre_tokenize_str(text)) for text in normal)


def measure(path: Path, options: argparse.Namespace) -> None:
    content = json.loads(path.read_text("utf-8"))
    scripts = scripts_of(options.language)
    learnt, held_out = split(options)
    dialect, rules = dialect_of(content, scripts), Rules(scripts)
    start = time.perf_counter()
    words = damped(weighted_words(learnt, dialect, scripts), options.damping)
    english = [text for _, text in rows(options.protect)]
    judged = english[options.judged - 1 :: options.judged]
    lesson = Lesson(
        options.new_tokens, options.min_occurrences * _SCALE, lambda entry: rules.allow(dialect.to_bytes(entry))
    )
    last = max(all_entries(content).values())
    base = unchanged(content, last + 1)
    shared = shares_english_script(scripts)
    safe = [text for number, text in enumerate(english, start=1) if number % options.judged] if shared else []
    protected = Protected.of_texts(safe, dialect, scripts, never=PROTECTED if shared else ())
    grow = partial(added, base, new_tokens=options.new_tokens, first_id=last + 1)
    grown = grow(learn(base, words, lesson, protected=protected))
    seconds = time.perf_counter() - start
    print(f"{path.parent.name}: {len(grown.tokens)} new tokens in {seconds:.0f} s")
    report(content, grown, held_out, options)
    if judged:
        report_english(content, grown, judged)
    if shared:
        free = grow(learn(base, words, lesson))
        print(f" without protection: {len(free.tokens)} new tokens")
        report(content, free, held_out, options)


def report(content: dict[str, Any], grown: NewVocabulary, held_out: list[str], options: argparse.Namespace) -> None:
    """Print characters per token on each set of texts."""
    old, new = Tokenizer.from_str(json.dumps(content)), grown.tokenizer
    sets = {"held out": held_out, **{file.name: [text for _, text in rows([file])] for file in options.test}}
    for name, texts in sets.items():
        if texts:
            after = characters_per_token(new, texts)
            limit = f", floor {floor(old, texts):.2f}" if old.pre_tokenizer else ""
            before = characters_per_token(old, texts).value
            print(f"  {name} (n = {len(texts)}): {before:.3f} → {after.value:.3f} ± {after.stderr:.3f}{limit}")


def report_english(content: dict[str, Any], grown: NewVocabulary, judged: list[str]) -> None:
    """Print how much of English documents changes, and how fast they are encoded."""
    trial = Trial(content, grown.content, grown.copied, grown.tokens, ("Latin",))
    found = changed_english(trial, judged)
    speed = encoding_speed(trial.old, trial.new, lines_of(judged)[:20_000])
    for what, changed, number in (
        ("lines", found.lines_changed, found.lines),
        ("passages of 2,000 characters", found.passages_changed, found.passages),
    ):
        print(f"  English: {changed} of {number} {what} change, {changed / number:.2%}")
    print(f"  encoding speed {speed:.2f} × the base's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--min-occurrences", type=int, default=5)
    parser.add_argument("--tokenizer", type=Path, nargs="+", required=True)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True)
    parser.add_argument("--weight", action="append", default=[])
    parser.add_argument("--damping", type=float, default=1.0)
    parser.add_argument("--held-out", default="\0")
    parser.add_argument("--test", type=Path, nargs="*", default=[])
    parser.add_argument("--protect", type=Path, nargs="*", default=[])
    parser.add_argument("--judged", type=int, default=10)
    options = parser.parse_args()
    for path in options.tokenizer:
        measure(path, options)


if __name__ == "__main__":
    main()
