"""The embed stage: a method by name, or the one that a probe chooses; what cannot work is said before the run."""

from __future__ import annotations

import pico
import pytest


@pytest.fixture
def probing(tmp_path, base):
    workshop = pico.Workshop.build(tmp_path / "work", base=base, without=("sample", "pretrain", "evaluate"))
    workshop.stage("embed").update(
        {"method": "auto", "candidates": ["random(std=2)", "mean", "scaled(by=1)"], "probe_steps": 3}
    )
    workshop.write()
    return workshop


def test_auto_takes_what_stands_best_after_a_short_training_and_says_why(probing):
    probing.run()
    record = probing.manifest.stages[-1]
    standings = record.facts["probe"]
    assert [row["method"] for row in standings] == ["mean", "scaled(by=1)", "random(std=2)"]
    assert standings[1]["behind"] == 0 < standings[2]["behind"]
    assert {table["method"] for table in record.facts["tables"].values()} == {"mean"}
    assert sorted(path.name for path in (probing.out / "2-embed").iterdir()) == ["model"]


def test_what_auto_measures_on_is_neither_trained_on_nor_what_the_run_is_judged_by(probing, monkeypatch):
    from hubadapt.corpus.dataset import read_split
    from hubadapt.training import probe as module

    seen = []
    original = module.probe
    monkeypatch.setattr(module, "probe", lambda *given, **more: seen.append(given[3]) or original(*given, **more))
    probing.run()
    (texts,) = seen
    dataset = probing.out / "0-corpus" / "dataset"
    train, test = (read_split(dataset, split, "ru") for split in ("train", "test"))
    for passage in texts.target:
        assert any(passage in text for text in train)
        assert not any(passage in text for text in [*test, *texts.train])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"candidates": ["mean", "meen"]}, "there is no initialisation 'meen'."),
        ({"candidates": []}, "candidates"),
        ({"method": "omp"}, "stage embed: the initialisation omp needs a donor."),
    ],
)
def test_what_cannot_work_is_said_by_check(probing, cli, change, problem):
    probing.stage("embed").update(change)
    outcome = cli("check", probing.write())
    assert outcome.code == 1
    assert problem in outcome.err


def test_auto_without_english_is_said_by_check(probing, cli):
    probing.stage("corpus")["sources"].pop()
    outcome = cli("check", probing.write())
    assert outcome.code == 1
    assert "`method: auto` measures what English loses, but the corpus holds no English text." in outcome.err
