"""Another model's table beside those of a base, tokens matched by the bytes they stand for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from hubadapt.checkpoint import find_tables, load_config, read_tensor, require_finite
from hubadapt.embeddings import Donor
from hubadapt.errors import ModelError
from hubadapt.tokenizer.dialects import spellings
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json, require_family
from hubadapt.vocab_map import VocabMap

_NUMBERS = ("7", "42", "365", "2026", "31415", "271828", "1234567890")


def read_donor(folder: Path, base: Path, tokenizer: Path, pieces: VocabMap, *, head: bool) -> Donor:
    """A donor's table, and which of its rows stand for the base's tokens.

    Tokens are the same where they stand for the same bytes, however their tokenizers write them (`Ġthe`, `▁the`).
    Service tokens are never the same. Of several entries for the same bytes, such as `<0x41>` and `A`, the shorter one
    counts.

    Args:
        folder: The donor.
        base: The base.
        tokenizer: Folder with the new tokenizer.
        pieces: The map between their vocabularies.
        head: Whether the head is wanted; a tied donor has one table for both.

    Raises:
        ModelError: The donor is damaged, its tokenizer is of no supported family, or splits numbers another way.
    """
    content, own = read_tokenizer_json(folder), read_tokenizer_json(base)
    require_family(content, str(folder))
    _require_same_numbers((str(folder), content), (str(base), own))
    tables = find_tables(load_config(folder))
    name = tables.head if head and tables.head else tables.embedding
    table = read_tensor(folder, name)
    require_finite(folder, name, table)
    known, old = _by_bytes(content, len(table)), _by_bytes(own, pieces.old_size)
    old_ids = [-1] * pieces.old_size
    for data, index in old.items():
        old_ids[index] = known.get(data, -1)
    new = spellings(read_tokenizer_json(tokenizer), pieces.new_size)
    return Donor(table, [known.get(data, -1) for data in new], old_ids)


def _by_bytes(content: dict[str, Any], rows: int) -> dict[bytes, int]:
    spelled = spellings(content, rows)
    entries = sorted(all_entries(content).items(), key=lambda item: (-len(item[0]), item[1]))
    return {spelled[index]: index for _, index in entries if index < rows and spelled[index]}


def _require_same_numbers(donor: tuple[str, dict[str, Any]], base: tuple[str, dict[str, Any]]) -> None:
    # Rows of digits mean different things where one model reads 2026 in one piece and the other in four.
    theirs, ours = _split_numbers(donor[1]), _split_numbers(base[1])
    for number in _NUMBERS:
        if theirs[number] != ours[number]:
            raise ModelError(
                f"{donor[0]} splits {number} into {theirs[number]}, {base[0]} into {ours[number]}: their rows of "
                "digits do not mean the same.",
                "Choose a donor that splits numbers as the base does, or an initialisation without a donor.",
            )


def _split_numbers(content: dict[str, Any]) -> dict[str, str]:
    """Numbers as a tokenizer splits them, a line between tokens."""
    spelled = spellings(content, max(all_entries(content).values()) + 1)
    tokenizer = Tokenizer.from_str(json.dumps(content))
    split = {}
    for number in _NUMBERS:
        tokens = (spelled[index].strip() for index in tokenizer.encode(number, add_special_tokens=False).ids)
        split[number] = "|".join(token.decode("utf-8", errors="replace") for token in tokens if token)
    return split
