"""One embedded Hub in a process of its own for all contract tests; each test works in repositories of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("dulwich", reason="the hub extra is not installed")

from huggingface_hub import HfApi, constants

from hubadapt.localhub.accounts import new_token, write_token
from hubadapt.localhub.server import running


@dataclass
class Reply:
    """Status, headers and body of a plain HTTP request."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


@dataclass
class HubUnderTest:
    """A running Hub and ways to talk to it."""

    endpoint: str
    data: Path
    token: str = ""
    read_token: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def api(self, token: str | bool | None = None) -> HfApi:
        return HfApi(endpoint=self.endpoint, token=self.token if token is None else token)

    def repository(self, **options) -> str:
        name = f"local/repository-{next(self._numbers)}"
        self.api().create_repo(name, **options)
        return name

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, token: str | None = None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.endpoint + path, body, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as reply:
                return Reply(reply.status, dict(reply.headers), reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def post(self, path: str, content: object, **options):
        return self.ask(path, "POST", json.dumps(content).encode(), content_type="application/json", **options)

    def commit(self, name: str, *lines: tuple[str, dict], revision: str = "main", token: str | None = None):
        body = b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in lines)
        path = f"/api/models/{name}/commit/{revision}"
        return self.ask(path, "POST", body, token=token or self.token, content_type="application/x-ndjson")

    def python(self, code: str, home: Path) -> subprocess.Popen[str]:
        """Start a script in a process of its own, whose only settings are the address of the Hub and the token."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
        env = kept | {"HF_ENDPOINT": self.endpoint, "HF_TOKEN": self.token, "HF_HOME": str(home)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", code], env=env, **pipes)


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory) -> Iterator[None]:
    # Xet clients remember what they sent to which address; a stale memory would make an upload skip what is missing.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_XET_CACHE", str(tmp_path_factory.mktemp("xet-cache")))
        patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        patch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub-cache")))
        yield


@pytest.fixture(scope="session")
def hub_at() -> Callable[[str, Path], HubUnderTest]:
    """Talk to the Hub at an address that serves a data folder."""
    return lambda endpoint, data: HubUnderTest(endpoint, data, write_token(data))


@pytest.fixture(scope="session")
def hub(tmp_path_factory) -> Iterator[HubUnderTest]:
    data = tmp_path_factory.mktemp("hub")
    with running(data) as endpoint:
        yield HubUnderTest(endpoint, data, write_token(data), new_token(data, "read"))


@pytest.fixture
def start(hub_at) -> Callable[..., AbstractContextManager[HubUnderTest]]:
    """Start a Hub of the test's own, to be stopped and started again."""

    @contextmanager
    def begin(data: Path, port: int = 0):
        with running(data, port) as endpoint:
            yield hub_at(endpoint, data)

    return begin
