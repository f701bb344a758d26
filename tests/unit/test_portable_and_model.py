"""Folders that both major versions of transformers read, and loading that stops where a class disagrees with a file."""

from __future__ import annotations

import json
import shutil

import pico
import pytest
from transformers import AutoTokenizer

from hubadapt.errors import ModelError
from hubadapt.model import copy_tokenizer, load_model, load_tokenizer
from hubadapt.portable import make_portable, portable_model_config, portable_tokenizer_config
from hubadapt.usage import usage_snippet


@pytest.fixture
def folder(base, tmp_path):
    return shutil.copytree(base, tmp_path / "model")


def test_the_tokenizer_class_is_the_one_that_both_versions_know():
    config = {"tokenizer_class": "TokenizersBackend", "backend": "tokenizers", "is_local": True, "eos_token": "</s>"}
    assert portable_tokenizer_config(config) == {"eos_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast"}


def test_extra_special_tokens_are_named_as_version_4_names_them():
    assert portable_tokenizer_config({"extra_special_tokens": ["<a>"]})["additional_special_tokens"] == ["<a>"]
    assert portable_tokenizer_config({"extra_special_tokens": {"x": "<a>"}})["extra_special_tokens"] == {"x": "<a>"}


def test_rope_and_dtype_are_named_for_both_versions_and_paths_are_left_out():
    config = {
        "dtype": "bfloat16", "_name_or_path": "/home/me",
        "rope_parameters": {"rope_type": "llama3", "rope_theta": 5.0, "factor": 8.0},
    }  # fmt: skip
    portable = portable_model_config(config)
    assert portable["torch_dtype"] == portable["dtype"] == "bfloat16"
    assert portable["rope_theta"] == 5.0
    assert portable["rope_scaling"] == {"rope_type": "llama3", "factor": 8.0}
    assert "_name_or_path" not in portable
    assert "rope_scaling" not in portable_model_config({"rope_parameters": {"rope_type": "default", "rope_theta": 1.0}})


def test_making_portable_twice_is_making_it_once(folder):
    make_portable(folder)
    once = pico.listing(folder)
    make_portable(folder)
    assert pico.listing(folder) == once


def test_a_portable_folder_loads_as_before(base, folder):
    make_portable(folder)
    text = "The river, Утро 2026"
    assert load_tokenizer(folder).encode(text) == load_tokenizer(base).encode(text)
    assert load_model(folder).config.to_diff_dict().keys() >= {"vocab_size"}
    special = json.loads((folder / "special_tokens_map.json").read_text())
    assert special == {"bos_token": pico.SPECIALS[0], "eos_token": pico.SPECIALS[0]}


def test_a_tokenizer_whose_class_gives_other_ids_is_refused(base, tmp_path, monkeypatch):
    other = AutoTokenizer.from_pretrained(pico.write_tokenizer(tmp_path / "other", "byte-fallback"))
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda folder: other)
    with pytest.raises(ModelError, match=r"gives other ids than .*/tokenizer\.json"):
        load_tokenizer(base)


def test_a_tokenizer_whose_class_cannot_use_the_file_is_refused(folder):
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"tokenizer_class": "BertTokenizer"}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_tokenizer(folder)


def test_only_tokenizer_files_are_copied(base, tmp_path):
    copy_tokenizer(base, tmp_path / "new" / "deep")
    assert {path.name for path in (tmp_path / "new" / "deep").iterdir()} == {
        "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
    }  # fmt: skip


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("prompt", ["Утро", 'it\'s "quoted"\\n', "{braces}"])
def test_a_usage_snippet_is_valid_python_that_holds_the_prompt(chat, prompt):
    code = usage_snippet("some/model", prompt=prompt, max_new_tokens=7, chat=chat)
    compile(code, "snippet", "exec")
    assert repr(prompt) in code and "max_new_tokens=7" in code
