"""Whatever `tokenizers` and transformers raise on a file becomes one error in two lines."""

from __future__ import annotations

import json

import pico
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.errors import ModelError
from hubadapt.loading import attempt, auto_tokenizer, open_tokenizer

CONTENT = json.loads(pico.byte_level_tokenizer().to_str())


def test_a_file_and_its_content_give_the_same_tokenizer(base):
    path = base / "tokenizer.json"
    one, other = (open_tokenizer(source, "of base") for source in (path, json.loads(path.read_text("utf-8"))))
    assert one.to_str() == other.to_str()


@pytest.mark.parametrize(
    "error", [Exception("first\nsecond"), KeyError("vocab"), RuntimeError(), OSError("no such file")]
)
def test_whatever_is_raised_keeps_its_first_line_and_its_cause(error):
    def fail():
        raise error

    with pytest.raises(ModelError) as caught:
        attempt(fail, "the tokenizer of base cannot be loaded")
    problem, hint = str(caught.value).splitlines()
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    assert problem == f"the tokenizer of base cannot be loaded: {reason}"
    assert hint and caught.value.__cause__ is error


def test_ctrl_c_is_no_fault_of_a_file():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(stop, "x")


@given(
    key=st.sampled_from(["version", "model", "pre_tokenizer", "decoder"]),
    value=st.sampled_from([3, "x", [1], {"a": 1}]),
)
def test_content_with_a_part_of_another_kind_is_refused(key, value):
    with pytest.raises(ModelError, match="the tokenizer of base cannot be loaded: "):
        open_tokenizer(CONTENT | {key: value}, "of base")


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(ModelError, match=f"the tokenizer of {tmp_path} cannot be loaded: "):
        auto_tokenizer(tmp_path)
