"""Unigram folders as T5 and XLM-RoBERTa have them: sentinels, ids moved by one, padded tables, other file names."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pico
import pytest
import sentencepieces
from hypothesis import assume, given
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from strategies import mixed_text, other_text
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from hubadapt.model import load_tokenizer
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.folder import write_folder
from hubadapt.tokenizer.gates import Trial, try_gates
from hubadapt.tokenizer.vocabulary import NewVocabulary

_NORMAL = {"normalization_rule_name": "nmt_nfkc", "character_coverage": 1.0, "num_threads": 1, "minloglevel": 2}
STYLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "T5": ("T5Tokenizer", "spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "XLM-RoBERTa": ("XLMRobertaTokenizer", "sentencepiece.bpe.model", {"unk_id": 0, "bos_id": 1, "eos_id": 2}),
}
"""Class, name of its model, and the ids that its special pieces have there."""


@dataclass(frozen=True, repr=False)
class Pair:
    """A base of a style, and what it was extended to."""

    style: str
    base: Path
    folder: Path
    vocabulary: NewVocabulary
    left_out: dict[str, str]
    old: Tokenizer
    new: Tokenizer


def write_base(folder: Path, style: str) -> Path:
    """A folder as transformers saves it, with the model that it was made of beside."""
    kind, name, ids = STYLES[style]
    written = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([*pico.english(300, seed=5), *pico.russian(6, seed=4)]), model_writer=written,
        vocab_size=120, model_type="unigram", **_NORMAL, **ids,
    )  # fmt: skip
    folder.mkdir()
    (folder / name).write_bytes(written.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}), "utf-8")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = pico.CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=STYLES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    place = tmp_path_factory.mktemp("styles")
    base, folder = write_base(place / "base", request.param), place / "new"
    content = json.loads((base / "tokenizer.json").read_text("utf-8"))
    rows = -(-(max(all_entries(content).values()) + 1) // 128) * 128
    vocabulary = sentencepieces.learnt(content, pico.russian()).first(content, 60, first_id=rows, old_rows=rows)
    left_out = write_folder(base, folder, vocabulary)
    old, new = (Tokenizer.from_file(str(each / "tokenizer.json")) for each in (base, folder))
    return Pair(request.param, base, folder, vocabulary, left_out, old, new)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def test_every_gate_holds(pair):
    trial = Trial.of_folders(pair.base, pair.folder, pair.vocabulary, scripts=("Cyrillic",), target=pico.russian(20))
    gates = try_gates(trial)
    assert {"loading", "old-ids", "scores", "chat"} <= {gate.name for gate in gates}
    assert not [gate for gate in gates if gate.failed]


def test_russian_takes_fewer_tokens_and_all_that_is_new_is_used(pair):
    texts = pico.russian()
    assert sum(len(ids(pair.new, text)) for text in texts) < 0.8 * sum(len(ids(pair.old, text)) for text in texts)
    first = pair.vocabulary.old_rows
    used = {index for text in texts for index in ids(pair.new, text) if index >= first}
    assert used == {*range(first, first + len(pair.vocabulary.tokens))}


@given(text=other_text)
def test_other_text_keeps_its_ids(pair, text):
    assert ids(pair.new, text) == ids(pair.old, text)


def test_special_tokens_and_sentinels_keep_their_ids_and_roles(pair):
    before, after = load_tokenizer(pair.base), load_tokenizer(pair.folder)
    assert after.special_tokens_map == before.special_tokens_map
    assert after.all_special_ids == before.all_special_ids
    assert after("The river <extra_id_7> flows")["input_ids"] == before("The river <extra_id_7> flows")["input_ids"]


@given(text=mixed_text)
def test_a_model_whose_ids_are_those_of_the_file_beside_it_is_kept_in_step(pair, text):
    assume(not any(token in text for token in all_entries(pair.vocabulary.content) if token.startswith("<")))
    path = pair.folder / STYLES[pair.style][1]
    if pair.style == "T5":
        models = [SentencePieceProcessor(model_file=str(each / path.name)) for each in (pair.base, pair.folder)]
        if models[0].encode(text) == ids(pair.old, text):
            assert models[1].encode(text) == ids(pair.new, text)
    else:
        assert not path.exists()


def test_a_model_whose_ids_are_others_is_left_out_with_the_reason(pair):
    others = {"sentencepiece.bpe.model": "it holds the vocabulary as it was"}
    assert pair.left_out == ({} if pair.style == "T5" else others)
