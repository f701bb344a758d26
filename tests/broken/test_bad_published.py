"""Published models that are damaged, hostile or not there: `verify` says so in two lines and runs nothing of theirs."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import environment
import pico
import pytest
import stub_hub
from huggingface_hub import CommitOperationAdd, HfApi

from hubadapt.hub.draft import prepare
from hubadapt.manifest import write_atomic

MODEL = "local/broken-embed"
AGAIN = "Push the run again."


@pytest.fixture(scope="module")
def published(finished, hub, tmp_path_factory) -> Path:
    """The files that a push publishes of one model, as a folder and on the Hub; read only."""
    workshop = finished.copy(tmp_path_factory.mktemp("published") / "work")
    workshop.rename("broken")
    (plan,) = (plan for plan in prepare(workshop.out, "local").plans if plan.id == MODEL)
    folder = tmp_path_factory.mktemp("model")
    for upload in plan.uploads:
        write_atomic(folder / upload.path, upload.local.read_bytes() if upload.local else upload.text)
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    api.create_repo(MODEL)
    api.upload_folder(repo_id=MODEL, folder_path=folder)
    return folder


@pytest.fixture
def refused(published, cli, at_hub, hub):
    """Publish the model's files, changed, and verify that: exit code, and the two lines; MODEL stands for it."""
    api = HfApi(endpoint=hub.endpoint, token=hub.token)

    def check(name: str, changes: dict[str, bytes | None], problem: str, hint: str | None = None) -> None:
        model = f"local/{name}"
        api.create_repo(model)
        files = {path.name: path.read_bytes() for path in published.iterdir() if path.is_file()}
        content = {path: data for path, data in (files | changes).items() if data is not None and path[0] != "."}
        adds = [CommitOperationAdd(path, data) for path, data in content.items()]
        commit = api.create_commit(model, adds, commit_message="broken").oid
        with at_hub(hub.endpoint, hub.token):
            outcome = cli("verify", model, "--no-before")
        *steps, first, second = outcome.err.splitlines()
        assert (outcome.code, outcome.out) == (1, "")
        assert problem.replace("MODEL", f"{model}@{commit[:12]}") in first
        assert hint is None or second == hint
        assert not [step for step in steps if not step.startswith((f"{model}@", "  "))]

    return check


def test_a_truncated_file_of_weights_is_named(refused, published):
    data = (published / "model.safetensors").read_bytes()
    refused("truncated-embed", {"model.safetensors": data[:-100]}, "MODEL/model.safetensors is damaged: ")


def test_a_model_that_the_record_does_not_tell_of_is_named(refused, published):
    data = (published / "model.safetensors").read_bytes()
    problem = "MODEL is none of the models that its hubadapt.json tells of: embed, pretrain, propagate-instruct."
    refused("another", {"model.safetensors": data[:-100]}, problem)


def test_a_file_that_the_record_names_and_is_not_there_is_named(refused):
    refused("lacking", {"tokenizer.json": None}, "MODEL lacks tokenizer.json, which its hubadapt.json names.", AGAIN)


def test_an_index_without_its_shards_is_named(refused, published):
    index = json.dumps({"metadata": {}, "weight_map": {"model.embed_tokens.weight": "model-2.safetensors"}}).encode()
    record = json.loads((published / "hubadapt.json").read_text("utf-8"))
    for stage in record["stages"]:
        for artifact in stage["artifacts"]:
            entries = {entry["path"]: entry for entry in artifact["files"]}
            if artifact["name"] == "embed":
                name = "model.safetensors.index.json"
                artifact["files"] = [*entries.values(), {"path": name, "size": len(index), "sha256": "0" * 64}]
    changes = {"model.safetensors.index.json": index, "hubadapt.json": json.dumps(record).encode()}
    refused("shardless", changes, "MODEL/model-2.safetensors is missing, but model.safetensors.index.json names it.")


def test_a_card_without_front_matter_or_none_at_all_is_named(refused):
    refused("headless", {"README.md": b"# hello\n"}, "the card of MODEL has no front matter.")
    refused("cardless", {"README.md": None}, "MODEL has no card, README.md, of a size that can be read.", AGAIN)


def test_a_repository_without_a_record_is_refused(refused):
    refused(
        "recordless", {"hubadapt.json": None},
        "MODEL holds no hubadapt.json: nothing is recorded that could be measured again.",
        "Only models that `hubadapt push` published can be verified; push an older one again.",
    )  # fmt: skip


OTHER = "It is damaged, or of another release of hubadapt: pip install -U hubadapt"


@pytest.mark.parametrize(
    ("name", "record", "problem"),
    [
        ("half", b'{"schema_version": 1', "the hubadapt.json of MODEL is damaged at file: "),
        ("newer", b'{"schema_version": 2}', "the hubadapt.json of MODEL is damaged at "),
        ("binary", b"\xff\xfe", "the hubadapt.json of MODEL is damaged at file: not UTF-8."),
    ],
)
def test_a_record_that_cannot_be_read_is_named(refused, name, record, problem):
    refused(f"record-{name}", {"hubadapt.json": record}, problem, OTHER)


