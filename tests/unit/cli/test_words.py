"""Numbers as people read them, and what the command line says of itself."""

from __future__ import annotations

import pytest

from hubadapt.cli.words import duration, size

COMMANDS = ["new", "check", "run", "card", "push", "verify", "compare", "stages", "hub", "demo"]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (537_900_000, "538 MB"), (2_500_000_000, "2.5 GB")]
)
def test_sizes(count, words):
    assert size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (250, "4 min 10 s"), (3600, "1 h"), (3725, "1 h 2 min 5 s")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_commands_are_listed_in_the_order_a_user_meets_them(cli):
    outcome = cli("--help")
    listed = [line.split()[0] for line in outcome.out.split("Commands:\n")[1].splitlines()]
    assert outcome.code == 0
    assert [command for command in listed if command in COMMANDS] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli, command):
    outcome = cli(command, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith(f"Usage: hubadapt {command}") or f" {command} " in outcome.out.splitlines()[0]


def test_every_key_of_every_stage_is_explained(cli):
    outcome = cli("stages")
    keys = [line for line in outcome.out.splitlines() if line.startswith("    ")]
    assert keys and not [line for line in keys if ":  [" in line]
