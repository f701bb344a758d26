"""A vocabulary trained anew on several languages at set ratios, in the base's own dialect.

Source: CroissantLLM (arXiv 2402.00786) fits one BPE to French, English and code at set ratios. Its script forgot the
256 byte pieces, so that characters outside the alphabet vanished; here every byte is an ordinary entry. A Unigram
without byte pieces keeps the characters that the base has.
"""

from __future__ import annotations

import copy
import json
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from hubadapt.tokenizer.byte_level import byte_to_char
from hubadapt.tokenizer.families import Family, all_entries, family_of, unknown_entry
from hubadapt.tokenizer.renumber import renumbered_processor
from hubadapt.tokenizer.unigram_trainer import BYTE_PIECES, train_unigram
from hubadapt.tokenizer.vocabulary import NewVocabulary, Trained

_CHARACTERS = 8000
# Where SentencePiece cuts while it trains: before a space, around digits, and between letters and other characters.
_SPELLED_WORDS = Regex(r"▁?[\p{L}\p{M}]+|▁?\p{N}|▁?[^\s▁\p{L}\p{M}\p{N}]+|▁+|\s+")


def at_ratios(texts: Mapping[str, Sequence[str]], ratios: Mapping[str, float]) -> Iterator[str]:
    """Texts of several languages, repeated or left out so that their characters stand in the ratios asked.

    The language that is shortest for its ratio is taken as often as keeps the sum of all texts.

    Args:
        texts: Texts of each language.
        ratios: Share of each language, in any unit.

    Raises:
        ValueError: A language with a ratio has no text.
    """
    sizes = {language: sum(map(len, texts.get(language, ()))) for language in ratios}
    empty = [language for language, size in sizes.items() if not size]
    if empty:
        raise ValueError(f"there is no text in {', '.join(empty)}")
    total, parts = sum(sizes.values()), sum(ratios.values())
    for language, ratio in ratios.items():
        times, owed = total * ratio / parts / sizes[language], 0.0
        for text in texts[language]:
            owed += times
            yield from [text] * int(owed)
            owed -= int(owed)


def replace(content: dict[str, Any], texts: Iterable[str], *, size: int, old_rows: int) -> NewVocabulary:
    """Train a vocabulary of a given size, of the base's family, and put it in place of the old one.

    Added tokens, normaliser, pre-tokenizer, decoder and chat template stay. Entries that both vocabularies have are
    copied; each other one is made of the old entries that the old model segments it into.

    Args:
        content: The old `tokenizer.json`.
        texts: What to train on.
        size: Entries of the new vocabulary, added tokens included.
        old_rows: V_old.

    Raises:
        MissingExtraError: It is a Unigram, and the package sentencepiece is not installed.
        ValueError: `size` leaves no room beside bytes and added tokens, or the texts give fewer entries.
    """
    service, old = _service(content), all_entries(content)
    unigram = family_of(content) is Family.UNIGRAM
    if size <= len(service) + (0 if unigram else 256):
        raise ValueError(f"{size} entries leave no room beside {len(service)} added tokens and the bytes")
    trained = (train_unigram if unigram else _train_bpe)(content, texts, size - len(service))
    entries = [entry for entry in trained.entries if entry not in service]
    if len(service) + len(entries) < size:
        raise ValueError(f"the texts give {len(service) + len(entries):,} entries of the {size:,} asked")
    shared = [entry for entry in entries if entry in old]
    fresh = [entry for entry in entries if entry not in old]
    order = [*service, *shared, *fresh]
    segment = Tokenizer.from_str(json.dumps(content)).model.tokenize
    pieces = tuple(tuple(token.id for token in segment(entry)) for entry in fresh)
    copied = [old[entry] for entry in (*service, *shared)]
    new = copy.deepcopy({key: value for key, value in content.items() if key != "model"})
    new["model"] = trained.model(order)
    new_id = {index: place for place, index in enumerate(copied)}
    new["added_tokens"] = [{**token, "id": new_id[token["id"]]} for token in new.get("added_tokens", ())]
    new["post_processor"] = renumbered_processor(new.get("post_processor"), new_id)
    return NewVocabulary(new, copied, tuple(fresh), pieces, old_rows)


def _service(content: dict[str, Any]) -> list[str]:
    """Entries that stay whatever is trained: added tokens in their order, and the one for what is unknown."""
    added = [token["content"] for token in sorted(content.get("added_tokens", ()), key=lambda token: token["id"])]
    unknown = unknown_entry(content)
    return [*([unknown] if unknown and unknown not in added else []), *added]


def _train_bpe(content: dict[str, Any], texts: Iterable[str], size: int) -> Trained:
    spelled = family_of(content) is Family.BYTE_FALLBACK_BPE
    learner = Tokenizer(models.BPE())
    like = Tokenizer.from_str(json.dumps(content))
    if spelled:
        learner.normalizer = normalizers.Replace(" ", "▁")
        learner.pre_tokenizer = pre_tokenizers.Split(_SPELLED_WORDS, "isolated")
    else:
        if like.normalizer:
            learner.normalizer = like.normalizer
        learner.pre_tokenizer = like.pre_tokenizer
    room = size - len(BYTE_PIECES) if spelled else size
    alphabet = ["▁", *string.printable.strip()] if spelled else sorted(byte_to_char().values())
    # A byte-level alphabet is whole already; of a spelled one, rare characters are left to the byte pieces.
    limit: dict[str, Any] = {"limit_alphabet": min(_CHARACTERS, len(alphabet) + room // 4)} if spelled else {}
    trainer = trainers.BpeTrainer(vocab_size=room, show_progress=False, initial_alphabet=alphabet, **limit)
    learner.train_from_iterator(texts, trainer)
    model = json.loads(learner.to_str())["model"]
    entries = [*(BYTE_PIECES if spelled else ()), *sorted(model["vocab"], key=model["vocab"].__getitem__)]
    settings = {**content["model"], "merges": model["merges"]}
    return Trained(entries, lambda order: {**settings, "vocab": {entry: place for place, entry in enumerate(order)}})
