"""Writes the folder of a changed tokenizer: what comes along from the base, what is made anew, what is left out."""

from __future__ import annotations

import json
from pathlib import Path

from hubadapt.manifest import write_atomic
from hubadapt.model import copy_tokenizer
from hubadapt.portable import make_portable, move_added_tokens, other_vocabularies
from hubadapt.tokenizer.sentencepiece_model import keep_in_step
from hubadapt.tokenizer.vocabulary import NewVocabulary


def write_folder(base: Path, folder: Path, vocabulary: NewVocabulary) -> dict[str, str]:
    """Write a changed tokenizer, with the map from the base's rows.

    Args:
        base: Folder of the base.
        folder: Where to write it.
        vocabulary: The changed vocabulary.

    Returns:
        Names of the base's tokenizer files that the folder lacks, each with the reason.

    Raises:
        MissingExtraError: The base has a SentencePiece model, and the package sentencepiece is not installed.
        ModelError: The base's SentencePiece model is damaged.
    """
    from hubadapt.vocab_map import VOCAB_MAP_NAME

    copy_tokenizer(base, folder)
    write_atomic(folder / "tokenizer.json", json.dumps(vocabulary.content, ensure_ascii=False) + "\n")
    vocab_map = vocabulary.vocab_map()
    moved_ids = vocab_map.moved_ids()
    if moved_ids is not None:
        move_added_tokens(folder, moved_ids)
    make_portable(folder)
    left_out = dict.fromkeys(other_vocabularies(base), "it holds the vocabulary as it was")
    left_out |= keep_in_step(base, folder, vocabulary)
    vocab_map.save(folder / VOCAB_MAP_NAME)
    return left_out
