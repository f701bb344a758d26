"""Of a conversation only the answers are learnt, each up to the token that ends it, whatever the template."""

from __future__ import annotations

import pico
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import mixed_text
from transformers import AutoTokenizer

from hubadapt.errors import ModelError
from hubadapt.training.answers import answer_labels, stop_ids


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return AutoTokenizer.from_pretrained(pico.write_tokenizer(tmp_path_factory.mktemp("answers")))


@pytest.fixture(scope="module")
def stop(tokenizer) -> int:
    return tokenizer.convert_tokens_to_ids("<|im_end|>")


def spans(ids, labels, stop):
    """What is learnt, cut after each stop."""
    found, current = [], []
    for index, label in zip(ids, labels, strict=True):
        assert label in (index, -100)
        if label >= 0:
            current.append(label)
        if label == stop:
            found.append(current)
            current = []
    assert not current
    return found


contents = mixed_text.filter(lambda text: text.strip() and not any(token in text for token in pico.SPECIALS))


@given(turns=st.lists(st.tuples(contents, contents), min_size=1, max_size=3), system=st.none() | contents)
def test_what_is_learnt_is_what_the_model_would_write(tokenizer, stop, turns, system):
    messages = [{"role": "system", "content": system}] if system else []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    ids, labels = answer_labels(messages, tokenizer, {stop})
    learnt = spans(ids, labels, stop)
    assert [tokenizer.decode(span[:-1]) for span in learnt] == [
        tokenizer.decode(tokenizer.encode(answer)) for _, answer in turns
    ]
    assert tokenizer.decode(ids) == tokenizer.decode(
        tokenizer(tokenizer.apply_chat_template(messages, tokenize=False))["input_ids"]
    )


def test_a_template_that_ends_answers_with_no_stop_is_refused(tokenizer):
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good morning"}]
    with pytest.raises(ModelError) as caught:
        answer_labels(messages, tokenizer, {tokenizer.eos_token_id})
    assert caught.value.problem == (
        "the chat template ends an answer with 'Good morning<|im_end|>\\n', but generation stops at '<|endoftext|>'."
    )


def test_a_template_that_writes_earlier_turns_anew_is_refused(tokenizer, stop):
    messages = [{"role": role, "content": word} for word in "abcd" for role in ("user", "assistant")]
    usual = tokenizer.chat_template
    try:
        tokenizer.chat_template = usual.replace("for message in messages", "for message in messages[-2:]")
        with pytest.raises(ModelError, match="writes earlier turns anew as a conversation goes on, first at message"):
            answer_labels(messages, tokenizer, {stop})
    finally:
        tokenizer.chat_template = usual


@pytest.mark.parametrize(("named", "expected"), [(5, {5}), ([5, 7], {5, 7}), (None, {0})])
def test_generation_stops_where_its_configuration_says_or_at_the_end_of_text(named, expected):
    class Holder:
        eos_token_id = named

    class Model:
        generation_config = Holder

    class Tokenizer:
        eos_token_id = 0

    assert stop_ids(Model, Tokenizer) == expected
