"""Metrics as metadata: huggingface_hub reads what was measured, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import EvalResultEntry, ModelCardData
from huggingface_hub import parse_eval_result_entries as parse

from hubadapt.card.model_index import eval_results, model_index, model_index_problem
from hubadapt.lineage import Names
from hubadapt.types import Manifest, Metric

GOLDEN = Path(__file__).parents[2] / "golden" / "hubadapt.json"


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Manifest.model_validate_json(GOLDEN.read_text("utf-8"))


def model(manifest: Manifest, name: str):
    return next(made for made in manifest.artifacts() if made.name == name)


def test_huggingface_hub_reads_every_quality_that_was_measured_and_no_speed(manifest):
    index = model_index(manifest, model(manifest, "pretrain"), Names(manifest, "me"))
    data = ModelCardData(**{"model-index": index})
    measured = {
        (metric.name, metric.language, metric.value)
        for metric in manifest.metrics()
        if metric.model == "pretrain" and not metric.unit.endswith("/s")
    }
    assert {(e.metric_type, e.dataset_args["language"], e.metric_value) for e in data.eval_results} == measured
    assert {(e.dataset_type, e.dataset_split) for e in data.eval_results} == {("me/pico-ru-corpus", "test")}
    assert model_index_problem(index) == "" and model_index_problem(data.to_dict()["model-index"]) == ""


def test_a_model_that_was_not_measured_has_none(manifest):
    assert model_index(manifest, model(manifest, "embed"), Names(manifest, "me")) == []
    assert eval_results(manifest, model(manifest, "pretrain")) == []


def with_metric(manifest: Manifest, **values: object) -> Manifest:
    metric = Metric(value=0.25, unit="accuracy", higher_is_better=True, model="pretrain", n=198, **values)
    last = manifest.stages[-1].model_copy(update={"metrics": (metric,)})
    return manifest.model_copy(update={"stages": (*manifest.stages[:-1], last)})


def test_a_benchmark_of_the_hub_gets_an_entry_that_huggingface_hub_reads(manifest):
    changed = with_metric(manifest, name="gpqa_diamond", dataset="Idavidrein/gpqa", revision="a" * 40)
    (entry,) = parse(eval_results(changed, model(changed, "pretrain")))
    assert entry == EvalResultEntry(
        dataset_id="Idavidrein/gpqa", task_id="gpqa_diamond", value=0.25, dataset_revision="a" * 40,
        notes="gpqa diamond (accuracy)",
    )  # fmt: skip
    other = with_metric(manifest, name="own_task", dataset="Idavidrein/gpqa")
    assert eval_results(other, model(other, "pretrain")) == []


def test_a_dataset_of_the_hub_is_named_with_its_revision(manifest):
    changed = with_metric(manifest, name="f1", dataset="org/data", revision="b" * 40, language="ru")
    results = model_index(changed, model(changed, "pretrain"), Names(changed, "me"))[0]["results"]
    assert results[-1]["dataset"] == {
        "type": "org/data", "name": "org/data", "revision": "b" * 40, "args": {"language": "ru"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", [{}, [1], [{"name": "a"}], [{"name": "a", "results": [{"task": {"type": "x"}}]}], "x"]
)
def test_a_broken_model_index_is_refused(value):
    assert model_index_problem(value)
