"""What runs again and what is skipped."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pico
import pytest

from hubadapt.types import StageRecord

QUICK = ("pretrain", "evaluate", "sample")
STAGES = ["corpus", "tokenizer", "embed"]


@pytest.fixture(scope="module")
def done(tmp_path_factory, base) -> pico.Workshop:
    workshop = pico.Workshop.build(tmp_path_factory.mktemp("done") / "work", base=base, without=QUICK)
    workshop.run()
    return workshop


@pytest.fixture
def run(done, tmp_path) -> pico.Workshop:
    """A finished run of three quick stages."""
    return done.copy(tmp_path / "work")


def test_a_finished_run_runs_no_stage_and_keeps_its_manifest_to_the_byte(run):
    before = pico.listing(run.folder)
    assert run.run() == [(kind, "skipped") for kind in STAGES]
    assert pico.listing(run.folder) == before


def test_the_manifest_of_a_run_that_did_nothing_names_the_machine_that_did_the_work(run, monkeypatch):
    before = run.manifest
    monkeypatch.setattr("hubadapt.runner.packages", lambda: {"torch": "99"})
    run.run()
    assert run.manifest == before


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        ("corpus", {"held_out": 0.3}, ["corpus", "tokenizer", "embed"]),
        ("tokenizer", {"new_tokens": 20}, ["tokenizer", "embed"]),
        ("embed", {"method": "calibrated"}, ["embed"]),
    ],
)
def test_a_changed_parameter_reruns_its_stage_and_those_after_it(run, kind, change, expected):
    run.stage(kind).update(change)
    run.write()
    run.run()
    assert run.ran() == expected
    assert [record.kind for record in run.manifest.stages] == STAGES


def test_a_parameter_spelt_out_at_its_default_changes_nothing(run):
    run.stage("embed")["method"] = "length(by=0.9)"
    run.write()
    run.run()
    assert run.ran() == []
    assert run.manifest.recipe == run.recipe.read_text("utf-8")


def test_a_comment_changes_the_recipe_in_the_manifest_and_runs_nothing(run):
    run.recipe.write_text(f"# new words\n{run.recipe.read_text('utf-8')}", "utf-8")
    run.run()
    assert run.ran() == []
    assert run.manifest.recipe.startswith("# new words\n")


@pytest.mark.parametrize("name", ["ru.jsonl", "base/config.json"])
def test_a_changed_input_reruns_what_depends_on_it(run, name):
    path = run.folder / name
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    if name == "ru.jsonl":
        path.write_text(path.read_text("utf-8").rstrip() + '\n{"text": "Новое."}\n', "utf-8")
    run.run()
    assert run.ran() == STAGES


def test_files_of_equal_name_in_two_folders_are_both_watched(run):
    (run.folder / "more").mkdir()
    shutil.copy(run.folder / "en.jsonl", run.folder / "more" / "ru.jsonl")
    sources = run.stage("corpus")["sources"]
    sources[1]["path"] = "more/ru.jsonl"
    run.write()
    run.run()
    pico.write_jsonl(run.folder / "ru.jsonl", pico.russian(100, seed=9))
    run.run()
    assert run.ran() == STAGES


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        ("0-corpus/dataset/data/train-00000-of-00001.parquet", STAGES),
        ("1-tokenizer/tokenizer/tokenizer.json", ["tokenizer", "embed"]),
        ("2-embed/model/model.safetensors", ["embed"]),
    ],
)
@pytest.mark.parametrize("how", ["gone", "changed"])
def test_a_run_resumes_at_the_first_stage_that_is_not_intact(run, damaged, expected, how):
    before = pico.listing(run.out)
    path = run.out / damaged
    path.unlink() if how == "gone" else path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    run.run()
    assert run.ran() == expected
    after = pico.listing(run.out)
    del before["hubadapt.json"], after["hubadapt.json"]
    assert after == before


def test_files_that_no_stage_made_do_not_matter(run):
    (run.out / "2-embed" / "model" / "notes.txt").write_text("mine")
    (run.out / "notes.md").write_text("mine")
    run.run()
    assert run.ran() == []


def test_a_stage_that_was_removed_leaves_the_manifest(run):
    del run.content["stages"][2]
    run.write()
    run.run()
    assert run.ran() == []
    assert [record.kind for record in run.manifest.stages] == STAGES[:2]


def test_a_failing_stage_keeps_what_was_finished(run, monkeypatch):
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("a bug")

    run.stage("tokenizer")["new_tokens"] = 10
    run.write()
    monkeypatch.setattr("hubadapt.surgery.embed.write_with_tables", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run.run()
    assert [record.kind for record in run.manifest.stages] == STAGES[:2]
    monkeypatch.undo()
    run.run()
    assert run.ran() == ["embed"]


def test_a_stage_starts_in_an_empty_folder_unless_the_same_work_was_interrupted_there(run):
    stray = run.out / "2-embed" / "stray"
    stray.write_text("from other work")
    run.stage("embed")["method"] = "mean"
    run.write()
    run.run()
    assert not stray.exists()


def test_a_record_holds_the_whole_configuration_and_every_input(run):
    record: StageRecord = run.manifest.stages[2]
    assert record.params == {
        "method": "length(by=0.9)", "head_method": None, "donor": None, "seed": 0,
        "candidates": ["length(by=0.9)", "scaled", "mean", "asymmetric"], "probe_steps": 50,
    }  # fmt: skip
    assert set(record.inputs) == {"base", "corpus", "tokenizer"}
    assert record.inputs["base"] == run.manifest.base.revision


def test_paths_in_the_manifest_are_relative_with_forward_slashes(run):
    text = run.out.joinpath("hubadapt.json").read_text("utf-8")
    assert str(run.folder) not in text
    assert [made.folder for made in run.manifest.artifacts()] == [
        "0-corpus/dataset", "1-tokenizer/tokenizer", "1-tokenizer/density", "2-embed/model",
    ]  # fmt: skip


def test_progress_reaches_its_total(run):
    seen: dict[str, list[int]] = {}

    @contextmanager
    def bar(name, total):
        seen[name] = [total, 0]

        def advance(count):
            seen[name][1] += count

        yield advance

    run.stage("corpus")["held_out"] = 0.25
    run.write()
    run.run(bar)
    assert seen and all(total == reached for total, reached in seen.values()), seen
