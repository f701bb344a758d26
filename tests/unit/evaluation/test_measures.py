"""Bits per byte, generated text and speed against values worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pico
import pytest
import torch

from hubadapt.errors import ModelError
from hubadapt.evaluation.bits_per_byte import bits_per_byte, document_token
from hubadapt.evaluation.generated import generated_characters_per_token
from hubadapt.evaluation.speed import generation_speed
from hubadapt.generation.greedy import Answer, generate, generate_batch, prompt_ids
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


def test_speed_is_the_median_over_prompts_after_a_warm_up(monkeypatch, tokenizer):
    calls = []

    def timed(model, tokenizer, ids, *, max_new_tokens, exactly):
        calls.append(max_new_tokens)
        return Answer("x" * 30, ("t",) * max_new_tokens, {1: 99.0, 2: 2.0, 3: 1.0, 4: 50.0}[len(calls)])

    monkeypatch.setattr("hubadapt.evaluation.speed.generate", timed)
    advanced: list[int] = []
    assert generation_speed(None, tokenizer, ["a", "b", "c"], new_tokens=8, advance=advanced.append) == 8 / 2
    assert calls == [4, 8, 8, 8] and advanced == [1, 1, 1]


def test_many_prompts_at_once_are_continued_as_each_alone(base, tokenizer):
    model = load_model(base)
    sequences = [prompt_ids(tokenizer, text, chat=False) for text in TEXTS]
    assert len({len(ids) for ids in sequences}) > 5
    written = generate_batch(model, tokenizer, sequences, new_tokens=9)
    alone = [generate(model, tokenizer, ids, max_new_tokens=9, exactly=True).tokens for ids in sequences]
    assert [tuple(tokenizer.decode([token]) for token in ids) for ids in written] == alone
    assert [generate_batch(model, tokenizer, [ids], new_tokens=9)[0] for ids in sequences] == written


def test_the_end_of_a_text_does_not_end_a_continuation(base, tokenizer):
    model = load_model(base)
    sequences = [prompt_ids(tokenizer, text, chat=False) for text in TEXTS[:3]]
    end = generate_batch(model, tokenizer, sequences, new_tokens=5)[0][0]
    model.generation_config.eos_token_id = end
    written = generate_batch(model, tokenizer, sequences, new_tokens=5)
    assert [len(ids) for ids in written] == [5, 5, 5]
    assert all(end not in ids for ids in written)


def test_a_tokenizer_without_padding_or_end_can_be_batched(base, tokenizer):
    model = load_model(base)
    sequences = [prompt_ids(tokenizer, text, chat=False) for text in TEXTS]
    bare = SimpleNamespace(pad_token_id=None, eos_token_id=None)
    assert generate_batch(model, bare, sequences, new_tokens=3) == generate_batch(
        model, tokenizer, sequences, new_tokens=3
    )


def test_generated_characters_are_those_of_the_decoded_continuations(base, tokenizer, monkeypatch):
    model = load_model(base)
    sequences = [prompt_ids(tokenizer, text, chat=False) for text in TEXTS]
    texts = [generate(model, tokenizer, ids, max_new_tokens=7, exactly=True).text for ids in sequences]
    monkeypatch.setattr("hubadapt.evaluation.generated._BATCH", 5)
    advanced: list[int] = []
    measured = generated_characters_per_token(model, tokenizer, TEXTS, new_tokens=7, advance=advanced.append)
    assert measured.value == pytest.approx(sum(map(len, texts)) / (7 * len(TEXTS)))
    assert measured.n == len(TEXTS) and measured.stderr > 0
    assert advanced == [5, 5, 3]
    assert measured == generated_characters_per_token(model, tokenizer, TEXTS, new_tokens=7)


def test_a_prompt_begins_with_the_document_token_or_goes_through_the_template(tokenizer):
    assert prompt_ids(tokenizer, "The river", chat=False) == [
        tokenizer.bos_token_id, *tokenizer.encode("The river"),
    ]  # fmt: skip
    chat = tokenizer.decode(prompt_ids(tokenizer, "The river", chat=True))
    assert chat == "<|im_start|>user\nThe river<|im_end|>\n<|im_start|>assistant\n"
