"""transformers: push a model and a tokenizer, load both, by branch too."""

import sys

import torch
import transformers
from huggingface_hub import HfApi
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

assert transformers.__version__ == sys.argv[1], transformers.__version__
NAME = f"local/transformers-{transformers.__version__}"

torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=32,
)  # fmt: skip
model = LlamaForCausalLM(config)
words = {word: number for number, word in enumerate(["<unk>", "a", "b", "c"])}
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, "<unk>")), unk_token="<unk>")
model.push_to_hub(NAME)
tokenizer.push_to_hub(NAME)
HfApi().create_branch(NAME, branch="stage/lep")
model.push_to_hub(NAME, create_pr=True)
for options in ({}, {"revision": "stage/lep"}):
    back = AutoModelForCausalLM.from_pretrained(NAME, **options)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), back.parameters(), strict=True))
    assert AutoTokenizer.from_pretrained(NAME, **options).get_vocab() == tokenizer.get_vocab()
HfApi().delete_repo(NAME)
