"""Tables are found through the architecture, whatever their names."""

from __future__ import annotations

import pico
import pytest
import torch
from transformers import Gemma3Config, PhiConfig

from hubadapt.checkpoint import find_tables, load_config, read_tensor, shard_map
from hubadapt.errors import ModelError
from hubadapt.model import load_model

NAMES = {
    "llama": ("model.embed_tokens.weight", "lm_head.weight"),
    "qwen2": ("model.embed_tokens.weight", "lm_head.weight"),
    "gpt_neox": ("gpt_neox.embed_in.weight", "embed_out.weight"),
}


@pytest.mark.parametrize("architecture", NAMES)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_tables_are_the_tensors_on_disk(tmp_path, architecture, tied):
    folder = pico.write_model(tmp_path / "model", architecture=architecture, tied=tied)
    tables = find_tables(load_config(folder))
    embedding, head = NAMES[architecture]
    assert (tables.embedding, tables.head) == (embedding, None if tied else head)
    assert tables.tied_head == (head if tied else None)
    assert set(tables.names) <= set(shard_map(folder))
    model = load_model(folder)
    assert torch.equal(read_tensor(folder, embedding), model.get_input_embeddings().weight)
    assert torch.equal(read_tensor(folder, tables.names[-1]), model.get_output_embeddings().weight)


def test_tables_of_a_text_model_within_another_are_found():
    config = Gemma3Config(
        text_config={"vocab_size": 96, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8},
        vision_config={"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 28, "patch_size": 14},
    )  # fmt: skip
    assert find_tables(config).names == ("language_model.model.embed_tokens.weight",)


def test_a_head_with_a_bias_is_refused():
    config = PhiConfig(
        vocab_size=32, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"lm_head\.bias has an entry for each token"):
        find_tables(config)
