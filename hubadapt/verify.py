"""Loads published models as a downstream user would, and compares with what the run recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from hubadapt.errors import HubError, ManifestError
from hubadapt.lineage import Names
from hubadapt.types import Manifest

TOLERANCE = 1e-3
_READER = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
model_id, text, top_ids = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(model_id)
model = AutoModelForCausalLM.from_pretrained(model_id).eval()
ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
logits = model(input_ids=ids).logits[0, -1].float()
print("\\n" + json.dumps({"ids": ids[0].tolist(), "top_logits": logits[top_ids].tolist()}))
"""


def verify_published(
    manifest: Manifest, names: Names, *, endpoint: str, python: str = sys.executable
) -> dict[str, float]:
    """Load every measured model of a run from a Hub, in a fresh process each, and compare ids and logits.

    Nothing of hubadapt is used there: only transformers, with `HF_ENDPOINT` set and an empty cache.

    Args:
        manifest: The run, with an evaluate stage.
        names: What the models are called on the Hub.
        endpoint: The Hub.
        python: Interpreter to use, such as one with another version of transformers.

    Returns:
        Largest difference of the recorded logits, by artifact.

    Raises:
        ManifestError: The run recorded nothing to compare with.
        HubError: A model cannot be loaded, or gives other ids or logits than recorded.
    """
    made = {artifact.name for artifact in manifest.artifacts() if artifact.kind == "model"}
    probes = {
        name: probe
        for record in manifest.stages
        for name, probe in record.facts.get("probes", {}).items()
        if name in made
    }
    if not probes:
        raise ManifestError(
            f"the run {manifest.name} measured no model that it made.", "Add `- evaluate` to the recipe."
        )
    return {name: _compare(names[name], probe, endpoint, python) for name, probe in probes.items()}


def _compare(model_id: str, probe: dict[str, Any], endpoint: str, python: str) -> float:
    found = _read(model_id, probe, endpoint, python)
    if found["ids"] != probe["ids"]:
        raise HubError(
            f"{model_id} gives other ids than the run recorded: {found['ids'][:8]}… for {probe['ids'][:8]}….",
            "Push the run again; if it stays, the reader's transformers does not know this tokenizer.",
        )
    difference = max(abs(a - b) for a, b in zip(found["top_logits"], probe["top_logits"], strict=True))
    if difference > TOLERANCE:
        raise HubError(
            f"{model_id} gives logits that differ by {difference:.2g} from those the run recorded.",
            "Push the run again; if it stays, compare config.json as the reader sees it.",
        )
    return float(difference)


def _read(model_id: str, probe: dict[str, Any], endpoint: str, python: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        environment = {**_bare_environment(), "HF_ENDPOINT": endpoint, "HF_HOME": home}
        done = subprocess.run(
            [python, "-W", "ignore", "-c", _READER, model_id, probe["text"], json.dumps(probe["top_ids"])],
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise HubError(f"{model_id} cannot be loaded from {endpoint}: {last}", "Push the run again.")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _bare_environment() -> dict[str, str]:
    hidden = ("HF_", "HUGGING", "TRANSFORMERS_", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
