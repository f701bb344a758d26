"""What got worse is told, and only what a reader can see."""

from __future__ import annotations

import pytest

from hubadapt.card.comparison import comparison, worse
from hubadapt.types import Artifact, Manifest, Metric, ModelRef, StageRecord


@pytest.mark.parametrize(
    ("before", "after", "higher", "told"),
    [
        (1.5, 1.4, True, True), (1.4, 1.5, True, False), (1.4, 1.5, False, True), (1.5, 1.4, False, False),
        (1.44301, 1.44302, False, False), (1.443, 1.444, False, True), (2.0, 2.0, True, False), (5.0, 9.0, None, False),
    ],
)  # fmt: skip
def test_what_moved_the_wrong_way_is_told_if_its_digits_show_it(before, after, higher, told):
    metrics = tuple(
        Metric(name="m", value=value, unit="u", higher_is_better=higher, model=model, language="en")
        for model, value in (("base", before), ("made", after))
    )
    artifact = Artifact(name="made", kind="model", folder="0", of="base")
    record = StageRecord(
        name="x", kind="x", params={}, inputs={}, artifacts=(artifact,), metrics=metrics, seconds=1.0, fingerprint=""
    )
    base = ModelRef(id="a/b", revision="1")
    manifest = Manifest(name="r", language="ru", license="mit", recipe="", base=base, stages=(record,))
    rows = comparison(manifest, artifact)
    assert len(rows) == 1 and bool(worse(rows)) == told
