"""`hf hubadapt …` reaches this command line, through the extensions of the Hub's own one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hubadapt

ROOT = Path(hubadapt.__file__).parents[1]
HF = Path(sys.executable).with_name("hf")


def documented(language: str) -> str:
    """The file that docs/hf-cli.md shows in this language."""
    text = (ROOT / "docs" / "hf-cli.md").read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)[0]


@pytest.mark.skipif(os.name == "nt" or not HF.exists(), reason="`hf` takes scripts on POSIX alone")
def test_the_documented_script_makes_hf_run_this_command_line(tmp_path):
    """The folder is as `hf extensions install` leaves it, for which that needs the network."""
    folder = tmp_path / ".local" / "share" / "hf" / "extensions" / "hf-hubadapt"
    folder.mkdir(parents=True)
    script = folder / "hf-hubadapt"
    script.write_text(documented("sh"), "utf-8")
    script.chmod(0o755)
    known = {
        "owner": "o",
        "repo": "hf-hubadapt",
        "repo_id": "o/hf-hubadapt",
        "short_name": "hubadapt",
        "type": "binary",
    }
    known |= {"executable_path": str(script), "installed_at": "2026-01-01T00:00:00+00:00"}
    (folder / "manifest.json").write_text(json.dumps(known), "utf-8")
    commands = tmp_path / "bin"
    commands.mkdir()
    own = commands / "hubadapt"
    own.write_text(f"#!{sys.executable}\nfrom hubadapt.cli.main import main\nmain()\n", "utf-8")
    own.chmod(0o755)
    environment = os.environ | {
        "HOME": str(tmp_path), "PATH": f"{commands}:{os.environ['PATH']}", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    done = subprocess.run([HF, "hubadapt", "--version"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"hubadapt, version {hubadapt.__version__}\n"), done.stderr


def test_the_package_brings_the_command_that_hf_looks_for_in_an_extension_of_python():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert scripts["hf-hubadapt"] == scripts["hubadapt"]
    package = tomllib.loads(documented("toml"))
    assert package["project"]["name"] == "hf-hubadapt" and package["project"]["dependencies"] == ["hubadapt"]
