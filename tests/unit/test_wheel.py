"""What is shipped: the wheel holds templates and Space files where `hubadapt.assets` finds them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hubadapt
from hubadapt.assets import asset

ROOT = Path(hubadapt.__file__).parents[1]


def test_assets_are_found_in_this_checkout():
    assert asset("templates", "model_card.md.jinja").is_file()
    assert asset("spaces", "compare").is_dir()
    with pytest.raises(FileNotFoundError, match="installed without templates/none"):
        asset("templates", "none")


@pytest.mark.slow
def test_the_wheel_holds_every_asset_and_finds_it(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    for top in ("templates", "spaces"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / top).rglob("*") if path.is_file()}
        here = {name for name in here if "__pycache__" not in name}
        assert {f"hubadapt/_assets/{name}" for name in here} <= names
    assert "hubadapt/py.typed" in names
    assert not {name for name in names if name.startswith(("tests/", "docs/"))}
    code = "from hubadapt.assets import asset; print(asset('templates', 'stages'), asset('spaces', 'compare'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "installed", check=True, capture_output=True, text=True,
        env={"PYTHONPATH": str(tmp_path / "installed")},
    )  # fmt: skip
    assert all("installed/hubadapt/_assets" in path for path in done.stdout.split())
