"""Measured numbers as metadata: the `model-index` of a card, and `.eval_results/` for benchmarks of the Hub.

Sources: `modelcard.md`, `eval_results.yaml` and `docs/hub/eval-results.md` of huggingface/hub-docs at 242f4a1e,
2026-08-22. `EvalResult` and `EvalResultEntry` of huggingface_hub read both.
"""

from __future__ import annotations

import re
from typing import Any

from hubadapt.lineage import Names
from hubadapt.types import Artifact, Manifest, Metric

_COMMIT = re.compile(r"[0-9a-f]{40}")
BENCHMARKS: dict[str, tuple[str, ...]] = {"cais/hle": ("hle",), "Idavidrein/gpqa": ("gpqa_diamond",)}
"""Benchmark datasets whose tasks that page names, by id: `.eval_results/` may name no other dataset."""


def model_index(manifest: Manifest, artifact: Artifact, names: Names) -> list[dict[str, Any]]:
    """The `model-index` of a model's card: every quality it was measured for, by language and text; empty without any.

    Speeds are left out: they say as much about a machine as about a model.
    """
    groups: dict[tuple[str, str, str], list[Metric]] = {}
    for metric in manifest.metrics():
        if metric.model == artifact.name and metric.higher_is_better is not None and not metric.unit.endswith("/s"):
            groups.setdefault((metric.dataset, metric.language, metric.revision), []).append(metric)
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": _dataset(manifest, names, metrics[0]),
            "metrics": [_metric(metric) for metric in metrics],
        }
        for metrics in groups.values()
    ]
    return [{"name": names.title(artifact.name), "results": results}] if results else []


def eval_results(manifest: Manifest, artifact: Artifact) -> list[dict[str, Any]]:
    """Entries of `.eval_results/` for a model's metrics on benchmarks of the Hub; for most runs none."""
    return [
        {
            "dataset": {
                "id": metric.dataset,
                "task_id": metric.name,
                **({"revision": metric.revision} if _COMMIT.fullmatch(metric.revision) else {}),
            },
            "value": metric.value,
            "notes": _name(metric),
        }
        for metric in manifest.metrics()
        if metric.model == artifact.name and metric.name in BENCHMARKS.get(metric.dataset, ())
    ]


def model_index_problem(value: Any) -> str:
    """What is wrong with a `model-index`, as a clause; empty where nothing is."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return "is no list of models"
    for entry in value:
        if not isinstance(entry.get("name"), str) or not isinstance(entry.get("results"), list):
            return "has an entry without `name` and `results`"
        for result in entry["results"]:
            lacking = [path for path in ("task.type", "dataset.type", "dataset.name") if not _at(result, path)]
            metrics = result.get("metrics") if isinstance(result, dict) else None
            if lacking or not isinstance(metrics, list) or not metrics:
                return f"has a result without {', '.join(lacking) or 'metrics'}"
            if not all(_at(metric, "type") and metric.get("value") is not None for metric in metrics):
                return "has a metric without `type` and `value`"
    return ""


def _dataset(manifest: Manifest, names: Names, metric: Metric) -> dict[str, Any]:
    own = next((made for made in manifest.artifacts() if made.kind == "dataset"), None)
    if _COMMIT.fullmatch(metric.revision) and re.fullmatch(r"[\w.-]+/[\w.-]+", metric.dataset):
        found = {"type": metric.dataset, "name": metric.dataset, "revision": metric.revision}
    elif own is not None:
        found = {"type": names[own.name], "name": f"{names[own.name].split('/')[-1]} ({metric.language})"}
        found |= {"split": "test"} if metric.dataset.startswith("data/test-") else {}
    else:
        found = {"type": metric.dataset or "text", "name": metric.dataset or "text"}
    return found | {"args": {"language": metric.language}} if metric.language else found


def _metric(metric: Metric) -> dict[str, Any]:
    args = {"n": metric.n} | ({"stderr": metric.stderr} if metric.stderr is not None else {})
    return {"type": metric.name, "name": _name(metric), "value": metric.value, "args": args}


def _name(metric: Metric) -> str:
    return f"{metric.name.replace('_', ' ')} ({metric.unit})" if metric.unit else metric.name.replace("_", " ")


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
