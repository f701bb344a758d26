"""A run folder that is not what its manifest says: every command that reads it stops, and changes nothing."""

from __future__ import annotations

import json

import pico
import pytest

from hubadapt.manifest import list_files

COMMANDS = [("card", "--to", "me"), ("push", "--to", "me", "--dry-run"), ("push", "--to", "me")]


@pytest.fixture
def refused(cli, finished_copy):
    """Run a command on the run folder, compare the two lines (RUN stands for it), and see that nothing changed."""

    def check(command: tuple[str, ...], problem: str, hint: str) -> None:
        before = pico.listing(finished_copy.folder)
        outcome = cli(command[0], finished_copy.out, *command[1:])
        expected = f"{problem}\n{hint}\n".replace("RUN", str(finished_copy.out))
        assert (outcome.code, outcome.out, outcome.err) == (1, "", expected)
        assert pico.listing(finished_copy.folder) == before

    return check


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_folder_without_a_manifest_is_no_run(refused, finished_copy, command):
    (finished_copy.out / "hubadapt.json").unlink()
    refused(command, "RUN is no run folder: it holds no hubadapt.json.", "hubadapt run RECIPE.yaml --out RUN")


def cut(text: str) -> str:
    return text[: len(text) // 2]


def future(text: str) -> str:
    return json.dumps(json.loads(text) | {"schema_version": 2})


def misspelt(text: str) -> str:
    return json.dumps(json.loads(text) | {"licence": "mit"})


@pytest.mark.parametrize(
    ("change", "where"),
    [(cut, "file: "), (future, "schema_version: Input should be 1"), (misspelt, "licence: Extra inputs"), (str, None)],
)
def test_a_damaged_manifest_is_named_by_every_command(cli, finished_copy, change, where):
    path = finished_copy.out / "hubadapt.json"
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    before = pico.listing(finished_copy.folder)
    for command in [*COMMANDS[:2], ("run", "--out", str(finished_copy.out))] if where else ():
        first = finished_copy.recipe if command[0] == "run" else finished_copy.out
        outcome = cli(command[0], first, *command[1:])
        problem, hint = outcome.err.splitlines()
        assert outcome.code == 1
        assert problem.startswith(f"{path} is damaged at {where}")
        assert hint == f"Delete {path} and run the recipe again: hubadapt run RECIPE.yaml --out {finished_copy.out}"
    assert pico.listing(finished_copy.folder) == before


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_changed_byte_of_a_model_stops_a_push(refused, finished_copy, command):
    path = finished_copy.out / "3-pretrain" / "model" / "model.safetensors"
    recorded = next(
        file.sha256 for made in finished_copy.manifest.artifacts() if made.name == "pretrain" for file in made.files
        if file.path == path.name
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    refused(
        command,
        f"the run RUN is damaged: 3-pretrain/model/model.safetensors differs from the recorded hash {recorded[:12]}….",
        "Run the recipe again: hubadapt run RECIPE.yaml --out RUN",
    )


def test_a_missing_file_stops_a_push(refused, finished_copy):
    (finished_copy.out / "2-embed" / "model" / "config.json").unlink()
    refused(
        COMMANDS[2],
        "the run RUN is damaged: 2-embed/model/config.json is missing.",
        "Run the recipe again: hubadapt run RECIPE.yaml --out RUN",
    )


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_source_that_is_not_what_it_was_stops_a_push(refused, finished_copy, change):
    source = finished_copy.folder / "base"
    source.rename(source.with_name("elsewhere")) if change == "gone" else (source / "new.txt").write_text("x")
    refused(
        COMMANDS[1],
        "the source model ./base is gone or has changed since the run.",
        "Put it back as it was, or run the recipe again.",
    )


def test_notes_with_a_secret_are_not_published(refused, finished_copy):
    (finished_copy.out / "notes.md").write_text("Thanks!\n\ntoken: hf_" + "aB3" * 8, "utf-8")
    refused(
        COMMANDS[2],
        "RUN/notes.md line 3 looks like a Hugging Face token; notes are printed in the card.",
        "Take it out, then push again.",
    )


def test_a_secret_in_the_record_is_not_published(refused, finished_copy):
    path = finished_copy.out / "hubadapt.json"
    record = json.loads(path.read_text("utf-8"))
    record["stages"][3]["facts"]["log"] = ["fine", "cloned with hf_" + "aB3" * 8]
    path.write_text(json.dumps(record), "utf-8")
    refused(
        COMMANDS[2],
        "the record of RUN at stages.pretrain.facts.log.1 looks like a Hugging Face token; it is published with every "
        "model.",
        "Find where it comes from, a setting or a text that a model read or wrote; run that stage without it.",
    )


def test_a_secret_in_a_file_beside_a_model_is_not_published(refused, finished_copy):
    name = "2-embed/model/config.json"
    path, manifest = finished_copy.out / name, finished_copy.out / "hubadapt.json"
    path.write_text(path.read_text("utf-8").replace("{", '{\n"_name_or_path": "https://me:pass@x.org/x",', 1), "utf-8")
    record = json.loads(manifest.read_text("utf-8"))
    (made,) = record["stages"][2]["artifacts"]
    made["files"] = [entry.model_dump() for entry in list_files(path.parent)]
    manifest.write_text(json.dumps(record), "utf-8")
    refused(
        COMMANDS[2],
        f"RUN/{name} line 2 looks like a URL with a password; the file is published.",
        "Take it out where it comes from.",
    )


def test_a_damaged_vocabulary_map_makes_its_stage_run_again(finished_copy):
    finished_copy.content["stages"] = finished_copy.content["stages"][:3]
    finished_copy.write()
    finished_copy.run()
    before = pico.listing(finished_copy.out)
    (finished_copy.out / "1-tokenizer" / "tokenizer" / "vocab_map.safetensors").write_bytes(b"cut")
    finished_copy.run()
    after = pico.listing(finished_copy.out)
    assert finished_copy.ran() == ["tokenizer", "embed"]
    del before["hubadapt.json"], after["hubadapt.json"]
    assert after == before
