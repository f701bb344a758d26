"""Starting and stopping the server."""

from __future__ import annotations

import http.client
import itertools
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hubadapt.errors import HubError
from hubadapt.localhub.accounts import ensure_accounts
from hubadapt.localhub.server import HOST, serve

PACKAGE = Path(__file__).parents[2]


def test_a_port_in_use_is_a_problem_with_a_hint(tmp_path):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(HubError, match="cannot be used") as error:
            serve(tmp_path, taken.getsockname()[1])
    assert "--port" in error.value.hint


def test_a_second_server_on_the_same_folder_is_refused(hub):
    with pytest.raises(HubError, match="Another server"):
        serve(hub.data, 0)


@pytest.fixture
def connect(hub_at):
    """Start a Hub that the test may kill."""
    started = []

    def begin(data):
        process = start_by_hand(data)
        started.append(process)
        return process, hub_at(process.endpoint, data)

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def start_by_hand(data, *options):
    command = [sys.executable, "-m", "hubadapt.localhub", "--data", str(data), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, cwd=PACKAGE
    )
    process.endpoint = process.stdout.readline().decode().strip()
    assert process.endpoint.startswith("http://127.0.0.1:")
    return process


def test_an_interrupt_ends_the_server_quietly(tmp_path):
    process = start_by_hand(tmp_path)
    process.send_signal(2)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error) == (0, b"", b"")


def test_the_server_ends_with_whoever_started_it(tmp_path):
    process = start_by_hand(tmp_path, "--until-eof")
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (0, b"")


def test_a_killed_server_leaves_nothing_that_stops_the_next(start, tmp_path):
    data = tmp_path / "hub"
    with start(data) as hub:
        name = hub.repository()
    stale = data / "repos" / "models" / name / "git" / "refs" / "heads" / "main.lock"
    stale.touch()
    (data / "incoming" / "half").write_bytes(b"half")
    with start(data) as hub:
        hub.api().upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=name)
    assert not list((data / "incoming").iterdir())


def test_what_was_acknowledged_survives_a_kill(connect, tmp_path):
    process, hub = connect(tmp_path / "hub")
    name = hub.repository()
    acknowledged = []
    enough = threading.Event()

    def push_until_killed(worker):
        for number in itertools.count():
            try:
                value = {"path": f"{worker}/{number}.txt", "content": "x" * number, "encoding": "utf-8"}
                reply = hub.commit(name, ("header", {"summary": "Change"}), ("file", value))
            except (OSError, http.client.HTTPException):
                return
            acknowledged.append((f"{worker}/{number}.txt", reply.json()["commitOid"]))
            if len(acknowledged) >= 30:
                enough.set()

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(push_until_killed, worker) for worker in range(3)]
        assert enough.wait(60)
        process.kill()
        for future in futures:
            future.result()
    process, hub = connect(tmp_path / "hub")
    commits = {commit.commit_id for commit in hub.api().list_repo_commits(name)}
    files = set(hub.api().list_repo_files(name))
    assert {oid for _, oid in acknowledged} <= commits
    assert {path for path, _ in acknowledged} <= files
    assert hub.commit(name, ("header", {"summary": "On"}), ("deletedFolder", {"path": "0"})).status == 200


@pytest.mark.skipif(os.name != "posix", reason="file modes are of Unix")
def test_secrets_are_readable_by_the_owner_only(tmp_path):
    ensure_accounts(tmp_path)
    for name in ("token", "accounts.json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "token").read_text() not in (tmp_path / "accounts.json").read_text()
