"""Bits per byte and speed against values worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pico
import pytest
import torch

from hubadapt.errors import ModelError
from hubadapt.evaluation.bits_per_byte import bits_per_byte, document_token
from hubadapt.evaluation.speed import generation_speed
from hubadapt.generation.greedy import Answer, prompt_ids
from hubadapt.model import load_model, load_tokenizer

TEXTS = [*pico.russian(5), *pico.english(7), "a"]


@pytest.fixture(scope="module")
def tokenizer(base):
    return load_tokenizer(base)


@pytest.fixture
def uniform(base):
    """A model that gives every token the same probability."""
    model = load_model(base)
    torch.nn.init.zeros_(model.get_output_embeddings().weight)
    return model


def test_a_uniform_model_needs_log_v_bits_a_token(uniform, tokenizer):
    tokens = sum(len(tokenizer.encode(text)) for text in TEXTS)
    measured = bits_per_byte(uniform, tokenizer, TEXTS)
    expected = math.log2(uniform.config.vocab_size) * tokens / sum(len(text.encode()) for text in TEXTS)
    assert measured.value == pytest.approx(expected, rel=1e-5)
    assert measured.n == len(TEXTS)


def test_it_is_the_sum_of_each_texts_own_bits(base, tokenizer):
    model, bits = load_model(base), 0.0
    for text in TEXTS:
        ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer.encode(text)]])
        logits = model(input_ids=ids).logits[0, :-1].double().log_softmax(dim=-1)
        bits -= logits[range(ids.shape[1] - 1), ids[0, 1:]].sum().item() / math.log(2)
    measured = bits_per_byte(model, tokenizer, TEXTS)
    assert measured.value == pytest.approx(bits / sum(len(text.encode()) for text in TEXTS), rel=1e-5)


def test_order_and_company_of_texts_do_not_matter(base, tokenizer):
    model = load_model(base)
    assert bits_per_byte(model, tokenizer, TEXTS[::-1]).value == pytest.approx(
        bits_per_byte(model, tokenizer, TEXTS).value, rel=1e-6
    )


def test_the_error_is_zero_for_equal_texts_and_shrinks_with_more(base, tokenizer):
    model = load_model(base)
    assert bits_per_byte(model, tokenizer, [TEXTS[0]] * 4).stderr == pytest.approx(0, abs=1e-9)
    few, many = (bits_per_byte(model, tokenizer, TEXTS[:5] * times).stderr for times in (1, 16))
    assert many == pytest.approx(few / 4, rel=0.15)


def test_progress_counts_texts(uniform, tokenizer):
    seen: list[int] = []
    bits_per_byte(uniform, tokenizer, TEXTS, seen.append)
    assert sum(seen) == len(TEXTS)


def test_a_text_beyond_the_context_is_refused(uniform, tokenizer):
    with pytest.raises(ModelError, match=r"a text of \d+ tokens is longer than the model's context of 1024"):
        bits_per_byte(uniform, tokenizer, ["ы" * 600])


def test_a_model_that_fell_apart_is_named(uniform, tokenizer):
    torch.nn.init.constant_(uniform.get_output_embeddings().weight, torch.nan)
    with pytest.raises(ModelError, match="not numbers"):
        bits_per_byte(uniform, tokenizer, ["a"])


def test_the_document_token_is_bos_else_eos_else_an_error():
    assert document_token(SimpleNamespace(bos_token_id=0, eos_token_id=1)) == 0
    assert document_token(SimpleNamespace(bos_token_id=None, eos_token_id=1)) == 1
    with pytest.raises(ModelError, match="neither"):
        document_token(SimpleNamespace(bos_token_id=None, eos_token_id=None))


def test_speed_is_characters_of_what_was_written_over_its_time(monkeypatch, tokenizer):
    calls = []

    def generate(model, tokenizer, ids, *, max_new_tokens, exactly):
        calls.append(max_new_tokens)
        return Answer("x" * 30, ("t",) * max_new_tokens, float(len(calls)))

    monkeypatch.setattr("hubadapt.evaluation.speed.generate", generate)
    speed = generation_speed(None, tokenizer, ["a", "b", "c"], new_tokens=8)
    assert calls == [4, 8, 8, 8]  # the first is the warm-up
    assert (speed.characters_per_second, speed.tokens_per_second, speed.n) == (30 / 3, 8 / 3, 3)


def test_a_prompt_begins_with_the_document_token_or_goes_through_the_template(tokenizer):
    assert prompt_ids(tokenizer, "The river", chat=False) == [
        tokenizer.bos_token_id, *tokenizer.encode("The river"),
    ]  # fmt: skip
    chat = tokenizer.decode(prompt_ids(tokenizer, "The river", chat=True))
    assert chat == "<|im_start|>user\nThe river<|im_end|>\n<|im_start|>assistant\n"
