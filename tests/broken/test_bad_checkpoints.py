"""Weights that surgery cannot use: two lines, exit code 1, and nothing is written beside them."""

from __future__ import annotations

import json
import shutil

import pico
import pytest
import torch
from safetensors.torch import load_file, save_file

AGAIN = "Download or copy the model again."
PLAIN = "Take the model as it was before quantisation, and quantise the result; other tensors may be quantised."
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """An untied model in several files, and a tokenizer of more tokens."""
    folder = tmp_path_factory.mktemp("sound")
    base = pico.write_model(folder / "base", tied=False, sharded=True)
    pico.write_extended(base, folder / "tokenizer", new_tokens=20)
    return folder


@pytest.fixture
def refused(cli, sound, tmp_path):
    """A copy of the model to break, and what runs the command and compares its two lines; BASE is that copy there."""
    base = shutil.copytree(sound / "base", tmp_path / "base")

    def check(problem: str, hint: str, *options: object) -> None:
        before = pico.listing(tmp_path)
        command = ("embed", base, "--tokenizer", sound / "tokenizer", "--method", "mean", "--out", tmp_path / "out")
        outcome = cli(*command, *options)
        expected = f"{problem}\n{hint}\n".replace("BASE", str(base)).replace("OUT", str(tmp_path / "out"))
        # A bar may stand before them where the work had begun.
        assert (outcome.code, outcome.out) == (1, "") and outcome.err.endswith(expected)
        assert pico.listing(tmp_path) == before
        assert not (tmp_path / "out").exists() or any((tmp_path / "out").iterdir())

    return base, check


def places(base):
    return json.loads((base / INDEX).read_text("utf-8"))["weight_map"]


def change(base, name, **tensors):
    """Write other tensors into the file that holds one."""
    path = base / places(base)[name]
    save_file({**load_file(path), **tensors}, path, metadata={"format": "pt"})


def point(base, name, file):
    index = json.loads((base / INDEX).read_text("utf-8"))
    index["weight_map"][name] = file
    (base / INDEX).write_text(json.dumps(index), "utf-8")


def test_a_missing_file(refused):
    base, check = refused
    file = places(base)["model.norm.weight"]
    (base / file).unlink()
    check(f"BASE/{file} is missing, but {INDEX} names it.", AGAIN)


def test_an_index_that_names_an_absent_tensor(refused):
    base, check = refused
    file = places(base)["model.norm.weight"]
    point(base, "model.absent.weight", file)
    check(f"BASE/{INDEX} names the tensor model.absent.weight, but {file} does not hold it.", AGAIN)


def test_an_index_that_names_the_wrong_file(refused):
    base, check = refused
    here = places(base)["model.norm.weight"]
    there = next(file for file in places(base).values() if file != here)
    point(base, "model.norm.weight", there)
    check(f"BASE/{INDEX} says that model.norm.weight is in {there}, but it is in {here}.", AGAIN)


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("name", [EMBEDDING, HEAD])
def test_a_table_that_is_not_finite(refused, name, value):
    base, check = refused
    table = load_file(base / places(base)[name])[name]
    table[[5, 7]] = float(value)
    change(base, name, **{name: table})
    check(
        f"{name} of BASE holds NaN or infinity in 2 of {len(table)} rows: 5, 7.",
        "Download or copy the model again; if its source has them too, choose another.",
    )


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq"])
def test_a_quantised_table(refused, method):
    base, check = refused
    config = json.loads((base / "config.json").read_text("utf-8")) | {"quantization_config": {"quant_method": method}}
    (base / "config.json").write_text(json.dumps(config), "utf-8")
    if method == "bitsandbytes":
        change(base, HEAD, **{HEAD: torch.zeros(340, 32, dtype=torch.int8), "lm_head.SCB": torch.ones(340)})
        check(f"{HEAD} of BASE is quantised (bitsandbytes, stored as I8) and cannot be changed.", PLAIN)
        return
    path = base / places(base)[HEAD]
    save_file({"lm_head.qweight": torch.zeros(4, 340, dtype=torch.int32)}, path, metadata={"format": "pt"})
    index = {name: file for name, file in places(base).items() if name != HEAD} | {"lm_head.qweight": path.name}
    (base / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}), "utf-8")
    check(f"{HEAD} of BASE is quantised (gptq, stored as I32) and cannot be changed.", PLAIN)


def test_an_out_folder_that_holds_something(refused, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    refused[1]("OUT exists and is not empty.", "Name another folder, or delete this one first.")


def test_links_out_of_the_hubs_cache(refused, tmp_path):
    base, check = refused
    kept = sorted(set(places(base).values()) - {places(base)[EMBEDDING], places(base)[HEAD]})
    for file in kept:
        (base / file).rename(tmp_path / file)
        (base / file).symlink_to(tmp_path / file)
    check(
        f"BASE/{kept[0]} is a symbolic link and cannot be hard-linked.",
        "Copy the files instead of linking them.",
        "--link",
    )


def test_a_disk_that_is_too_small(cli, sound, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=50_000_000))
    outcome = cli("embed", sound / "base", "--tokenizer", sound / "tokenizer", "--out", tmp_path / "out")
    problem, hint = outcome.err.splitlines()[-2:]
    assert outcome.code == 1
    assert problem.endswith("needs 0.06 GB, but 0.05 GB are free on its disk.")
    assert hint == "Free some space, or name a folder on another disk."
    assert not list(tmp_path.iterdir())
