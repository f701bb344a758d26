"""Ids and logits of recorded texts: in this process, or as a downstream user reads them, with transformers alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from hubadapt.errors import HubError, ManifestError
from hubadapt.lineage import Names
from hubadapt.types import Manifest
from hubadapt.verify.finding import Finding, differs, number, same
from hubadapt.verify.record import named_facts, read_facts

TOLERANCE = 1e-3
_READER = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
model_id, revision, text, top_ids = *sys.argv[1:4], json.loads(sys.argv[4])
tokenizer = AutoTokenizer.from_pretrained(model_id, revision=revision, trust_remote_code=False)
model = AutoModelForCausalLM.from_pretrained(model_id, revision=revision, trust_remote_code=False).float().eval()
ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
logits = model(input_ids=ids).logits[0, -1].float()
print("\\n" + json.dumps({"ids": ids[0].tolist(), "top_logits": logits[top_ids].tolist()}))
"""


class Reading(BaseModel):
    """Ids of a text, and logits after it."""

    ids: list[int]
    top_logits: list[float]


class Probe(Reading):
    """What a run recorded of a model: a text, its ids, and the highest logits after it with their ids."""

    text: str
    top_ids: list[int]


def probes_of(manifest: Manifest) -> dict[str, Probe]:
    """The probes of a run, by model.

    Raises:
        HubError: The record is damaged.
    """
    told = named_facts(manifest, "probes")
    return {name: read_facts(Probe, probe, f"the probe of {name}") for name, probe in told.items()}


def reading_findings(probe: Probe, found: Reading, where: str = "") -> Iterator[Finding]:
    """What became of a probe.

    Args:
        probe: What was recorded.
        found: What was read.
        where: By whom, for the table, where it was not this process.
    """
    ids, logits = f"ids of a recorded text{where}", f"logits after it{where}"
    if found.ids != probe.ids:
        yield differs(ids, f"{probe.ids[:6]}…", f"{found.ids[:6]}…", "the tokenizer was changed, or is not known there")
    else:
        yield same(ids, f"{len(probe.ids)} ids")
    if len(found.top_logits) != len(probe.top_logits) or not found.top_logits:
        yield differs(logits, f"{len(probe.top_logits)} values", f"{len(found.top_logits)} values", "ids out of range")
        return
    place = max(range(len(found.top_logits)), key=lambda at: abs(found.top_logits[at] - probe.top_logits[at]))
    claimed, measured = probe.top_logits[place], found.top_logits[place]
    yield number(logits, claimed, measured, within=TOLERANCE, reason="rounding of float32; the one farthest off")


def read_here(model: Any, tokenizer: Any, probe: Probe) -> Reading:
    """Read a probe's text with a model in this process, in the model's dtype."""
    import torch

    ids = tokenizer.encode(probe.text, add_special_tokens=False)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1].float()
    return Reading(ids=ids, top_logits=[float(logits[at]) for at in probe.top_ids if 0 <= at < len(logits)])


def read_elsewhere(model_id: str, revision: str, probe: Probe, *, endpoint: str, python: str) -> Reading:
    """Read a probe's text in a fresh process that has transformers alone, an empty cache, and the Hub's address.

    Args:
        model_id: Hub id.
        revision: Branch, tag or commit.
        probe: The text, and of which ids the logits are told.
        endpoint: The Hub.
        python: Interpreter to use, such as one with another version of transformers.

    Raises:
        HubError: The model cannot be loaded there.
    """
    from huggingface_hub import get_token

    token = get_token()
    with tempfile.TemporaryDirectory() as home:
        environment = {**_bare_environment(), "HF_ENDPOINT": endpoint, "HF_HOME": home}
        done = subprocess.run(
            [python, "-W", "ignore", "-c", _READER, model_id, revision, probe.text, json.dumps(probe.top_ids)],
            env=environment | ({"HF_TOKEN": token} if token else {}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise HubError(f"{model_id} cannot be loaded from {endpoint}: {last}", "Push the run again.")
    return Reading.model_validate_json(done.stdout.strip().splitlines()[-1])


def verify_published(
    manifest: Manifest, names: Names, *, endpoint: str, python: str = sys.executable
) -> dict[str, float]:
    """Load every measured model of a run from a Hub, in a fresh process each, and compare ids and logits.

    Args:
        manifest: The run, with an evaluate stage.
        names: What the models are called on the Hub.
        endpoint: The Hub.
        python: As in `read_elsewhere`.

    Returns:
        Largest difference of the recorded logits, by artifact.

    Raises:
        ManifestError: The run recorded nothing to compare with.
        HubError: A model cannot be loaded, or gives other ids or logits than recorded.
    """
    made = {artifact.name for artifact in manifest.artifacts() if artifact.kind == "model"}
    probes = {name: probe for name, probe in probes_of(manifest).items() if name in made}
    if not probes:
        raise ManifestError(
            f"the run {manifest.name} measured no model that it made.", "Add `- evaluate` to the recipe."
        )
    return {name: _compare(names[name], probe, endpoint, python) for name, probe in probes.items()}


def _compare(model_id: str, probe: Probe, endpoint: str, python: str) -> float:
    found = read_elsewhere(model_id, "main", probe, endpoint=endpoint, python=python)
    if found.ids != probe.ids:
        raise HubError(
            f"{model_id} gives other ids than the run recorded: {found.ids[:8]}… for {probe.ids[:8]}….",
            "Push the run again; if it stays, the reader's transformers does not know this tokenizer.",
        )
    difference = max(abs(a - b) for a, b in zip(found.top_logits, probe.top_logits, strict=True))
    if difference > TOLERANCE:
        raise HubError(
            f"{model_id} gives logits that differ by {difference:.2g} from those the run recorded.",
            "Push the run again; if it stays, compare config.json as the reader sees it.",
        )
    return float(difference)


def _bare_environment() -> dict[str, str]:
    hidden = ("HF_", "HUGGING", "TRANSFORMERS_", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
