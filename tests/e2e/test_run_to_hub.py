"""From recipe to published model: run, push, and load back in a process that knows nothing but the Hub's address."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pico
import pytest
import yaml
from huggingface_hub import HfApi

from hubadapt.hub.draft import prepare
from hubadapt.hub.publish import publish
from hubadapt.lineage import Names

NAMES = ("embed", "pretrain", "propagate-instruct")
READER = r"""
import contextlib, io, json, re, sys
from huggingface_hub import hf_hub_download
from transformers import AutoModelForCausalLM, AutoTokenizer
from datasets import load_dataset
found = {}
for name, probe in json.loads(sys.argv[1]).items():
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name).eval()
    ids = tokenizer(probe["text"], add_special_tokens=False, return_tensors="pt")["input_ids"]
    logits = model(input_ids=ids).logits[0, -1].float()
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    found[name] = {"ids": ids[0].tolist(), "logits": logits[probe["top_ids"]].tolist(), "tied": tied, "chat": chat}
    card = open(hf_hub_download(name, "README.md"), encoding="utf-8").read()
    for code, promised in re.findall(r"```python\n(.*?)\n```.*?```text\n(.*?)\n```", card, re.S)[:1]:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, {})
        found[name]["usage"] = [promised, printed.getvalue().strip()]
splits = load_dataset(sys.argv[2])
found["dataset"] = {split: [rows.num_rows, rows.column_names] for split, rows in splits.items()}
print("\n" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def published(finished, hub, tmp_path_factory) -> pico.Workshop:
    """The finished run under the name `whole`, pushed once; the receipt says what arrived."""
    workshop = finished.copy(tmp_path_factory.mktemp("published") / "work")
    workshop.rename("whole")
    (workshop.out / "notes.md").write_text("These are *my* words: 12345.", "utf-8")
    publish(prepare(workshop.out, "local"), token=hub.token, endpoint=hub.endpoint)
    return workshop


@pytest.fixture
def push(cli, at_hub, hub):
    """Push with the real command line."""

    def call(workshop: pico.Workshop, *options: str) -> pico.Outcome:
        with at_hub(hub.endpoint, hub.token):
            return cli("push", workshop.out, "--to", "local", *options)

    return call


@pytest.fixture(scope="module")
def api(hub) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=hub.token)


def receipt(workshop: pico.Workshop) -> list[dict]:
    return json.loads((workshop.out / "receipt.json").read_text("utf-8"))


