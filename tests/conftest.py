"""Fixtures that every test can use; what the tests stand on is in `environment.py`, builders are in `pico.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

# `environment` must stay the first of these.
import environment
import pico
import pytest
import torch
from huggingface_hub import constants
from hypothesis import settings

torch.set_num_threads(1)
# Examples are drawn from the same seed in every run, and a slow machine is no failure.
settings.register_profile("hubadapt", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("hubadapt")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a token or an address that an earlier one set."""
    for name in environment.ABSENT:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session", autouse=True)
def _fixed_speed() -> Iterator[None]:
    """Estimates assume one speed: measuring it takes a tenth of a second each time, and differs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubadapt.outlook.float_operations", lambda: 1e11)
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_characters() -> Iterator[None]:
    """Gates try the first thousands of all code points and numbers: all of them take seconds in each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubadapt.tokenizer.gates.unicode.LAST", 0x2FFF)
        patch.setattr("hubadapt.tokenizer.gates.unchanged.NUMBERS", 200)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_hashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hashes of files are remembered for a session, not in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubadapt.hashes.cache_folder", lambda: folder)
        yield


@pytest.fixture
def at_hub() -> Callable[..., AbstractContextManager[None]]:
    """Send this process's own Hub calls to an endpoint: `with at_hub(url, token): ...`."""
    return _at_hub


@contextmanager
def _at_hub(endpoint: str, token: str | None = None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", endpoint)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
        patch.setenv("HF_ENDPOINT", endpoint)
        if token is not None:
            patch.setenv("HF_TOKEN", token)
        yield


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., pico.Outcome]:
    """Run the real command line in this process: `cli("check", path)` gives its exit code and what it printed."""

    def call(*arguments: object) -> pico.Outcome:
        from hubadapt.cli.main import main

        monkeypatch.setattr(sys, "argv", ["hubadapt", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return pico.Outcome(code, out, err)

    return call


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tied pico Llama with a GPT-2 style tokenizer; read only."""
    return pico.write_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def sibling(base: Path) -> Path:
    """A tune of `base`; read only."""
    return pico.write_sibling(base, base.parent / "sibling")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pico.Workshop:
    """A finished run of every stage with one sibling; read only.

    Its usage snippets are executed in this process: a fresh interpreter for each takes ten seconds.
    """
    workshop = pico.Workshop.build(tmp_path_factory.mktemp("finished"), sibling=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubadapt.stages.sample._execute", pico.execute)
        workshop.run()
    return workshop


@pytest.fixture
def workshop(tmp_path: Path, base: Path) -> pico.Workshop:
    """A folder with a recipe, a corpus and a tied base, nothing run yet; no usage snippets, which take seconds."""
    return pico.Workshop.build(tmp_path / "work", base=base, without=("sample",))


@pytest.fixture
def finished_copy(finished: pico.Workshop, tmp_path: Path) -> pico.Workshop:
    """A copy of `finished` to break or change."""
    return finished.copy(tmp_path / "work")


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pico.HubAccess]:
    """One embedded Hub for every test outside `contract/`; each test publishes under names of its own."""
    pytest.importorskip("dulwich", reason="the hub extra is not installed")
    from hubadapt.localhub.accounts import new_token, write_token
    from hubadapt.localhub.server import running

    data = tmp_path_factory.mktemp("hub")
    with running(data) as endpoint:
        yield pico.HubAccess(endpoint, write_token(data), new_token(data, "read"))
