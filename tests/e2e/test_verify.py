"""Published models verified over the embedded Hub: what was published holds, and whatever was changed there shows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pico
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from safetensors.torch import load_file, save
from transformers import AutoTokenizer, Trainer, TrainingArguments

from hubadapt import HubCardMixin, HubStageCallback
from hubadapt.hub.draft import prepare
from hubadapt.hub.publish import publish

MODEL = "local/checked-pretrain"
Change = Callable[[Path], bytes | None]


@pytest.fixture(scope="module")
def published(finished, hub, tmp_path_factory) -> pico.Workshop:
    """The finished run under the name `checked`, pushed once."""
    workshop = finished.copy(tmp_path_factory.mktemp("published") / "work")
    workshop.rename("checked")
    (workshop.out / "notes.md").write_text("My own test:\n\n| 3 | 0.9 ± 0.1 |\n", "utf-8")
    publish(prepare(workshop.out, "local"), token=hub.token, endpoint=hub.endpoint)
    return workshop


@pytest.fixture
def verify(cli, at_hub, hub):
    """Verify with the real command line: exit code and the findings of each model."""

    def call(what: object, *options: object) -> tuple[int, list[dict]]:
        with at_hub(hub.endpoint, hub.token):
            outcome = cli("verify", what, "--json", *options)
        assert outcome.code == 0 or outcome.out, outcome.err
        return outcome.code, [model["findings"] for model in json.loads(outcome.out)]

    return call


@pytest.fixture
def ungated(monkeypatch):
    """Gates take most of the time and see nothing of most changes."""
    monkeypatch.setattr("hubadapt.verify.model.gate_findings", lambda folder, record, base: [])


@pytest.fixture
def changed(published, hub, tmp_path):
    """A copy of the published model under another name, with some files changed; a change of None takes a file out."""
    api = HfApi(endpoint=hub.endpoint, token=hub.token)

    def make(name: str, changes: dict[str, Change]) -> str:
        folder = Path(api.snapshot_download(MODEL, local_dir=tmp_path / name))
        api.create_repo(f"local/{name}")
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        files = {path: file for path, file in files.items() if not path.startswith(".cache")}
        content = {path: file.read_bytes() for path, file in files.items() if path != ".gitattributes"}
        content |= {path: change(files.get(path, folder)) for path, change in changes.items()}
        adds = [CommitOperationAdd(path, data) for path, data in content.items() if data is not None]
        api.create_commit(f"local/{name}", adds, commit_message="changed")
        return f"local/{name}"

    return make


def edited(pattern: str, to: str) -> Change:
    """The first match of a pattern in a file is replaced."""

    def change(path: Path) -> bytes:
        text, count = re.subn(pattern, to, path.read_text("utf-8"), count=1)
        assert count == 1
        return text.encode()

    return change


def wrong(findings: list[dict]) -> list[str]:
    return [finding["what"] for finding in findings if finding["verdict"] == "differs"]


def by_verdict(findings: list[dict], verdict: str) -> dict[str, dict]:
    return {finding["what"]: finding for finding in findings if finding["verdict"] == verdict}


def test_a_published_model_holds_in_every_number_and_what_is_not_measured_has_a_reason(published, verify):
    code, (findings,) = verify(MODEL)
    assert (code, wrong(findings)) == (0, [])
    held = by_verdict(findings, "same")
    for metric in published.manifest.metrics():
        if metric.model in ("base", "pretrain") and not metric.unit.endswith("/s"):
            before = "before: " if metric.model == "base" else ""
            finding = held[f"{before}{metric.name} {metric.language}"]
            assert finding["claimed"] == pytest.approx(metric.value)
            assert finding["measured"] == pytest.approx(metric.value)
            assert finding["tolerance"] > 0 and finding["reason"]
    gates = next(record for record in published.manifest.stages if record.kind == "tokenizer").facts["gates"]
    tried = {what.removeprefix("faults, gate ") for what in held if what.startswith("faults, gate ")}
    assert tried == {gate["name"] for gate in gates} - {"repeatable"}
    density = next(
        record.facts["characters_per_token"] for record in published.manifest.stages if record.kind == "tokenizer"
    )
    assert held["characters per token of the tokenizer"]["measured"] == pytest.approx(density["new"]["value"])
    assert held["floor of characters per token"]["measured"] == pytest.approx(density["floor"]["value"])
    others = {"ids of a recorded text", "logits after it", "output of the usage snippet", "sha256", "tables"}
    assert others | {"numbers in README.md", "numbers in README_ru.md"} <= set(held)
    open_ones = by_verdict(findings, "not measured")
    assert set(open_ones) == {
        "6 speeds", "before: 6 speeds", "faults, gate repeatable", "5 sizes of vocabulary", "times, losses and energy",
    }  # fmt: skip
    assert all(finding["reason"] for finding in open_ones.values())


def test_a_run_folder_stands_for_all_its_models(published, verify):
    code, models = verify(published.out, "--to", "local", "--no-before")
    assert (code, [wrong(findings) for findings in models]) == (0, [[], [], []])
    assert all("hubadapt.json" in by_verdict(findings, "same") for findings in models)


def test_the_table_has_a_row_for_each_claim_and_counts_them_and_sizes_come_first(published, cli, at_hub, hub):
    with at_hub(hub.endpoint, hub.token):
        outcome = cli("verify", MODEL, "--no-before")
    heading, *rows, summary = outcome.out.splitlines()
    assert outcome.code == 0
    assert heading.startswith(f"{MODEL}@") and rows[0].split() == ["claim", "claimed", "measured", "within", "verdict"]
    counts = [int(count) for count in re.findall(r"\d+", summary)]
    assert sum(counts) == len(rows) - 1 and counts[1] == 0
    assert re.match(rf"{MODEL}@\w+: .* kB, of which .* are to be downloaded; .* GB are free\n", outcome.err)


@pytest.mark.usefixtures("ungated")
def test_whatever_was_changed_in_the_published_texts_shows_and_fails(changed, verify):
    lies = {
        "README.md": edited(r"(?<=value: 3\.)\d([\s\S]*?\| ru \| 5 \| )\d", r"0\g<1>9"),
        "README_ru.md": edited(r"(?<=\| ru \| 5 \| )\d", "9"),
        "SHA256SUMS": edited(r"^.", "x"),
    }
    code, (findings,) = verify(changed("lying-texts", lies), "--no-before")
    assert code == 1
    assert {*wrong(findings)} == {
        "SHA256SUMS: chat_template.jinja", "README.md", "README_ru.md", "bits_per_byte ru of card and record",
        "bits_per_byte ru",
    }  # fmt: skip


@pytest.mark.usefixtures("ungated")
def test_other_configuration_and_files_that_loaders_read_show_and_are_not_loaded(changed, verify):
    lies = {
        "config.json": edited(r'"rms_norm_eps": \S+', '"rms_norm_eps": 0.5,'),
        "adapter_config.json": lambda path: b'{"base_model_name_or_path": "local/evil"}',
        "pytorch_model.bin": lambda path: b"x",
    }
    code, (findings,) = verify(changed("lying-files", lies), "--no-before")
    assert code == 1
    assert {"sha256 of config.json", "files", "logits after it"} <= {*wrong(findings)}
    (strangers,) = (finding["measured"] for finding in findings if finding["what"] == "files")
    assert strangers == "adapter_config.json, pytorch_model.bin"


@pytest.mark.usefixtures("ungated")
def test_a_record_and_a_card_that_lie_together_are_caught_by_measuring(published, changed, verify):
    value = next(metric.value for metric in published.manifest.metrics()
                 if (metric.model, metric.name, metric.language) == ("pretrain", "bits_per_byte", "ru"))  # fmt: skip
    lie = edited(re.escape(repr(value)), repr(value / 2))
    code, (findings,) = verify(changed("both-lie", {"README.md": lie, "hubadapt.json": lie}), "--no-before")
    assert code == 1
    assert "bits_per_byte ru" in wrong(findings)


@pytest.mark.usefixtures("ungated")
def test_other_weights_with_their_own_hash_in_the_record_are_caught_by_measuring(published, changed, verify):
    made = next(artifact for artifact in published.manifest.artifacts() if artifact.name == "pretrain")
    tensors = load_file(published.out / made.folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    shaken = save(tensors | {name: tensors[name] * 1.5}, {"format": "pt"})
    old = next(entry.sha256 for entry in made.files if entry.path == "model.safetensors")
    lie = edited(old, hashlib.sha256(shaken).hexdigest())
    changes = {"model.safetensors": lambda path: shaken, "hubadapt.json": lie, "SHA256SUMS": lie}
    code, (findings,) = verify(changed("shaken", changes), "--no-before")
    assert code == 1
    assert {"logits after it", "bits_per_byte ru"} <= set(wrong(findings)) and "sha256" not in wrong(findings)


@pytest.mark.usefixtures("ungated")
def test_the_owners_own_words_and_a_copy_under_another_name_hold(changed, verify):
    own = edited(r"\Z", "\nOn my own texts it is 99.9 % good.\n")
    code, (findings,) = verify(changed("reworded", {"README.md": own}), "--no-before")
    assert (code, wrong(findings)) == (0, [])


@pytest.mark.usefixtures("ungated")
def test_texts_that_are_gone_or_others_leave_their_numbers_open_and_the_rest_holds(published, changed, verify):
    corpus = next(made for made in published.manifest.artifacts() if made.name == "corpus")
    (sha256,) = (entry.sha256 for entry in corpus.files if "test" in entry.path)
    elsewhere = {
        "hubadapt.json": edited('"name": "corpus",\\n *"kind": "dataset"', '"name": "gone", "kind": "dataset"')
    }
    elsewhere["README.md"] = edited(r"\A---[\s\S]*?\n---\n", "---\nlicense: mit\n---\n")
    for name, changes, reason in [
        ("textless", elsewhere, "local/checked-gone does not exist on "),
        ("other-texts", {"hubadapt.json": edited(sha256, "0" * 64)}, "is no longer what was measured on"),
    ]:
        code, (findings,) = verify(changed(name, changes), "--no-before")
        assert (code, wrong(findings)) == (0, [])
        assert reason in by_verdict(findings, "not measured")["bits_per_byte ru"]["reason"]
        assert "logits after it" in by_verdict(findings, "same")


@pytest.mark.usefixtures("ungated")
def test_what_a_trainer_of_ones_own_publishes_holds_too(published, verify, at_hub, hub, tmp_path):
    folder = published.out / "3-pretrain" / "model"
    parts = {"model": pico.load(folder), "processing_class": AutoTokenizer.from_pretrained(folder)}
    parts["processing_class"].pad_token = parts["processing_class"].eos_token
    rows = [{"input_ids": row, "labels": row} for row in [[1, 2, 3, 4]] * 2]
    settings = {"max_steps": 1, "save_steps": 1, "report_to": "none", "disable_tqdm": True, "use_cpu": True}
    arguments = TrainingArguments(str(tmp_path / "out"), **settings, hub_model_id="local/own-card")
    with at_hub(hub.endpoint, hub.token):
        callbacks = [HubStageCallback(published.out, "local/held-steps")]
        own = type("Own", (HubCardMixin, Trainer), {"hubadapt_run": published.out})
        trainer = own(args=arguments, train_dataset=rows, callbacks=callbacks, **parts)
        trainer.train()
        trainer.push_to_hub()
    for name in ("local/held-steps@step-1", "local/own-card"):
        code, (findings,) = verify(name, "--no-before")
        assert (code, wrong(findings)) == (0, [])
        assert "sha256" in by_verdict(findings, "same")


@pytest.mark.usefixtures("ungated")
def test_settings_that_break_only_when_the_model_writes_end_in_two_lines(changed, cli, at_hub, hub):
    broken = edited(r'"output_hidden_states": \w+', '"output_hidden_states": 1e30')
    with at_hub(hub.endpoint, hub.token):
        outcome = cli("verify", changed("unwriting", {"generation_config.json": broken}), "--no-before")
    assert (outcome.code, outcome.out) == (1, "")
    assert re.match(r"local/unwriting@\w+ cannot be used: .*float", outcome.err.splitlines()[-2])
