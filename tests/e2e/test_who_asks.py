"""Hubs are told who asks, and the token goes to them alone: into no file, no output and no log."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import environment
import pico
import pytest
import stub_hub

import hubadapt


@pytest.fixture
def run(finished_copy) -> pico.Workshop:
    """The finished run as it was after its third stage."""
    path = finished_copy.out / "hubadapt.json"
    record = json.loads(path.read_text("utf-8"))
    record |= {"stages": record["stages"][:3], "siblings": {}, "name": "asked"}
    record["licences"] = [link for link in record["licences"] if link["role"] != "sibling"]
    path.write_text(json.dumps(record), "utf-8")
    return finished_copy


def test_hubs_are_told_who_asks_and_the_token_is_kept_nowhere_else(cli, run, at_hub, hub, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    asked: list[tuple[str, dict[str, str]]] = []
    with (
        stub_hub.in_front_of(
            hub.endpoint, lambda method, path: stub_hub.GOES_ON, heard=lambda *request: asked.append(request)
        ) as endpoint,
        at_hub(endpoint, hub.token),
    ):
        outcomes = [
            cli("push", run.out, "--to", "local"),
            cli("verify", "local/asked-embed", "--no-before"),
        ]
        run.content |= {"base": "local/asked-source-base", "siblings": {}}
        run.content["stages"] = run.content["stages"][:3]
        outcomes.append(cli("check", run.write()))
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    ours = f"hubadapt/{hubadapt.__version__}"
    calls = [request for request in asked if request[0].startswith("/api/") or "/resolve/" in request[0]]
    agents = {path: headers.get("user-agent", "") for path, headers in calls}
    assert len(agents) > 10 and [path for path, agent in agents.items() if ours not in agent] == []
    assert any(hub.token in headers.get("authorization", "") for _, headers in asked)
    assert not any(hub.token in f"{outcome.out}{outcome.err}" for outcome in outcomes)
    assert hub.token not in caplog.text
    for folder in (run.folder, Path(environment.SETTINGS["HF_HOME"])):
        holders = [path for path in folder.rglob("*") if path.is_file() and hub.token.encode() in path.read_bytes()]
        assert holders == []
    assert not any(hub.token in value for name, value in os.environ.items() if name != "HF_TOKEN")
