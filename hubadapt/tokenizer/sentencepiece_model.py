"""Reads a SentencePiece model, `tokenizer.model` or `spiece.model`, and keeps it in step with a `tokenizer.json`.

Ids that no entry has, such as padding rows of the base before the first new token, are pieces of type UNUSED with names
of their own (`<unused row 32000>`): SentencePiece has no ids without a piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from hubadapt.errors import MissingExtraError, ModelError, UserError
from hubadapt.manifest import write_atomic
from hubadapt.portable import SENTENCEPIECE_MODELS
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import Family, all_entries, family_of, read_tokenizer_json
from hubadapt.tokenizer.unigram import unused_name
from hubadapt.tokenizer.vocabulary import NewVocabulary

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of pieces, as sentencepiece_model.proto numbers them."""

_SPELLED = (Family.BYTE_FALLBACK_BPE, Family.UNIGRAM)
_PROBES = ("The quick brown fox, 3.14159!", "for i in range(10):\n    print(i)", "Ça coûte 12,50 €. Größe", "今日は 🙂")


def read_model(path: Path) -> Any:
    """The content of a SentencePiece model, a protobuf `ModelProto`.

    Raises:
        MissingExtraError: The package sentencepiece is not installed.
        ModelError: The file is missing or damaged, or is no SentencePiece model.
    """
    messages = _messages()
    from google.protobuf.message import DecodeError

    model = messages.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise _damaged(path) from error
    # Protobuf reads a file that was cut between two fields: the specs stand behind the pieces.
    if not model.pieces or not model.HasField("trainer_spec") or not model.HasField("normalizer_spec"):
        raise _damaged(path)
    try:
        processor_of(model)
    except RuntimeError as error:
        raise _damaged(path) from error
    return model


def processor_of(model: Any) -> SentencePieceProcessor:
    """SentencePiece itself, with a model.

    Raises:
        RuntimeError: SentencePiece finds the model inconsistent.
    """
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_proto=model.SerializeToString())


def model_problems(base: Path) -> Iterator[UserError]:
    """Why a base's SentencePiece models cannot be kept in step: one is damaged, or the package is missing.

    Raises:
        ModelError: The base's `tokenizer.json` is damaged.
    """
    if family_of(read_tokenizer_json(base)) in _SPELLED:
        for path in _models_in(base):
            try:
                read_model(path)
            except UserError as error:
                yield error


def keep_in_step(base: Path, folder: Path, vocabulary: NewVocabulary) -> dict[str, str]:
    """Write the base's SentencePiece models anew, so that they give the ids of a changed vocabulary.

    Pieces of old entries are copied with their scores. New ones are of type NORMAL: in a BPE their scores fall from
    below the lowest old one in the order of their ids, which is that of their merges; in a Unigram they are those of
    the vocabulary. Added tokens that the base's file lacks become CONTROL or USER_DEFINED, ids without an entry UNUSED.

    Args:
        base: Folder of the base. It may have no such file, or one of the name that is no SentencePiece model.
        folder: Folder of the changed tokenizer.
        vocabulary: The changed vocabulary.

    Returns:
        Names of the base's files that were left out, so that readers take `tokenizer.json`, each with the reason.

    Raises:
        MissingExtraError: The base has one, and the package sentencepiece is not installed.
        ModelError: The base's is damaged.
    """
    old, left_out = read_tokenizer_json(base), {}
    for path in _models_in(base):
        (folder / path.name).unlink(missing_ok=True)
        reason = _write_in_step(path, old, folder, vocabulary)
        if reason is not None:
            left_out[path.name] = reason
    return left_out


def _write_in_step(path: Path, old: dict[str, Any], folder: Path, vocabulary: NewVocabulary) -> str | None:
    """Write one model anew; or why there is none that gives the same ids."""
    if family_of(old) not in _SPELLED:
        return f"beside a {family_of(old)} it is a file of another format"
    model = read_model(path)
    before = processor_of(model)
    missing = _replace_pieces(model, vocabulary)
    if missing is not None:
        return f"the base's has no piece {missing!r}, which its tokenizer.json has"
    try:
        after = processor_of(model)
    except RuntimeError as error:
        return f"SentencePiece does not load it: {error}"
    reference = Tokenizer.from_str(json.dumps(old, ensure_ascii=False))
    for text in _probes(vocabulary):
        if _agree(after, vocabulary.tokenizer, text) < _agree(before, reference, text):
            return f"it would give other ids than tokenizer.json, first for {text[:40]!r}"
    write_atomic(folder / path.name, model.SerializeToString(deterministic=True))
    return None


