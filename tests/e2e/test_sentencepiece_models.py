"""The whole pipeline on bases with a SentencePiece `tokenizer.model`: every model it writes has one that is in step."""

from __future__ import annotations

import pico
import pytest
import sentencepieces
from sentencepiece import SentencePieceProcessor
from transformers import AutoModelForCausalLM, AutoTokenizer

RUSSIAN, ENGLISH = " ".join(pico.russian(20)), " ".join(pico.english(20))


ANEW = {"method": "replace", "new_tokens": 160, "ratios": {"ru": 1, "en": 1}}


@pytest.fixture(scope="module", params=["bpe", "unigram", "unigram, trained anew"])
def adapted(request, tmp_path_factory) -> pico.Workshop:
    place = tmp_path_factory.mktemp("sentencepiece")
    kind, _, anew = request.param.partition(", ")
    base = sentencepieces.write_model(place / "base", kind, spare_rows=3)
    workshop = pico.Workshop.build(place / "work", base=base, sibling=True, without=("evaluate", "sample"))
    if anew:
        workshop.stage("corpus")["also_split"] = ["en"]
        workshop.stage("tokenizer").clear()
        workshop.stage("tokenizer").update(ANEW)
    workshop.stage("pretrain").update(steps=2)
    workshop.write()
    workshop.run()
    return workshop


@pytest.fixture(params=["tokenizer", "embed", "pretrain", "propagate-instruct"])
def folder(request, adapted):
    return adapted.out / next(made.folder for made in adapted.manifest.artifacts() if made.name == request.param)


def test_every_folder_has_a_model_that_gives_the_ids_of_its_tokenizer(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    processor = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    for text in (RUSSIAN, ENGLISH, "Ёж и щука: 3.14 🙂"):
        assert tokenizer.encode(text, add_special_tokens=False) == processor.encode(text)


def test_the_tables_have_a_row_for_every_piece(adapted):
    folder = adapted.out / next(made.folder for made in adapted.manifest.artifacts() if made.name == "pretrain")
    rows = len(AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().weight)
    assert rows == len(SentencePieceProcessor(model_file=str(folder / "tokenizer.model")))


def test_russian_takes_fewer_tokens_and_english_as_many_unless_all_is_trained_anew(adapted, folder):
    old = SentencePieceProcessor(model_file=str(adapted.folder / "base" / "tokenizer.model"))
    new = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    assert len(new.encode(RUSSIAN)) < 0.8 * len(old.encode(RUSSIAN))
    if "ratios" not in adapted.stage("tokenizer"):
        assert new.encode(ENGLISH) == old.encode(ENGLISH)
