"""Initialisations side by side: bits per byte right after surgery and after a short training of the rows.

Every candidate is trained on the same blocks in the same order (`hubadapt.training.probe`); "behind" is the paired
difference to the best of those that keep English, with its 95 % interval.

    python benchmarks/initialisation_probe.py models/base run/1-tokenizer/tokenizer --train ru/*.jsonl.gz \
        --target sentences.jsonl.gz 150 --english passages.jsonl.gz 60 --methods mean scaled distill
"""

import argparse
import random
import resource
import tempfile
import time
from itertools import islice
from pathlib import Path

from hubadapt.corpus.documents import read_documents
from hubadapt.embeddings import initialisations
from hubadapt.surgery.embed import Start
from hubadapt.training.probe import ProbeSettings, ProbeTexts, Standing, probe


def first(file: str, rows: str) -> list[str]:
    return [document.text for document in islice(read_documents(Path(file), license="unknown"), int(rows))]


def sample(files: list[Path], each: int) -> list[str]:
    """Documents of every file in random order, no more of one than `each`."""
    texts = []
    for file in files:
        documents = [document.text for document in read_documents(file, license="unknown")]
        random.Random(0).shuffle(documents)
        texts += documents[:each]
    random.Random(0).shuffle(texts)
    return texts


def line(standing: Standing) -> str:
    before, after, (low, high) = standing.before, standing.after, standing.interval
    return (
        f"| {standing.name} | {before.target.value:.3f} | {before.english.value:.4f} | {after.target.value:.3f} "
        f"| {after.english.value:.4f} | {standing.behind.value:+.3f} ({low:+.3f} to {high:+.3f}) "
        f"| {'yes' if standing.keeps_english else 'no'} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--documents", type=int, default=200, help="Of a training file at the most")
    parser.add_argument("--target", nargs=2, required=True, metavar=("FILE", "ROWS"))
    parser.add_argument("--english", nargs=2, required=True, metavar=("FILE", "ROWS"))
    parser.add_argument("--methods", nargs="+", help="All that need nothing but texts, unless named")
    parser.add_argument("--donor", type=Path)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    texts = ProbeTexts(sample(options.train, options.documents), first(*options.target), first(*options.english))
    methods = options.methods or [
        name for name, method in initialisations().items() if options.donor or "donor" not in method.needs
    ]
    starts = [Start(method, donor=options.donor, texts=texts.train) for method in methods]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        settings = ProbeSettings(steps=options.steps)
        standings = probe(options.base, options.tokenizer, starts, texts, Path(folder), settings=settings)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        "| method | right after: target | English | after the probe: target | English | behind (95 %) | English kept |"
    )
    print("|---|---|---|---|---|---|---|")
    print(*map(line, standings), sep="\n")
    print(
        f"n = {len(texts.target)} and {len(texts.english)} texts, {settings.steps} steps of "
        f"{settings.batch_size * settings.block_size} tokens; {time.perf_counter() - begun:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