def _messages() -> Any:
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        raise MissingExtraError(f"reading a SentencePiece {SENTENCEPIECE_MODELS[0]}", "sentencepiece") from error
    return sentencepiece_model_pb2


def _damaged(path: Path) -> ModelError:
    return ModelError(f"{path} is no readable SentencePiece model.", "Download or copy the tokenizer again.")


def _models_in(base: Path) -> list[Path]:
    return [base / name for name in SENTENCEPIECE_MODELS if (base / name).is_file()]


def _replace_pieces(model: Any, vocabulary: NewVocabulary) -> str | None:
    """Give a model the pieces of a vocabulary, in order of id; or the first old entry that is no piece of it."""
    old = {piece.piece: piece for piece in model.pieces}
    lowest = min((piece.score for piece in model.pieces), default=0.0)
    added = {token["content"]: token for token in vocabulary.content.get("added_tokens", ())}
    scores = _scores(vocabulary, lowest)
    made = {*vocabulary.tokens}
    by_id = {index: entry for entry, index in all_entries(vocabulary.content).items()}
    pieces = []
    for index in range(max(by_id) + 1):
        entry = by_id.get(index)
        if entry is None or entry == unused_name(index):
            pieces.append(_piece(model, unused_name(index), 0.0, UNUSED))
        elif entry in old:
            pieces.append(old[entry])
            if old[entry].type == NORMAL and entry in scores:
                pieces[-1].score = scores[entry]
        elif entry in made:
            pieces.append(_piece(model, entry, scores[entry], NORMAL))
        elif entry in added:
            pieces.append(_piece(model, entry, 0.0, CONTROL if added[entry]["special"] else USER_DEFINED))
        else:
            return entry
    new = type(model)(pieces=pieces)
    del model.pieces[:]
    model.pieces.extend(new.pieces)
    _renumber(model.trainer_spec, {piece.piece: index for index, piece in enumerate(new.pieces)})
    return None


def _piece(model: Any, name: str, score: float, kind: int) -> Any:
    return type(model).SentencePiece(piece=name, score=score, type=kind)


def _scores(vocabulary: NewVocabulary, lowest: float) -> dict[str, float]:
    """The scores of a Unigram, or those of the new entries of a BPE."""
    if family_of(vocabulary.content) is Family.UNIGRAM:
        return dict(map(tuple, vocabulary.content["model"]["vocab"]))
    # Scores are 32-bit floats, and some models mark pieces for the very end with -1e9: a step of 1 would vanish there.
    step = max(1.0, 2 * float(np.spacing(np.float32(abs(lowest)))))
    return {token: lowest - step * (place + 1) for place, token in enumerate(vocabulary.tokens)}


def _renumber(spec: Any, index: Mapping[str, int]) -> None:
    spec.vocab_size = len(index)
    for role in ("unk", "bos", "eos", "pad"):
        if getattr(spec, f"{role}_id") >= 0:
            setattr(spec, f"{role}_id", index.get(getattr(spec, f"{role}_piece"), -1))


def _probes(vocabulary: NewVocabulary) -> Iterator[str]:
    """Text of every new token and of old ones from everywhere in the vocabulary."""
    to_text = dialect_of(vocabulary.content).to_text
    marked = {token["content"] for token in vocabulary.content.get("added_tokens", ())}
    entries = [entry for entry in all_entries(vocabulary.content) if entry not in marked]
    yield from _PROBES
    for token in (*vocabulary.tokens, *entries[:: max(len(entries) // 2000, 1)]):
        # A space before all text is where class-built tokenizers and SentencePiece part anyway.
        text = (to_text(token) or "").strip()
        if text:
            yield text
            yield f"{text}, {text}{text}"


def _agree(processor: SentencePieceProcessor, tokenizer: Tokenizer, text: str) -> bool:
    return bool(processor.encode(text) == tokenizer.encode(text, add_special_tokens=False).ids)
