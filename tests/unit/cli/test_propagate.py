"""`hubadapt propagate`: what it writes and says, and what it refuses with nothing written."""

from __future__ import annotations

import pico
import pytest
import siblings


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A pico base, two siblings and the base with new rows; read only."""
    folder = tmp_path_factory.mktemp("propagate")
    base = pico.write_model(folder / "base", tied=False)
    pico.write_sibling(base, folder / "chat")
    siblings.with_own_tokens(folder / "chat", folder / "tools", ("<|tool|>",))
    pico.write_extended(base, folder / "tokenizer", new_tokens=40)
    siblings.write_adapted(base, folder / "tokenizer", folder / "adapted")
    (folder / "full").mkdir()
    (folder / "full" / "notes.md").write_text("mine", "utf-8")
    return folder


@pytest.fixture
def propagate(cli, place, monkeypatch):
    """Run `hubadapt propagate` beside the pico models."""

    def call(*arguments: object, out: object = "out", sibling: tuple[str, ...] = ("chat=chat",)) -> pico.Outcome:
        monkeypatch.chdir(place)
        named = [word for value in sibling for word in ("--sibling", value)]
        return cli("propagate", "--base", "base", "--adapted", "adapted", *named, "--out", out, *arguments)

    return call


def test_it_writes_every_sibling_and_says_what_was_done(propagate, place, tmp_path):
    outcome = propagate(out=tmp_path / "out", sibling=("chat=chat", "tools=./tools"))
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].startswith("chat model.embed_tokens.weight: conversion, residual 0.0")
    assert lines[0].endswith("; swap would leave 0.493; 340 rows kept, 40 made")
    assert "377 rows fitted" in lines[0]
    assert [line.split(":")[0] for line in lines[:4]] == [
        f"{name} {table}" for name in ("chat", "tools") for table in ("model.embed_tokens.weight", "lm_head.weight")
    ]
    assert lines[4:] == [
        "tools: 1 of 1 tokens of its own got another id.",
        f"Wrote {tmp_path / 'out' / 'chat'}.",
        f"Wrote {tmp_path / 'out' / 'tools'}.",
    ]
    assert pico.load(tmp_path / "out" / "chat").config.vocab_size == 380
    assert pico.load(tmp_path / "out" / "tools").config.vocab_size == 381
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["chat", "tools"]


def test_a_choice_shows_what_each_form_left_on_held_out_rows(propagate, tmp_path):
    outcome = propagate("--form", "auto", out=tmp_path / "out")
    assert outcome.code == 0
    assert "  residual on held-out rows: swap 0." in outcome.out
    assert ", overlap 0." in outcome.out and ", ridge 0.001 0." in outcome.out


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"out": "full"}, "full exists and is not empty."),
        ({"sibling": ("chat",)}, "--sibling chat has no name that can be a folder."),
        ({"sibling": ("../chat=chat",)}, "--sibling ../chat=chat has no name that can be a folder."),
        ({"sibling": ("a=chat", "a=tools")}, "two siblings are called a."),
        ({"sibling": ("a=./nowhere",)}, "the model folder ./nowhere does not exist."),
        ({"arguments": ("--form", "ridge")}, "the form ridge needs a strength."),
        ({"arguments": ("--vocab-map", "nowhere.safetensors")}, "nowhere.safetensors is no readable vocabulary map: "),
    ],
)
def test_what_cannot_be_done_is_refused_in_two_lines_and_nothing_is_written(propagate, place, changes, problem):
    before = pico.listing(place)
    outcome = propagate(*changes.pop("arguments", ()), **changes)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines()[-2].startswith(problem)
    assert pico.listing(place) == before


def test_an_unknown_form_is_a_usage_error(propagate):
    assert propagate("--form", "best").code == 2
