"""Before and after: the same number for a model and for the source it is a form of."""

from __future__ import annotations

from typing import Any

from hubadapt.types import Artifact, Manifest, Metric


def comparison(manifest: Manifest, artifact: Artifact) -> list[dict[str, Any]]:
    """Rows of the before/after table: a metric in a language, for the source and for the artifact."""
    before = {(metric.name, metric.language): metric for metric in manifest.metrics() if metric.model == artifact.of}
    after = {(metric.name, metric.language): metric for metric in manifest.metrics() if metric.model == artifact.name}
    return [_row(before[key], after[key]) for key in before if key in after]


def worse(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those rows whose number moved the wrong way, as far as the four digits that cards show can tell."""
    return [row for row in rows if row["better"] is not None and _shown_worse(row)]


def _shown_worse(row: dict[str, Any]) -> bool:
    before, after = (float(f"{row[side].value:.4g}") for side in ("before", "after"))
    return before != after and (after > before) != row["better"]


def _row(before: Metric, after: Metric) -> dict[str, Any]:
    ratio = after.value / before.value if before.value else None
    return {
        "name": before.name,
        "language": before.language,
        "unit": before.unit,
        "before": before,
        "after": after,
        "ratio": ratio,
        "better": before.higher_is_better,
    }
