"""Trains the pieces of a Unigram anew, with SentencePiece's own trainer: on one thread equal words give equal pieces.

Source: Kudo 2018, arXiv 1804.10959; options as CroissantLLM's script has them (digits stand alone, runs of spaces are
pieces), but bytes are left to the base's own byte pieces, which that script forgot.
"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import regex
from tokenizers import Tokenizer

from hubadapt.errors import MissingExtraError
from hubadapt.tokenizer.families import unknown_entry
from hubadapt.tokenizer.vocabulary import Trained

BYTE_PIECES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""Pieces that stand for one byte each."""

_WORD = regex.compile(r"▁*[^▁\t\r\n]+|▁+")
# The rest is left to byte pieces or the unknown token.
_COVERAGE = 0.99995
_OPTIONS: dict[str, Any] = {
    "model_type": "unigram", "input_format": "tsv", "num_threads": 1, "minloglevel": 2, "hard_vocab_limit": False,
    "normalization_rule_name": "identity", "add_dummy_prefix": False, "remove_extra_whitespaces": False,
    "split_digits": True, "allow_whitespace_only_pieces": True, "character_coverage": _COVERAGE,
    "unk_id": 0, "bos_id": -1, "eos_id": -1, "pad_id": -1,
}  # fmt: skip


def trainer_problems() -> Iterator[MissingExtraError]:
    """What is missing to train a Unigram."""
    if importlib.util.find_spec("sentencepiece") is None:
        yield MissingExtraError("training a Unigram vocabulary", "sentencepiece")


def train_unigram(content: dict[str, Any], texts: Iterable[str], size: int) -> Trained:
    """Train a Unigram on texts as a base's normaliser and pre-tokenizer write them.

    Byte pieces keep their scores. Where there are none, characters of the base that the texts lack take the places of
    the least probable pieces: what the base can write can be written.

    Args:
        content: The base's `tokenizer.json`, a Unigram.
        texts: What to train on.
        size: How many entries, byte pieces included; there are fewer where the texts give no more.

    Raises:
        MissingExtraError: The package sentencepiece is not installed.
        ValueError: There are more characters than entries to be.
    """
    model = content["model"]
    old, unknown = dict(map(tuple, model["vocab"])), unknown_entry(content)
    own = {piece: old[piece] for piece in BYTE_PIECES} if model.get("byte_fallback") else {}
    learnt = _pieces(_words(content, texts), size - len(own))
    lowest = min(learnt.values())
    lacking = {} if own else {piece: lowest for piece in old if len(piece) == 1 and piece not in learnt}
    longer = [piece for piece in learnt if len(piece) > 1]
    surplus = max(len(own) + len(learnt) + len(lacking) - size, 0)
    if surplus > len(longer):
        raise ValueError(f"{size} pieces leave no room beside the {len(lacking)} characters that only the base has")
    for piece in longer[len(longer) - surplus :]:
        del learnt[piece]
    scores = {**own, **learnt, **lacking}

    def in_order(order: Sequence[str]) -> dict[str, Any]:
        vocab = [[entry, scores.get(entry, old.get(entry, lowest))] for entry in order]
        return {**model, "vocab": vocab, "unk_id": None if unknown is None else order.index(unknown)}

    return Trained([*scores], in_order)


def _pieces(words: Mapping[str, int], size: int) -> dict[str, float]:
    """Pieces with their scores, natural logarithms of probabilities, the most probable first."""
    for problem in trainer_problems():
        raise problem
    import io

    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    written = io.BytesIO()
    # A word in one line with its count: the order of words must not matter.
    lines = (f"{word}\t{count}" for word, count in sorted(words.items()))
    try:
        SentencePieceTrainer.train(sentence_iterator=lines, model_writer=written, vocab_size=size + 1, **_OPTIONS)
    except RuntimeError as error:
        raise ValueError(f"SentencePiece cannot train {size:,} pieces: {error}") from error
    processor = SentencePieceProcessor(model_proto=written.getvalue())
    return {processor.id_to_piece(index): processor.get_score(index) for index in range(1, len(processor))}


def _words(content: dict[str, Any], texts: Iterable[str]) -> Counter[str]:
    """What stands between two spaces, the space before it included, cut further where the base's pre-tokenizer cuts."""
    tokenizer = Tokenizer.from_str(json.dumps(content))
    normalizer, pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    words: Counter[str] = Counter()
    for text in texts:
        normal = normalizer.normalize_str(text) if normalizer else text
        parts = [part for part, _ in pre_tokenizer.pre_tokenize_str(normal)] if pre_tokenizer else [normal]
        for part in parts:
            words.update(_WORD.findall(part))
    return words
