"""transformers and datasets, each in a process of its own where only HF_ENDPOINT is set."""

from __future__ import annotations

import pytest

TRANSFORMERS = """
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=32,
)
model = LlamaForCausalLM(config)
words = {word: number for number, word in enumerate(["<unk>", "a", "b", "c"])}
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, "<unk>")), unk_token="<unk>")
model.push_to_hub("local/pico")
tokenizer.push_to_hub("local/pico")
back = AutoModelForCausalLM.from_pretrained("local/pico")
assert all(torch.equal(a, b) for a, b in zip(model.parameters(), back.parameters(), strict=True))
assert AutoTokenizer.from_pretrained("local/pico").get_vocab() == tokenizer.get_vocab()
print("done")
"""

DATASETS = """
from datasets import Dataset, load_dataset

rows = Dataset.from_dict({"text": [f"row {number}" for number in range(100)], "number": list(range(100))})
rows.push_to_hub("local/rows")
rows.select(range(10)).push_to_hub("local/rows", config_name="few", split="test")
assert load_dataset("local/rows", split="train")[99] == {"text": "row 99", "number": 99}
assert len(load_dataset("local/rows", "few", split="test")) == 10
streamed = list(load_dataset("local/rows", split="train", streaming=True))
assert [row["number"] for row in streamed] == list(range(100))
print("done")
"""


@pytest.fixture(scope="module")
def scripts(hub, tmp_path_factory):
    # Both start at once: most of their time goes into imports.
    codes = {"transformers": TRANSFORMERS, "datasets": DATASETS}
    started = {name: hub.python(code, tmp_path_factory.mktemp(name)) for name, code in codes.items()}
    yield started
    for process in started.values():
        process.kill()
        process.wait()


def finish(process):
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error[-4000:]
    assert "done" in out


def test_datasets_pushes_loads_and_streams(hub, scripts):
    finish(scripts["datasets"])
    files = hub.api().list_repo_files("local/rows", repo_type="dataset")
    assert any(path.endswith(".parquet") for path in files)


def test_transformers_pushes_and_loads_a_model(hub, scripts):
    finish(scripts["transformers"])
    assert "model.safetensors" in hub.api().list_repo_files("local/pico")