@pytest.mark.parametrize(("key", "value"), [("gates", [1]), ("probes", {"embed": 5}), ("sources", None), ("tied", [])])
def test_facts_of_another_form_end_in_two_lines_or_a_verdict(published, cli, at_hub, hub, key, value):
    record = json.loads((published / "hubadapt.json").read_text("utf-8"))
    for stage in record["stages"]:
        if key in stage["facts"]:
            stage["facts"][key] = value
    api, model = HfApi(endpoint=hub.endpoint, token=hub.token), f"local/facts-{key}"
    api.create_repo(model)
    api.upload_folder(repo_id=model, folder_path=published, ignore_patterns=[".*"])
    api.upload_file(repo_id=model, path_in_repo="hubadapt.json", path_or_fileobj=json.dumps(record).encode())
    with at_hub(hub.endpoint, hub.token):
        outcome = cli("verify", model, "--no-before")
    assert "Traceback" not in outcome.err
    assert outcome.code in (0, 1)


def test_weights_that_are_pickle_alone_are_never_fetched(refused):
    refused(
        "bare", {"model.safetensors": None, "pytorch_model.bin": b"\x80\x04cos\nsystem\n."},
        "local/bare has its weights as pickle alone (pytorch_model.bin), which can run any code and is never opened.",
        "Ask its owner for safetensors: model.save_pretrained(...) writes them.",
    )  # fmt: skip
    refused("weightless", {"model.safetensors": None}, "local/weightless holds no safetensors weights.")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_configuration_that_names_code_is_refused_before_it_is_loaded(refused, published, name):
    config = json.loads((published / name).read_text("utf-8")) | {"auto_map": {"AutoConfig": "evil.Evil"}}
    changes = {name: json.dumps(config).encode(), "evil.py": b"raise SystemExit('executed')"}
    problem = f"{name} of MODEL names code of its own (auto_map), which is never run here."
    refused(f"coded-{name.partition('.')[0]}", changes, problem)


def test_a_configuration_of_another_size_or_that_is_no_text_is_named(refused, published):
    config = json.loads((published / "config.json").read_text("utf-8")) | {"hidden_size": 64}
    refused("resized", {"config.json": json.dumps(config).encode()}, "MODEL cannot be used: ")
    refused("binary-config", {"config.json": b"\xff\xfe"}, "config.json of MODEL is no JSON: ")


def refuse(outcome: pico.Outcome, problem: str, hint: str) -> None:
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"{problem}\n{hint}\n")


def test_a_repository_that_does_not_exist_or_is_private_or_gated_is_named(cli, at_hub, hub):
    with at_hub(hub.endpoint):
        refuse(
            cli("verify", "local/nothing"),
            f"local/nothing does not exist on {hub.endpoint}, or is private.",
            "Check the spelling; a folder starts with ./ ; for a private one: hf auth login",
        )
        refuse(
            cli("verify", f"{MODEL}@v9"), f"{MODEL}@v9: there is no such revision.",
            "Leave the part after @ out to take the newest.",
        )  # fmt: skip
    with stub_hub.answering(gated_with_record) as endpoint, at_hub(endpoint):
        outcome = cli("verify", "some/gated")
        assert outcome.code == 1
        assert "is gated." in outcome.err.splitlines()[0]


def gated_with_record(method: str, path: str) -> stub_hub.Answer:
    """A gated repository whose listing names a record."""
    status, headers, content = stub_hub.gated(method, path)
    if status == 200 and isinstance(content, dict):
        content["siblings"].append({"rfilename": "hubadapt.json", "size": 5})
    return status, headers, content


def test_a_hub_that_does_not_answer_is_named(cli):
    refuse(
        cli("verify", "some/model"),
        f"the Hub at {environment.CLOSED_PORT} does not answer (some/model).",
        "Check the network and HF_ENDPOINT; without internet use folders or `hubadapt hub serve`.",
    )


def test_a_disk_without_room_is_named_before_weights_are_downloaded(published, cli, at_hub, hub, monkeypatch):
    room = namedtuple("room", "total used free")(10, 9, 1)
    monkeypatch.setattr("hubadapt.checkpoint.whole.shutil.disk_usage", lambda folder: room)
    with at_hub(hub.endpoint, hub.token):
        outcome = cli("verify", MODEL)
    size, problem, hint = outcome.err.splitlines()
    assert outcome.code == 1
    assert "1 B are free" in size
    assert problem.startswith("writing ") and problem.endswith("but 0.00 GB are free on its disk.")
    assert hint == "Free some space, or name a folder on another disk."


def test_a_run_folder_needs_a_namespace_and_a_hub_id_takes_none(cli, finished_copy):
    assert cli("verify", finished_copy.out).code == 2
    assert cli("verify", "some/model", "--to", "me").code == 2
