"""Writes a SentencePiece model as a `tokenizer.json` that segments as SentencePiece does.

Transformers converts for one class of tokenizer at a time, each with a normaliser of its own; here the normaliser
follows the model's own `normalizer_spec`. Its `LlamaTokenizer(vocab_file=...)` gives a vocabulary of three entries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers

from hubadapt.errors import ModelError
from hubadapt.tokenizer.sentencepiece_model import CONTROL, NORMAL, UNKNOWN, USER_DEFINED, processor_of

_UNIGRAM, _BPE = 1, 2
_PROBES = (
    "The quick brown fox jumps over the lazy dog, 3.14159 times!",
    "for i in range(10):\n    print(f'{i:>3}')\t# a comment",
    "Ça coûte 12,50 €. Größe: 1 234 567 m². naïve café",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Καλημέρα κόσμε. नमस्ते दुनिया. مرحبا بالعالم. 今日は良い天気です。 🙂",
    "one  two   three    four",
    " before and after ",
)


def content_of(model: Any, name: str) -> dict[str, Any]:
    """The `tokenizer.json` of a SentencePiece model. Bos and eos are special tokens that nothing puts before a text.

    Args:
        model: As `read_model` gives it.
        name: What the user calls it.

    Raises:
        ModelError: It cannot be written as a `tokenizer.json`, or the result gives other ids on a text that was tried.
    """
    spec = model.trainer_spec
    if spec.model_type not in (_UNIGRAM, _BPE) or spec.treat_whitespace_as_suffix:
        raise ModelError(
            f"{name} is a SentencePiece model of a kind that tokenizer.json cannot hold.",
            "Choose one of type BPE or Unigram that marks the space before a word.",
        )
    tokenizer = Tokenizer(_bpe(model) if spec.model_type == _BPE else _unigram(model))
    tokenizer.normalizer = normalizers.Sequence(list(_normalizers(model.normalizer_spec)))
    tokenizer.decoder = decoders.Sequence(list(_decoders(model)))
    marked = [piece for piece in model.pieces if piece.type in (UNKNOWN, CONTROL, USER_DEFINED)]
    tokenizer.add_tokens(
        [AddedToken(piece.piece, normalized=False, special=piece.type != USER_DEFINED) for piece in marked]
    )
    _check_ids(model, tokenizer, name)
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content


def _bpe(model: Any) -> models.BPE:
    return models.BPE(
        {piece.piece: index for index, piece in enumerate(model.pieces)},
        list(_merges(model)),
        unk_token=model.trainer_spec.unk_piece,
        fuse_unk=True,
        byte_fallback=model.trainer_spec.byte_fallback,
    )


def _merges(model: Any) -> Iterator[tuple[str, str]]:
    """Every way to make a piece out of two, the piece with the highest score first."""
    normal = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type == NORMAL}
    for piece in sorted(normal, key=lambda piece: (-model.pieces[normal[piece]].score, normal[piece])):
        splits = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        known = [(left, right) for left, right in splits if left in normal and right in normal]
        yield from sorted(known, key=lambda pair: (normal[pair[0]], normal[pair[1]]))


def _unigram(model: Any) -> models.Unigram:
    return models.Unigram(
        [(piece.piece, piece.score) for piece in model.pieces],
        unk_id=model.trainer_spec.unk_id,
        byte_fallback=model.trainer_spec.byte_fallback,
    )


def _normalizers(spec: Any) -> Iterator[normalizers.Normalizer]:
    """SentencePiece's own order: characters, spaces at the ends and in a row, the space before all, the mark."""
    if spec.precompiled_charsmap:
        yield normalizers.Precompiled(spec.precompiled_charsmap)
    if spec.remove_extra_whitespaces:
        yield normalizers.Replace(Regex("^ +| +$"), "")
        yield normalizers.Replace(Regex(" {2,}"), " ")
    if spec.add_dummy_prefix:
        yield normalizers.Prepend("▁")
    yield normalizers.Replace(" ", "▁")


def _decoders(model: Any) -> Iterator[decoders.Decoder]:
    yield decoders.Replace("▁", " ")
    if model.trainer_spec.byte_fallback:
        yield decoders.ByteFallback()
    yield decoders.Fuse()
    if model.normalizer_spec.add_dummy_prefix:
        yield decoders.Strip(content=" ", left=1, right=0)


def _check_ids(model: Any, tokenizer: Tokenizer, name: str) -> None:
    processor = processor_of(model)
    for text in (*_PROBES, *_texts_of_pieces(model)):
        if processor.encode(text) != tokenizer.encode(text, add_special_tokens=False).ids:
            raise ModelError(
                f"{name} gives other ids than the tokenizer.json made of it, first for {text[:40]!r}.",
                "Name a folder with the tokenizer.json of its makers instead.",
            )


def _texts_of_pieces(model: Any) -> Iterator[str]:
    """Text of pieces from everywhere in the vocabulary, ten words at a time."""
    words = [piece.piece for piece in model.pieces if piece.type == NORMAL and piece.piece.startswith("▁")]
    words = words[:: max(len(words) // 2000, 1)]
    for start in range(0, len(words), 10):
        yield "".join(words[start : start + 10]).replace("▁", " ").strip()
