"""What `hubadapt push --dry-run` prints: everything in order, with an upper bound of the bytes; no Hub is asked."""

from __future__ import annotations

import re

import pytest


def plan_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize(
    ("options", "models"),
    [
        ((), ["me/pico-ru-embed", "me/pico-ru-pretrain", "me/pico-ru-propagate-instruct"]),
        (("--layout", "revisions"), ["me/pico-ru@embed", "me/pico-ru", "me/pico-ru-instruct"]),
    ],
)
def test_a_dry_run_prints_repositories_and_branches_in_order(cli, finished, options, models):
    outcome = cli("push", finished.out, "--to", "me", "--dry-run", *options)
    assert (outcome.code, outcome.err) == (0, "")
    lines = plan_lines(outcome.out)
    assert [tuple(line.split()[:2]) for line in lines[:-1]] == [
        ("model", "me/pico-ru-source-base"), ("model", "me/pico-ru-source-instruct"), ("dataset", "me/pico-ru-corpus"),
        *(("model", name) for name in models), ("collection", "me/pico-ru"), ("space", "me/pico-ru-compare"),
    ]  # fmt: skip
    assert all(re.search(r"  \d+ files, at most [\d.]+ [kM]?B$", line) for line in lines[:-3])
    assert re.fullmatch(r"in all at most [\d.]+ [kM]B", lines[-1])


def test_a_private_push_would_make_no_space(cli, finished):
    outcome = cli("push", finished.out, "--to", "me", "--dry-run", "--private")
    assert "compare" not in outcome.out
    assert "collection me/pico-ru  6 items" in outcome.out


def test_two_things_under_one_name_are_refused(cli, finished_copy):
    path = finished_copy.out / "hubadapt.json"
    path.write_text(path.read_text("utf-8").replace('"instruct"', '"source-base"'), "utf-8")
    outcome = cli("push", finished_copy.out, "--to", "me", "--dry-run", "--layout", "revisions")
    assert outcome.code == 1
    assert outcome.err.splitlines()[0] == (
        "base and propagate-instruct would both be published as me/pico-ru-source-base."
    )


def test_a_layout_that_is_none_is_refused(cli, finished):
    outcome = cli("push", finished.out, "--to", "me", "--layout", "branches")
    assert outcome.code == 2 and "'branches' is not one of" in outcome.err
