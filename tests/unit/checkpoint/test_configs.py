"""Configuration files follow the vocabulary, at every level that speaks of it."""

from __future__ import annotations

import json

import pytest

from hubadapt.checkpoint.configs import changed_configs
from hubadapt.errors import ModelError


def changed(folder, config, changes, moved_ids=None):
    (folder / "config.json").write_text(json.dumps(config))
    return json.loads(changed_configs(folder, changes, moved_ids)["config.json"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 1}, {"a": 1, "vocab_size": 7}),
        ({"vocab_size": 5}, {"vocab_size": 7}),
        ({"text_config": {"vocab_size": 5}}, {"text_config": {"vocab_size": 7}}),
        ({"text_config": {}}, {"text_config": {"vocab_size": 7}}),
        ({"vocab_size": 5, "text_config": {"vocab_size": 5}}, {"vocab_size": 7, "text_config": {"vocab_size": 7}}),
        ({"vocab_size": 5, "text_config": {}}, {"vocab_size": 7, "text_config": {"vocab_size": 7}}),
        (
            {"text_config": {"vocab_size": 5}, "audio_config": {"vocab_size": 3}},
            {"text_config": {"vocab_size": 7}, "audio_config": {"vocab_size": 3}},
        ),
    ],
)
def test_every_level_that_has_a_key_and_the_text_model_get_it(tmp_path, before, after):
    assert changed(tmp_path, before, {"vocab_size": 7}) == after


def test_ids_follow_their_tokens_in_both_files(tmp_path):
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2], "top_k": 2}))
    config = {"eos_token_id": 2, "text_config": {"pad_token_id": 1}}
    assert changed(tmp_path, config, {}, {1: 11, 2: 12}) == {"eos_token_id": 12, "text_config": {"pad_token_id": 11}}
    generation = changed_configs(tmp_path, {}, {1: 11, 2: 12})["generation_config.json"]
    assert json.loads(generation) == {"eos_token_id": [11, 12], "top_k": 2}


def test_an_id_that_is_gone_is_named(tmp_path):
    with pytest.raises(ModelError, match="names the token id 2, which the new vocabulary does not keep"):
        changed(tmp_path, {"eos_token_id": 2}, {}, {1: 11})


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_generation_config_is_named(tmp_path, text):
    (tmp_path / "generation_config.json").write_text(text)
    with pytest.raises(ModelError, match=r"generation_config\.json is damaged"):
        changed_configs(tmp_path, {}, None)
