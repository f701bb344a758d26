"""Verdicts on numbers."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.verify.finding import number

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, NUMBERS, st.floats(0, 10))
def test_a_number_holds_exactly_within_its_tolerance(claimed, measured, within):
    finding = number("x", claimed, measured, within=within, reason="r")
    assert (finding.verdict == "same") == (abs(claimed - measured) <= within)


@pytest.mark.parametrize("measured", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_holds_nothing_and_is_json(measured):
    finding = number("x", 1.0, measured, within=1e9, reason="r")
    assert finding.verdict == "differs"
    json.dumps(asdict(finding), allow_nan=False)
