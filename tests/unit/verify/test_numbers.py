"""What becomes of a number, given what the card tells, what the record holds and what was measured."""

from __future__ import annotations

import pytest

from hubadapt.ratio import Ratio
from hubadapt.types import Metric
from hubadapt.verify.numbers import number_findings


def metric(
    name: str = "bits_per_byte", value: float = 2.0, stderr: float | None = 0.1, unit: str = "bits/byte"
) -> Metric:
    return Metric(
        name=name, value=value, unit=unit, higher_is_better=False, model="made", language="ru", n=5, stderr=stderr
    )


@pytest.fixture
def verdicts(finished):
    """Verdict of each claim about a metric, for a card's value and what was measured."""

    def judge(one: Metric, told: float | None, measured: object) -> dict[str, str]:
        manifest = finished.manifest
        stage = manifest.stages[-1].model_copy(update={"metrics": (one,)})
        record = manifest.model_copy(update={"stages": (stage,)})
        claims = {} if told is None else {(one.name, one.language): told}
        found = {(one.name, one.language): Ratio(measured, 0.0, 5)} if isinstance(measured, float) else measured
        return {finding.what: finding.verdict for finding in number_findings("made", record, claims, found)}

    return judge


@pytest.mark.parametrize(
    ("name", "close", "far"),
    [
        ("characters_per_token", 2.0, 2.000001),
        ("bits_per_byte", 2.0001, 2.001),
        ("generated_characters_per_token", 2.09, 2.11),
    ],
)
def test_a_number_may_differ_by_what_its_kind_allows(verdicts, name, close, far):
    assert verdicts(metric(name), 2.0, close) == {f"{name} ru": "same"}
    assert verdicts(metric(name), 2.0, far) == {f"{name} ru": "differs"}


def test_what_the_card_tells_is_what_is_judged_and_a_card_beside_its_record_too(verdicts):
    assert verdicts(metric(), 1.5, 2.0) == {
        "bits_per_byte ru of card and record": "differs", "bits_per_byte ru": "differs",
    }  # fmt: skip
    assert verdicts(metric(), None, 2.0) == {"bits_per_byte ru": "same"}


@pytest.mark.parametrize("measured", ["no texts", {}, {("bits_per_byte", "ru"): Ratio(2.0, 0.0, 4)}], ids=str)
def test_what_was_not_measured_or_over_another_number_of_texts_is_open(verdicts, measured):
    assert verdicts(metric(), 2.0, measured) == {"bits_per_byte ru": "not measured"}


def test_speeds_are_told_together_and_what_only_the_card_claims_is_open(verdicts, finished):
    assert verdicts(metric("tokens", unit="tokens/s"), None, {}) == {"1 speeds": "not measured"}
    record = finished.manifest.model_copy(update={"stages": ()})
    (finding,) = number_findings("made", record, {("mmlu", "en"): 99.9}, {})
    assert (finding.what, finding.verdict, finding.claimed) == ("mmlu en", "not measured", 99.9)