def test_a_dry_run_prints_every_repository_and_touches_nothing(push, finished_copy, api):
    finished_copy.rename("dry")
    before = pico.listing(finished_copy.out)
    outcome = push(finished_copy, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    repositories = [line.split()[:2] for line in outcome.out.splitlines() if not line.startswith(" ")]
    assert repositories == [
        ["model", "local/dry-source-base"],
        ["model", "local/dry-source-instruct"],
        ["dataset", "local/dry-corpus"],
        *(["model", f"local/dry-{name}"] for name in NAMES),
        ["collection", "local/dry"],
        ["space", "local/dry-compare"],
        ["in", "all"],
    ]
    assert pico.listing(finished_copy.out) == before
    kinds = ("model", "dataset", "space")
    assert not any(api.repo_exists(name, repo_type=kind) for kind, name in repositories if kind in kinds)


def test_every_repository_gets_one_commit_and_a_second_push_makes_none(push, published, api):
    before = [entry for entry in receipt(published) if entry["type"] != "collection"]
    assert len(before) == 7
    for entry in before:
        commits = api.list_repo_commits(entry["id"], repo_type=entry["type"])
        assert [commits[0].commit_id, len(commits)] == [entry["commit"], 2], entry  # the other one is its creation
    again = push(published)
    lines = [line.split() for line in again.out.splitlines()]
    assert [line[1:] for line in lines if "/collections/" not in line[0]] == [
        *(["unchanged", entry["commit"][:12]] for entry in before), ["on", "the", "Hub:", "nothing"],
    ]  # fmt: skip
    assert [entry for entry in receipt(published) if entry["type"] != "collection"] == before


def test_the_hub_holds_exactly_the_files_of_the_manifest_and_a_card(published, api):
    pictures = {"model": {"density/characters_per_token.png", "training/loss.png"}, "dataset": set()}
    for artifact in published.manifest.artifacts():
        if artifact.kind not in pictures:
            continue
        there = {
            file.rfilename
            for file in api.repo_info(f"local/whole-{artifact.name}", repo_type=artifact.kind).siblings
        }  # fmt: skip
        own = {file.path for file in artifact.files} | pictures[artifact.kind]
        own |= {"hubadapt.json", "SHA256SUMS"} if artifact.kind == "model" else set()
        assert there == own | {"README.md", "README_ru.md", ".gitattributes"}


def test_what_is_published_loads_with_from_pretrained_alone_and_gives_what_was_recorded(published, hub, tmp_path):
    names = Names(published.manifest, "local")
    probes = {
        names[name]: probe
        for record in published.manifest.stages
        for name, probe in record.facts.get("probes", {}).items()
        if name in NAMES
    }
    hidden = ("HF_", "TRANSFORMERS_", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {"HF_ENDPOINT": hub.endpoint, "HOME": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", READER, json.dumps(probes), names["corpus"]]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(probes) == 2
    for name, probe in probes.items():
        assert found[name]["ids"] == probe["ids"]
        assert found[name]["logits"] == pytest.approx(probe["top_logits"], abs=1e-5)
        assert found[name]["tied"]
        if not name.endswith("embed"):
            promised, printed = found[name]["usage"]
            assert promised == printed
        assert found[name]["chat"] == "<|im_start|>user\nHi<|im_end|>\n"
    columns = ["text", "language", "source", "license", "id"]
    table = next(record for record in published.manifest.stages if record.kind == "corpus").facts["sources"]
    assert found["dataset"] == {
        split: [sum(row.get(f"{split}_documents", 0) for row in table), columns] for split in ("train", "test")
    }


def test_cards_on_the_hub_parse_and_link_to_what_exists(published, api):
    for name in NAMES:
        data = api.model_info(f"local/whole-{name}").card_data
        assert data.license == "apache-2.0"
        parents = [data.base_model] if isinstance(data.base_model, str) else data.base_model
        assert all(api.repo_exists(parent) for parent in parents)
        assert all(api.repo_exists(dataset, repo_type="dataset") for dataset in data.datasets)


def test_a_card_can_be_written_without_a_hub_and_is_the_one_that_is_pushed(cli, published, api):
    outcome = cli("card", published.out, "--to", "local")
    assert outcome.code == 0
    paths = outcome.out.split()
    assert len(paths) == 7 + 4  # all but the two sources and the Space have one in Russian too
    text = Path(next(path for path in paths if path.endswith("whole-pretrain.md"))).read_text("utf-8")
    pushed = Path(api.hf_hub_download("local/whole-pretrain", "README.md")).read_text("utf-8")
    assert text == re.sub(r", revision `[0-9a-f]{40}`", "", pushed)  # known only where they were pushed
    assert yaml.safe_load(text.split("---\n")[1])["base_model"] == ["local/whole-embed"]


def test_a_published_model_can_be_the_base_of_another_run(published, hub, api, at_hub, tmp_path, base):
    workshop = pico.Workshop.build(tmp_path / "next", base=base, without=("pretrain", "evaluate", "sample"))
    workshop.content["base"] = "local/whole-source-base"
    workshop.write()
    with at_hub(hub.endpoint, hub.token):
        workshop.run()
        assert workshop.run() == [(kind, "skipped") for kind in ("corpus", "tokenizer", "embed")]
    commit = api.model_info("local/whole-source-base").sha
    assert workshop.manifest.base.model_dump() == {
        "id": "local/whole-source-base", "revision": commit, "local": False, "license": "apache-2.0",
    }  # fmt: skip
    here = {made.name: made.files for made in workshop.manifest.artifacts()}["tokenizer"]
    there = {made.name: made.files for made in published.manifest.artifacts()}["tokenizer"]
    assert here == there


def test_only_what_changed_is_sent_again(push, published, api):
    (published.out / "notes.md").write_text("Other words.", "utf-8")
    outcome = push(published)
    changed = [line.split()[0].rsplit("/", 1)[1] for line in outcome.out.splitlines() if "2 files" in line]
    assert changed == [f"whole-{name}" for name in NAMES]
    card = api.hf_hub_download("local/whole-embed", "README.md")
    assert "Other words." in Path(card).read_text("utf-8")
