"""The comparison as plain text."""

from __future__ import annotations

import pico
import pytest

from hubadapt.compare.answers import Column
from hubadapt.compare.text import side_by_side
from hubadapt.generation.greedy import Answer


def test_the_whole_text():
    columns = [
        Column("base", ("У", "тро"), Answer(" в лесу", (" в", " ле", "су"), 0.5)),
        Column("pretrain", ("Утро",), Answer("", (), 0.25)),
    ]
    assert side_by_side("Утро", columns) == (
        "prompt: Утро\n"
        "\n"
        "── base\n"
        "prompt tokens (2): У│тро\n"
        "answer tokens (3):  в│ ле│су\n"
        "answer:  в лесу\n"
        "7 characters in 0.50 s: 14.0 characters/s, 2.33 characters/token\n"
        "\n"
        "── pretrain\n"
        "prompt tokens (1): Утро\n"
        "answer tokens (0): \n"
        "answer: \n"
        "0 characters in 0.25 s: 0.0 characters/s, 0.00 characters/token"
    )


def test_what_a_terminal_would_obey_is_not_printed():
    text = side_by_side("a\nb\x1b[31m", [Column("x", ("\x07",), Answer("\u202e\r", ("\t",), 1.0))])
    assert "a⏎b�[31m" in text
    assert not set(text) & set("\x1b\x07\u202e\r\t")


@pytest.mark.parametrize("arguments", [(), ("--text",)])
def test_a_prompt_is_required(cli, finished, arguments):
    assert cli("compare", finished.out, *arguments, *(() if arguments else ("--text",))).code in (1, 2)


def test_a_run_stands_for_its_sources_and_models(cli, finished):
    outcome = cli("compare", finished.out, "--text", "--prompt", "Утро", "--max-new-tokens", "2")
    assert outcome.code == 0, outcome.err
    names = [line.removeprefix("── ") for line in outcome.out.splitlines() if line.startswith("── ")]
    assert names == ["base", "instruct", "embed", "pretrain", "propagate-instruct"]


def test_two_folders_are_put_side_by_side(cli, finished, base):
    made = finished.out / "3-pretrain" / "model"
    outcome = cli("compare", base, made, "--text", "--prompt", "Утро", "--max-new-tokens", "2")
    assert outcome.code == 0, outcome.err
    old, new = (line for line in outcome.out.splitlines() if line.startswith("prompt tokens"))
    assert old == "prompt tokens (8): �│�│�│�│�│�│�│�" and new.count("│") < old.count("│")


def test_a_model_that_is_not_there_is_named(cli, tmp_path):
    outcome = cli("compare", tmp_path / "none", "--text", "--prompt", "x")
    assert outcome == pico.Outcome(
        1, "", f"the model folder {tmp_path / 'none'} does not exist.\n"
        "Check `base` and `siblings` in the recipe; paths start at its folder.\n",
    )  # fmt: skip
