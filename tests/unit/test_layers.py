"""Imports only point down, and a quick command loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hubadapt

PACKAGE = Path(hubadapt.__file__).parent
LAYERS = (
    ("errors", "types", "assets", "registry"),
    (
        "manifest",
        "hashes",
        "checkpoint",
        "vocab_map",
        "ratio",
        "portable",
        "loading",
        "model",
        "machine",
        "energy",
        "figure",
        "secret_scan",
        "usage",
        "lineage",
        "token_ids",
        "learnt_rows",
        "hub_lists",
        "front_matter",
        "licence_terms",
        "licence_texts",
        "licences",
    ),
    ("tokenizer", "embeddings", "propagation", "card", "hub"),
    ("corpus", "generation", "training", "evaluation", "surgery", "compare"),
    ("stages", "integrations"),
    ("recipe", "outlook", "headroom", "runner", "starter", "verify"),
    ("cli", "demo"),
)
LOCALHUB_MAY_USE = 2
LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: str) -> set[str]:
    """Modules of hubadapt that a file imports anywhere in it, by dotted name; for types alone is allowed."""
    found: set[str] = set()
    tree = ast.parse((PACKAGE / path).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "hubadapt":
            found |= {node.module} if node.module != "hubadapt" else {f"hubadapt.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.split(".")[0] == "hubadapt"}
    return found - {"hubadapt.__version__"}


def test_every_room_has_a_layer():
    rooms = {path.split("/")[0].removesuffix(".py") for path in FILES} - {"__init__", "__main__", "localhub"}
    assert rooms <= set(LAYER)


@pytest.mark.parametrize("path", [path for path in FILES if "/" in path or path != "__init__.py"])
def test_imports_only_point_down(path):
    own = path.split("/")[0].removesuffix(".py")
    for module in imports(path):
        room = room_of(module)
        if own == "localhub":
            assert room == "localhub" or LAYER[room] <= LOCALHUB_MAY_USE, f"{path} imports {module}"
        elif own != "__main__" and room != own:
            if room == "localhub":
                assert LAYER[own] == max(LAYER.values()), f"{path} imports {module}"
            else:
                assert LAYER[room] <= LAYER[own], f"{path} imports {module}"


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("stages/") and "__init__" not in path])
def test_stages_never_import_each_other(path):
    assert {module for module in imports(path) if room_of(module) == "stages"} <= {"hubadapt.stages"}


@pytest.mark.parametrize("path", [path for path in FILES if path.split("/")[0] in ("propagation", "embeddings")])
def test_numerics_know_nothing_of_disks_or_the_hub(path):
    assert not {room_of(module) for module in imports(path)} & {"hub", "manifest", "checkpoint", "model", "card"}


@pytest.mark.parametrize("room", ["card", "hub", "compare"])
def test_what_is_shown_reads_manifests_and_never_stages(room):
    files = [path for path in FILES if path.split("/")[0].removesuffix(".py") == room]
    assert files
    assert not {module for path in files for module in imports(path) if room_of(module) in ("stages", "runner")}


HEAVY = [
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "trl",
    "gradio",
    "matplotlib",
    "huggingface_hub",
    "numpy",
    "pydantic",
]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["measure", "--help"], ["--version"]], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import sys; from hubadapt.cli.main import main\n"
        f"sys.argv = ['hubadapt', *{arguments}]\n"
        "try: main()\n"
        f"finally: assert not set({HEAVY}) & set(sys.modules), set({HEAVY}) & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "hubadapt" in done.stdout


def test_a_push_loads_no_library_of_models():
    code = "import sys, hubadapt.hub.draft, hubadapt.hub.publish, hubadapt.cli.push; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not {*done.stdout.split()} & ({*HEAVY} - {"huggingface_hub", "pydantic"})


def test_importing_the_package_loads_nothing_heavy_and_names_all_it_promises():
    code = f"import sys, hubadapt; assert not set({HEAVY}) & set(sys.modules); print(*hubadapt.__all__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == hubadapt.__all__
    assert all(getattr(hubadapt, name) is not None for name in hubadapt.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hubadapt.nothing  # noqa: B018
