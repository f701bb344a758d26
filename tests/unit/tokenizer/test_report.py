"""Verdicts, costs and the two forms of a report."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
import reports

from hubadapt.tokenizer.families import Family
from hubadapt.tokenizer.report import LanguageReport, Report, Table, as_json, verdict
from hubadapt.tokenizer.table import WIDTH, as_text

COVERED = "The vocabulary already covers what is frequent in the language."


@pytest.mark.parametrize(
    ("report", "worth", "sentence"),
    [
        (
            reports.RUSSIAN,
            True,
            "Worth adapting: 10,240 new tokens give 4.00 characters per token instead of 1.30, × 3.08 (the floor is "
            "5.80 characters, × 4.46).",
        ),
        (
            reports.RISING,
            True,
            "Worth adapting: 4,096 new tokens give 4.50 characters per token instead of 1.20, × 3.75 (the floor is "
            "5.70 characters, × 4.75); the curve still rises, so more text and sizes may give more.",
        ),
        (
            reports.language("fr", 5.0, {0: 4.0, 1024: 4.1, 8192: 4.2}, knee=1024),
            False,
            "Not worth adapting: 1,024 new tokens give 4.10 characters per token instead of 4.00, only × 1.02. "
            f"{COVERED}",
        ),
        (
            reports.language("fr", 5.0, {0: 4.0, 1024: 4.01, 8192: 4.02}, knee=0),
            False,
            "Not worth adapting: 8,192 new tokens give 4.02 characters per token instead of 4.00, only × 1.00. "
            f"{COVERED}",
        ),
        (
            reports.language("hi", 1.4, {0: 1.15, 1024: 1.2, 8192: 1.22}, knee=1024, words=0.3),
            False,
            "Not worth adapting: 1,024 new tokens give 1.20 characters per token instead of 1.15, only × 1.04. The "
            "pre-tokenizer cuts a word into 2.7 pieces, which no vocabulary can mend.",
        ),
        (
            reports.language("ru", 6.0, {0: 3.0, 1024: 3.1}, knee=1024),
            None,
            "Not known: 1,024 new tokens give 3.10 characters per token instead of 3.00, × 1.03 (the floor is 6.00 "
            "characters, × 2.00); the curve still rises, so more text and sizes may give more.",
        ),
        (
            LanguageReport("hi", reports.density(1.2, 1.25, words=0.2)),
            False,
            "Not worth adapting: the floor is 1.25 characters, × 1.04 of what it writes now. The pre-tokenizer cuts a "
            "word into 4.8 pieces, which no vocabulary can mend.",
        ),
        (
            LanguageReport("zh", reports.density(1.2, 1.25, words=None)),
            False,
            f"Not worth adapting: the floor is 1.25 characters, × 1.04 of what it writes now. {COVERED}",
        ),
        (
            LanguageReport("ru", reports.density(2.0, 6.0)),
            None,
            "Not known: there was too little text to learn from; the floor is 6.00 characters, × 3.00 of what it "
            "writes now.",
        ),
        (
            LanguageReport("en", reports.density(4.5, 4.9)),
            None,
            "English is what new tokens leave as it is; its figures are there to compare with.",
        ),
    ],
    ids=["worth", "still rising", "covered", "no knee", "cut apart", "rising little", "at the floor", "no words",
         "no sweep", "English"],
)  # fmt: skip
def test_the_verdict_gives_the_numbers_that_made_it(report, worth, sentence):
    found = verdict(report)
    assert (found.worth, found.sentence) == (worth, sentence)


@pytest.mark.parametrize(("tied", "tables"), [(True, 1), (False, 2)])
def test_new_rows_cost_their_width_once_for_each_table(tied, tables):
    table = Table(1000, 64, tied)
    assert table.parameters(128) == 128 * 64 * tables
    point = reports.RUSSIAN.sweep.points[2]
    assert table.head_operations(point) == pytest.approx(2 * (1000 + 1024) * 64 / 2.5)


def test_costs_without_a_width_are_not_made_up():
    table = Table(1000)
    assert table.parameters(128) is None
    assert table.head_operations(reports.RUSSIAN.sweep.points[0]) is None
    assert "parameters" not in as_text(dataclasses.replace(reports.REPORT, table=table))


def test_json_holds_every_ratio_with_its_error_and_number_of_texts():
    content = json.loads(json.dumps(as_json(reports.REPORT), allow_nan=False))
    assert content["table"] == {"rows": 49_152, "width": 4096, "tied": False}
    assert content["family"] == "byte-level BPE"
    russian, greek, english = content["languages"]
    assert russian["characters_per_token"] == {"value": 1.3, "stderr": 0.0123, "n": 40}
    assert {"bytes_per_token", "words_per_token", "floor", "headroom"} <= {*russian}
    assert russian["learnt"] == {
        "documents": 900,
        "characters": 45_678_901,
        "min_occurrences": 100,
        "unprotected": False,
    }
    assert (russian["knee"], russian["ends_rising"]) == (10_240, False)
    assert (greek["knee"], greek["ends_rising"]) == (4096, True)
    assert russian["sweep"][1] == {
        "new_tokens": 256,
        "characters_per_token": {"value": 1.9, "stderr": 0.0123, "n": 40},
        "gain": {"value": 1.9 / 1.3, "stderr": 0.004, "n": 40},
        "rows": 49_408,
        "new_parameters": 256 * 4096 * 2,
        "head_operations_per_character": pytest.approx(2 * 49_408 * 4096 / 1.9),
    }
    assert "sweep" not in english
    assert english["verdict"]["worth"] is None


def test_the_text_fits_100_columns_even_with_large_numbers():
    huge = {0: 1.0, 65_536: 9.87, 1_048_576: 12.34}
    one = reports.language("ru", 15.0, huge, knee=1_048_576, unprotected=True)
    table = Table(1_048_576, 16_384, tied=False)
    for family in (Family.BYTE_LEVEL_BPE, Family.BYTE_FALLBACK_BPE):
        text = as_text(Report("owner/model", family, 1_048_576, table, (one,)))
        assert max(map(len, text.splitlines())) <= WIDTH
        assert "An upper bound" in " ".join(text.split())


def test_the_text_is_the_golden_one():
    """`HUBADAPT_UPDATE_GOLDEN=1 pytest tests/unit/tokenizer` writes it anew."""
    golden = Path(__file__).parents[2] / "golden" / "measure.txt"
    text = as_text(reports.REPORT) + "\n"
    if os.environ.get("HUBADAPT_UPDATE_GOLDEN"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
