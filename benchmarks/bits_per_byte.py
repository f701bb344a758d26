"""Bits per byte and characters per token of several models on the first rows of a JSON Lines file.

python benchmarks/bits_per_byte.py sentences.jsonl.gz 150 demo/models/base demo/run/3-pretrain/model
"""

import sys
from itertools import islice
from pathlib import Path

from hubadapt.corpus.documents import read_documents
from hubadapt.evaluation.bits_per_byte import bits_per_byte
from hubadapt.model import load_model, load_tokenizer
from hubadapt.tokenizer.measure import characters_per_token


def main(file: str, rows: str, *models: str) -> None:
    texts = [document.text for document in islice(read_documents(Path(file), license="unknown"), int(rows))]
    for folder in map(Path, models):
        tokenizer = load_tokenizer(folder)
        bits = bits_per_byte(load_model(folder), tokenizer, texts)
        density = characters_per_token(tokenizer.backend_tokenizer, texts)
        print(
            f"{folder}: {bits.value:.4f} ± {bits.stderr:.4f} bits per byte, "
            f"{density.value:.3f} characters/token, n = {bits.n}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
