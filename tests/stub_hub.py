"""A Hub that misbehaves in one chosen way: a few lines of HTTP in a thread, for what the embedded Hub never does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHA = "0123456789abcdef0123456789abcdef01234567"
Answer = tuple[int, dict[str, str], object]


@contextmanager
def answering(answer: Callable[[str, str], Answer | None]) -> Iterator[str]:
    """Serve on a free port; yields the endpoint.

    Args:
        answer: Status, headers and JSON body for a method and a path; None closes the connection without a word.
    """

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            found = answer(self.command, self.path)
            if found is None:
                self.close_connection = True
                return
            status, headers, content = found
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = _reply  # noqa: N815

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


def gated(method: str, path: str) -> Answer:
    """A repository whose description anybody may read and whose files nobody may."""
    if path.startswith("/api/models/") and "/resolve/" not in path and "/tree/" not in path:
        files = [{"rfilename": "config.json", "size": 5}, {"rfilename": "model.safetensors", "size": 9}]
        return 200, {}, {"id": "some/gated", "sha": SHA, "siblings": files, "gated": "manual"}
    headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model some/gated is restricted."}
    return 403, headers, {"error": headers["X-Error-Message"]}
