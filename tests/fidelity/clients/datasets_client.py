"""datasets: push two configurations, load them whole and streamed."""

import sys

import datasets
from datasets import Dataset, load_dataset
from huggingface_hub import HfApi

assert datasets.__version__ == sys.argv[1], datasets.__version__
NAME = f"local/datasets-{datasets.__version__}"

rows = Dataset.from_dict({"text": [f"row {number}" for number in range(1000)], "number": list(range(1000))})
rows.push_to_hub(NAME)
rows.select(range(10)).push_to_hub(NAME, config_name="few", split="test")
assert load_dataset(NAME, split="train")[99] == {"text": "row 99", "number": 99}
assert len(load_dataset(NAME, "few", split="test")) == 10
streamed = list(load_dataset(NAME, split="train", streaming=True))
assert [row["number"] for row in streamed] == list(range(1000))
HfApi().delete_repo(NAME, repo_type="dataset")
