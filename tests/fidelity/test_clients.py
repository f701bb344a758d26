"""Unmodified clients with their default settings against the embedded Hub: `make fidelity` runs these.

Each client is installed into an environment of its own on first use, which needs a package index.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.fidelity

CLIENTS = Path(__file__).parent / "clients"
HUBS = ("0.36.2", "1.33.0", "2.4.0")
TRANSFORMERS = ("4.57.6", "5.23.0")
DATASETS = ("5.2.0",)
JAVASCRIPT = "2.17.5"
TORCH = "torch==2.13.0"


@pytest.mark.parametrize("version", HUBS)
def test_huggingface_hub(python_with, call, version):
    call(python_with(f"huggingface_hub=={version}") / "python", CLIENTS / "hub.py", version)


@pytest.mark.parametrize("version", HUBS)
def test_the_command_line_of_huggingface_hub(python_with, call, tmp_path, version):
    programs = python_with(f"huggingface_hub=={version}")
    name = f"local/cli-{version}"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.safetensors").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "folder" / "a.txt").write_text("1")
    assert "local" in call(programs / "hf", "auth", "whoami")
    call(programs / "hf", *(("repo",) if version.startswith("0") else ("repos",)), "create", name)
    call(programs / "hf", "upload", name, tmp_path / "folder", ".")
    call(programs / "hf", "upload", name, tmp_path / "folder", "by-pull", "--create-pr")
    call(programs / "hf", "download", name, "--local-dir", tmp_path / "back")
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == bytes(range(256)) * 5000
    assert not (tmp_path / "back" / "by-pull").exists()
    call(programs / "hf", "download", name, "--revision", "refs/pr/1", "--local-dir", tmp_path / "pull")
    assert (tmp_path / "pull" / "by-pull" / "a.txt").read_text() == "1"


@pytest.mark.parametrize("version", TRANSFORMERS)
def test_transformers(python_with, call, version):
    programs = python_with(f"transformers=={version}", TORCH)
    call(programs / "python", CLIENTS / "transformers_client.py", version)


@pytest.mark.parametrize("version", DATASETS)
def test_datasets(python_with, call, version):
    call(python_with(f"datasets=={version}") / "python", CLIENTS / "datasets_client.py", version)


def test_javascript(javascript_with, call, tmp_path):
    # A module finds packages beside itself only.
    folder = javascript_with(f"@huggingface/hub@{JAVASCRIPT}")
    shutil.copy(CLIENTS / "hub.mjs", folder / "hub.mjs")
    call("node", folder / "hub.mjs")


def test_git_with_git_lfs(python_with, hub, call, tmp_path):
    if shutil.which("git") is None or shutil.which("git-lfs") is None:
        pytest.skip("git or git-lfs is not installed")
    endpoint, token = hub
    hf = python_with(f"huggingface_hub=={HUBS[-1]}") / "hf"
    call(hf, "repos", "create", "local/by-git", "--private")
    call("git", "config", "--global", "user.name", "Anna")
    call("git", "config", "--global", "user.email", "anna@localhost")
    call("git", "lfs", "install")
    url = f"{endpoint.replace('http://', f'http://user:{token}@')}/local/by-git"
    call("git", "clone", url, "one")
    one, content = tmp_path / "one", bytes(range(256)) * 20_000
    (one / "model.safetensors").write_bytes(content)
    (one / "README.md").write_text("text\n")
    call("git", "add", "-A", folder=one)
    call("git", "commit", "-m", "By git", folder=one)
    call("git", "push", folder=one)
    call("git", "push", "origin", "HEAD:refs/heads/stage/one", folder=one)
    call("git", "tag", "v1", folder=one)
    call("git", "push", "origin", "v1", folder=one)
    call(hf, "download", "local/by-git", "--local-dir", tmp_path / "down")
    assert (tmp_path / "down" / "model.safetensors").read_bytes() == content
    call("git", "clone", url, "two")
    assert (tmp_path / "two" / "model.safetensors").read_bytes() == content
    (one / "model.safetensors").write_bytes(content[::-1])
    call("git", "commit", "-am", "Again", folder=one)
    call("git", "push", folder=one)
    call("git", "pull", folder=tmp_path / "two")
    assert (tmp_path / "two" / "model.safetensors").read_bytes() == content[::-1]
    call("git", "push", "origin", ":refs/heads/stage/one", folder=one)
    assert "stage" not in call("git", "ls-remote", folder=one)
