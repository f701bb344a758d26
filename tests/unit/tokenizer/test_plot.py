"""The plot: the same values give the same bytes, and nothing half-written."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pico
import pytest
import reports

from hubadapt.errors import CorpusError
from hubadapt.tokenizer.plot import Curve, curve_of, draw, draw_report
from hubadapt.tokenizer.report import LanguageReport, Report

RUSSIAN = Curve("ru", [0, 1024, 4096], [1.3, 2.5, 3.4], [0.01, 0.02, 0.03], 1.3, 5.8, 1024, "knee 1,024: 2.50")


@pytest.mark.parametrize("name", ["plot.png", "plot.svg"])
def test_the_same_values_give_the_same_bytes_wherever_they_go(tmp_path, name):
    (tmp_path / "other").mkdir()
    one, other = tmp_path / name, tmp_path / "other" / name
    draw([RUSSIAN], one)
    draw([RUSSIAN], other)
    assert one.read_bytes() == other.read_bytes()
    assert sorted(pico.listing(tmp_path)) == sorted([name, f"other/{name}"])


def test_an_svg_names_no_date_and_no_version(tmp_path):
    draw([RUSSIAN], tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text("utf-8")
    ElementTree.fromstring(text)
    assert "<dc:date>" not in text and "matplotlib.org" not in text.replace("https://matplotlib.org/\n", "")


def test_a_png_is_one_and_carries_no_software_name(tmp_path):
    draw([RUSSIAN], tmp_path / "plot.png")
    data = (tmp_path / "plot.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert b"atplotlib" not in data


@pytest.mark.parametrize("count", [1, 2, 4])
def test_there_is_a_panel_for_each_language(tmp_path, count):
    draw([RUSSIAN] * count, tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text("utf-8")
    # Text is drawn as paths, with the text itself in a comment.
    assert text.count("<!-- knee 1,024: 2.50 -->") == text.count("<!-- floor 5.80 -->") == count
    assert text.count("<!-- new tokens -->") == count
    assert text.count("<!-- characters per token -->") == -(-count // 3)


def test_a_curve_that_still_rises_marks_no_knee(tmp_path):
    report = reports.REPORT
    draw_report(replace(report, languages=(reports.RISING,)), tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text("utf-8")
    assert "<!-- 4,096: 4.50, still rising -->" in text
    assert "knee" not in text


def test_the_base_of_a_reduced_vocabulary_lies_where_no_point_of_the_sweep_does(tmp_path):
    sweep = reports.RUSSIAN.sweep
    curve = curve_of("ru", sweep, base=1.45, floor=5.8, marked=10_240, word="chosen")
    assert curve.characters_per_token[0] == 1.3 and curve.base == 1.45
    draw([curve], tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text("utf-8")
    assert "<!-- base 1.45 -->" in text and "<!-- chosen 10,240: 4.00 -->" in text


def test_a_report_draws_the_languages_that_have_a_sweep(tmp_path):
    draw_report(reports.REPORT, tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text("utf-8")
    assert [code for code in ("ru", "el", "en") if f"<!-- {code} -->" in text] == ["ru", "el"]


def test_a_report_without_a_sweep_is_not_drawn(tmp_path):
    alone = LanguageReport("en", reports.density(4.5, 4.9))
    report = Report("x", reports.REPORT.family, 10, reports.REPORT.table, (alone,))
    with pytest.raises(CorpusError, match="no sweep to draw"):
        draw_report(report, tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())
