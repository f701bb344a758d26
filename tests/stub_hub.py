"""A Hub that misbehaves in one chosen way: a few lines of HTTP in a thread, for what the embedded Hub never does."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SHA = "0123456789abcdef0123456789abcdef01234567"
Answer = tuple[int, dict[str, str], object]
GOES_ON: Answer = (0, {}, None)
"""The answer of a Hub `in_front_of` another: that one's own."""


@contextmanager
def answering(answer: Callable[[str, str], Answer | None]) -> Iterator[str]:
    """Serve on a free port; yields the endpoint.

    Args:
        answer: Status, headers and JSON body for a method and a path; None closes the connection without a word.
    """
    with in_front_of("", answer) as endpoint:
        yield endpoint


@contextmanager
def in_front_of(
    hub: str,
    answer: Callable[[str, str], Answer | None],
    *,
    heard: Callable[[str, dict[str, str]], object] = lambda path, headers: None,
) -> Iterator[str]:
    """Serve as `answering` does; where that says `GOES_ON`, another Hub answers, and the client sees no difference.

    Args:
        hub: The other Hub.
        answer: As for `answering`.
        heard: Told the path and the headers of every request, names in small letters.
    """

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = _body_of(self)
            heard(self.path, {name.lower(): value for name, value in self.headers.items()})
            found = answer(self.command, self.path)
            if found is None:
                self.close_connection = True
            elif found is GOES_ON:
                self._send(*_asked(hub, self.command, self.path, body, dict(self.headers)))
            else:
                status, headers, content = found
                self._send(status, {"Content-Type": "application/json", **headers}, json.dumps(content).encode())

        def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _reply  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _body_of(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    chunks = []
    while size := int(request.rfile.readline(), 16):
        chunks.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(chunks)


def _asked(hub: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """What another Hub answers; it is asked with the client's own `Host`, so that its links lead back here."""
    connection = http.client.HTTPConnection(urlsplit(hub).netloc)
    connection.request(method, path, body, _end_to_end(headers))
    reply = connection.getresponse()
    data = reply.read()
    connection.close()
    return reply.status, _end_to_end(dict(reply.getheaders())), data


def _end_to_end(headers: dict[str, str]) -> dict[str, str]:
    kept = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in kept.items() if name not in ("transfer-encoding", "connection")}


def gated(method: str, path: str) -> Answer:
    """A repository whose description anybody may read and whose files nobody may."""
    if path.startswith("/api/models/") and "/resolve/" not in path and "/tree/" not in path:
        files = [{"rfilename": "config.json", "size": 5}, {"rfilename": "model.safetensors", "size": 9}]
        return 200, {}, {"id": "some/gated", "sha": SHA, "siblings": files, "gated": "manual"}
    headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model some/gated is restricted."}
    return 403, headers, {"error": headers["X-Error-Message"]}
