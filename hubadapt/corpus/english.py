"""A run's English text, for languages in the same script: most is there to be protected, a tenth to judge by."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from hubadapt.corpus.dataset import SPLITS, read_split
from hubadapt.corpus.split import text_hash

MOST_CHARACTERS = 50_000_000
"""Characters of both parts together at the most; more would change little."""


def read_english(folder: Path, most: int = MOST_CHARACTERS) -> tuple[list[str], list[str]]:
    """English texts in two parts, chosen by hash.

    Args:
        folder: Folder of the dataset artifact.
        most: Characters of both parts together at the most; texts beyond are in neither.

    Returns:
        Nine tenths of them, and a tenth, at least one each where there are two.
    """
    texts = dict.fromkeys(chain.from_iterable(read_split(folder, split, "en") for split in SPLITS))
    ranked: list[str] = []
    for text in sorted(texts, key=text_hash):
        most -= len(text)
        if ranked and most < 0:
            break
        ranked.append(text)
    count = max(len(ranked) // 10, 1)
    return ranked[count:], ranked[:count]
