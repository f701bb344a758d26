"""Run the embedded Hub: in the foreground for people, in a process of its own for tests and demonstrations."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import uvicorn

from hubadapt.errors import HubError
from hubadapt.localhub.app import create_app
from hubadapt.localhub.hub import require_data_folder

HOST = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


def serve(
    data: Path,
    port: int,
    *,
    user: str = "local",
    on_ready: Callable[[str], None] | None = None,
    until: IO[bytes] | None = None,
) -> None:
    """Serve a data folder on the loopback address until interrupted.

    Args:
        data: The data folder; made if missing.
        port: Port to listen on; 0 takes any free one.
        user: Name of the user to make at first start.
        on_ready: Called with the endpoint URL once connections are accepted.
        until: Serve only until this stream ends.

    Raises:
        HubError: The port is taken, or another server has the data folder.
    """
    with _alone(data), _listen(port) as listener:
        app = create_app(data, user=user)
        # No access log: addresses of uploads carry tickets, and nobody reads a line per file.
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", server_header=False)
        config.timeout_graceful_shutdown = 5
        # Clients keep connections between the steps of an upload, of which hashing a big file may take a minute.
        config.timeout_keep_alive = 75
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        server = _Server(config, lambda: on_ready(url) if on_ready else None)
        if until is not None:
            threading.Thread(target=_stop_at_end, args=(until, server), daemon=True).start()
        # Once it has shut down, the server raises an interrupt again; here that is the usual way to end.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


@contextmanager
def running(data: Path, port: int = 0) -> Iterator[str]:
    """Serve a data folder from a process of its own; yields the endpoint URL and stops the server at the end.

    The server ends with this process, however that ends: it watches a pipe that closes then.

    Raises:
        HubError: The server did not start.
    """
    command = [sys.executable, "-m", "hubadapt.localhub", "--data", str(data), "--port", str(port), "--until-eof"]
    # The child finds this very package, wherever it was imported from.
    search = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": search}
    )
    try:
        # The server writes it once it accepts connections.
        yield _first_line(process)
    finally:
        _stop(process)


class _Server(uvicorn.Server):
    """A server that says when it is ready: connections are accepted and an interrupt ends it in good order."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._on_ready()


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    # Two servers on one folder would not see each other's locks. The system frees this one even after a kill.
    require_data_folder(data)
    data.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # not on Windows, where the second server is the user's own care
        yield
        return
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HubError(
                f"Another server is serving {data}.", "Stop it first, or name another folder with --data."
            ) from None
        yield


@contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(128)
        except (OSError, OverflowError) as error:
            raise HubError(
                f"Port {port} of {HOST} cannot be used: {error}.", "Choose another with --port, or 0 for any free one."
            ) from error
        yield listener


def _stop_at_end(stream: IO[bytes], server: uvicorn.Server) -> None:
    while stream.read(1):
        pass
    server.should_exit = True


def _first_line(process: subprocess.Popen[bytes]) -> str:
    # A thread reads, since a pipe has no deadline of its own on every system.
    lines: queue.Queue[bytes] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=lambda out: lines.put(out.readline()), args=(process.stdout,), daemon=True).start()
    try:
        line = lines.get(timeout=_START_SECONDS)
    except queue.Empty:
        line = b""
    if not line:
        raise HubError("The embedded Hub did not start.", "See its message above; is the hub extra installed?")
    return line.decode().strip()


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
