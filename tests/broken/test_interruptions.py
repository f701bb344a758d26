"""Ctrl-C and kills in the middle of a run: two lines or nothing at all, and the next run goes on with equal results.

Nothing sleeps: the progress bar itself sends the signal, at a step that the test chooses.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pico
import pytest

import hubadapt
from hubadapt.manifest import write_atomic

TRAINING = "training new rows"
LAST = ("evaluate", "sample")


@pytest.fixture(autouse=True)
def _heeds_ctrl_c() -> Iterator[None]:
    """A shell that starts the tests in the background has them ignore SIGINT, which Python then leaves so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, base) -> pico.Workshop:
    """The same recipe as `workshop`, run once without any interruption."""
    workshop = pico.Workshop.build(tmp_path_factory.mktemp("undisturbed") / "work", base=base, without=LAST)
    workshop.run()
    return workshop


@pytest.fixture
def workshop(tmp_path, base) -> pico.Workshop:
    return pico.Workshop.build(tmp_path / "work", base=base, without=LAST)


def made(workshop: pico.Workshop) -> dict[str, str]:
    """Hash of every file the manifest names: weights, tokenizers, vocabulary map, corpus."""
    return {
        f"{artifact.folder}/{file.path}": file.sha256
        for artifact in workshop.manifest.artifacts()
        for file in artifact.files
    }


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", [1, 3, 6])
def test_ctrl_c_in_training_keeps_finished_stages_and_resumes_to_equal_hashes(cli, workshop, undisturbed, step):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubadapt.cli.progress.bar", pico.interrupting(TRAINING, step, interrupt))
        outcome = cli("run", workshop.recipe)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-2:] == [
        "stopped by Ctrl-C in the stage pretrain; finished stages are kept.",
        "Run the same command again to go on where it stopped.",
    ]
    assert [record.name for record in workshop.manifest.stages] == ["corpus", "tokenizer", "embed"]
    assert not (workshop.out / "3-pretrain" / "model").exists()
    assert workshop.run()[:4] == [
        ("corpus", "skipped"),
        ("tokenizer", "skipped"),
        ("embed", "skipped"),
        ("pretrain", "started"),
    ]
    assert made(workshop) == made(undisturbed)


def test_a_resumed_training_does_not_repeat_the_steps_of_its_checkpoint(workshop):
    seen: list[int] = []
    with pytest.raises(hubadapt.UserError):
        workshop.run(pico.interrupting(TRAINING, 5, interrupt))
    workshop.run(pico.recording(TRAINING, seen))
    assert seen == [5, 1]


def test_a_checkpoint_that_was_cut_off_while_written_is_not_resumed_from(workshop, undisturbed):
    with pytest.raises(hubadapt.UserError):
        workshop.run(pico.interrupting(TRAINING, 5, interrupt))
    (checkpoint,) = (workshop.out / "3-pretrain" / "checkpoints").iterdir()
    cut = checkpoint.with_name("checkpoint-6")
    cut.mkdir()
    (cut / "model.safetensors").write_bytes(b"cut")
    workshop.run()
    assert made(workshop) == made(undisturbed)


SCRIPT = """
import os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import environment, pico, torch
torch.set_num_threads(1)
import hubadapt.cli.progress
hubadapt.cli.progress.bar = pico.interrupting("training new rows", 5, lambda: os.kill(os.getpid(), signal.SIGKILL))
from hubadapt.cli.main import main
sys.argv = ["hubadapt", "run", sys.argv[3]]
main()
"""


def test_a_killed_run_resumes_to_equal_hashes(workshop, undisturbed):
    tests, package = Path(pico.__file__).parent, Path(hubadapt.__file__).parents[1]
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tests), str(package), str(workshop.recipe)]
    killed = subprocess.run(command, capture_output=True, check=False, env=os.environ.copy())
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [record.name for record in workshop.manifest.stages] == ["corpus", "tokenizer", "embed"]
    workshop.run()
    assert workshop.ran() == ["pretrain"]
    assert made(workshop) == made(undisturbed)


def test_a_second_folder_gets_the_very_same_bytes(workshop, undisturbed):
    workshop.run()
    assert made(workshop) == made(undisturbed)


def test_ctrl_c_between_stages_is_told_too(cli, workshop):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubadapt.outlook.float_operations", interrupt)
        before = pico.listing(workshop.folder)
        outcome = cli("run", workshop.recipe)
    assert (outcome.code, outcome.err) == (
        1,
        "Stopped by Ctrl-C; nothing is half-written.\nRun the same command again to go on.\n",
    )
    assert pico.listing(workshop.folder) == before


@pytest.mark.parametrize("moment", ["os.fsync", "pathlib.Path.replace"])
def test_a_crash_while_the_manifest_is_written_leaves_the_old_one(tmp_path, monkeypatch, moment):
    path = tmp_path / "hubadapt.json"
    write_atomic(path, "old")

    def crash(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, crash)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"
