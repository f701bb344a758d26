"""Reads preferences from JSON Lines and Parquet files, plain or compressed: `prompt`, `chosen` and `rejected`."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubadapt.corpus.conversations import Message, message_of, require_order
from hubadapt.corpus.documents import licensed
from hubadapt.corpus.files import Row, corpus_files, format_of, json_rows, parquet_rows, require_column, undamaged
from hubadapt.corpus.streams import Advance
from hubadapt.errors import CorpusError

_COLUMNS = ("prompt", "chosen", "rejected")


@dataclass(frozen=True)
class Preference:
    """Two answers to the same, of which one is preferred.

    Attributes:
        prompt: A system message or none, then user and assistant in turn; the user has the last word.
        chosen: The better answer.
        rejected: The worse one.
        source: Where it comes from, as its row or file says.
        license: Its licence.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    source: str
    license: str


def read_preferences(path: Path, *, license: str | None, advance: Advance = lambda count: None) -> Iterator[Preference]:
    """Read the preferences of a file, or of every file in a folder, one by one.

    A row has `prompt`, a text or messages, and `chosen` and `rejected`, texts or one message of the assistant each, as
    TRL writes them; and perhaps `source` and `license`.

    Args:
        path: The file or folder.
        license: Licence of rows that do not name one.
        advance: Called with bytes read of the files on disk.

    Raises:
        CorpusError: A file is missing, damaged or of another format, or a row is empty, out of order, has two equal
            answers or no licence.
    """
    for file in corpus_files(path):
        kind = format_of(file)
        if kind == ".txt":
            raise CorpusError(f"{file} is plain text, which holds no preferences.", "Use .jsonl or .parquet.")
        with undamaged(file):
            columns = (*_COLUMNS, "source", "license")
            rows = json_rows(file, advance) if kind == ".jsonl" else parquet_rows(file, columns, advance)
            word = "line" if kind == ".jsonl" else "row"
            for number, row in rows:
                yield _preference(row, file, f"{file} {word} {number}", license)


def without_length_bias(pairs: Sequence[Preference], ratio: float, keep: float, seed: int) -> list[Preference]:
    """The pairs but for most of those whose chosen answer is far longer: length would else be what is learnt.

    Args:
        pairs: All.
        ratio: Above so many times the characters of the rejected answer a chosen one is far longer.
        keep: Share of those that stay, chosen at random.
        seed: Decides which.

    Source:
        ruadapt (Tikhomirov & Chernyshev), whose filter drops pairs above 1.4 to 1.5 but for a random 20 to 40 %.
    """
    chance = random.Random(seed)
    return [pair for pair in pairs if len(pair.chosen) <= ratio * len(pair.rejected) or chance.random() < keep]


def _preference(row: Row, file: Path, where: str, license: str | None) -> Preference:
    for column in _COLUMNS:
        require_column(column, list(row), where)
    prompt = row["prompt"]
    said = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    messages = tuple(message_of(each, f"{where}, message {place} of the prompt") for place, each in enumerate(said, 1))
    chosen, rejected = (_answer(row[name], f"{where}, {name}") for name in _COLUMNS[1:])
    require_order([*(message["role"] for message in messages), "assistant"], where)
    if chosen == rejected:
        raise CorpusError(f"{where} has two equal answers: {chosen[:40]!r}.", "Remove the row.")
    return Preference(
        messages, chosen, rejected, str(row.get("source") or file.name), licensed(row.get("license") or license, where)
    )


def _answer(value: Any, where: str) -> str:
    if isinstance(value, list) and len(value) != 1:
        raise CorpusError(f"{where} holds {len(value)} messages.", "Write one answer of the assistant.")
    message = value[0] if isinstance(value, list) else {"role": "assistant", "content": value}
    return message_of(message, where)["content"]
