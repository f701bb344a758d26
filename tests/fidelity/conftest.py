"""Clients, each in an environment of its own under FIDELITY_FOLDER, and one embedded Hub for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest

pytest.importorskip("dulwich", reason="the hub extra is not installed")

from hubadapt.localhub.accounts import write_token
from hubadapt.localhub.server import running

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def environments() -> Path:
    """The folder of the environments; they are kept, for making them takes minutes."""
    folder = Path(os.environ.get("FIDELITY_FOLDER", ROOT / ".fidelity")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def python_with(environments) -> Callable[..., Path]:
    """Make a virtual environment with some requirements; returns its folder of programs."""

    def make(*requirements: str) -> Path:
        folder = environments / "_".join(requirements)
        if not (folder / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            subprocess.run([folder / "bin" / "pip", "install", "--quiet", *requirements], check=True)
            (folder / "ready").touch()
        return folder / "bin"

    return make


@pytest.fixture(scope="session")
def javascript_with(environments) -> Callable[[str], Path]:
    """Install a JavaScript package; returns the folder it is in."""

    def make(requirement: str) -> Path:
        folder = environments / requirement.replace("/", "_")
        if not (folder / "ready").exists():
            if which("npm") is None:
                pytest.skip("npm is not installed")
            folder.mkdir(exist_ok=True)
            subprocess.run(["npm", "install", "--silent", "--prefix", folder, requirement], check=True)
            (folder / "ready").touch()
        return folder

    return make


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    data = tmp_path_factory.mktemp("hub") / "data"
    with running(data) as endpoint:
        yield endpoint, write_token(data)


@pytest.fixture
def call(hub, tmp_path) -> Callable[..., str]:
    """Run a program whose only settings are the address of the Hub, the token and a home of its own."""
    endpoint, token = hub
    env = {"HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    env |= {"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}

    def run(*command: object, folder: Path = tmp_path, **more: str) -> str:
        done = subprocess.run(
            [str(part) for part in command], cwd=folder, env=env | more, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    return run
