"""Safetensors on disk: tables are found by architecture, read alone, and replaced while all else keeps its bytes."""

from __future__ import annotations

import json
import shutil

import pico
import pytest
import torch
from safetensors.torch import load_file

from hubadapt.checkpoint import NewTensor, find_tables, load_config, read_tensor, shard_map, write_with_tables
from hubadapt.errors import ModelError
from hubadapt.model import load_model

NAMES = {
    "llama": ("model.embed_tokens.weight", "lm_head.weight"),
    "qwen2": ("model.embed_tokens.weight", "lm_head.weight"),
    "gpt_neox": ("gpt_neox.embed_in.weight", "embed_out.weight"),
}


@pytest.mark.parametrize("architecture", NAMES)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_tables_are_the_tensors_on_disk(tmp_path, architecture, tied):
    folder = pico.write_model(tmp_path / "model", architecture=architecture, tied=tied)
    tables = find_tables(load_config(folder))
    embedding, head = NAMES[architecture]
    assert (tables.embedding, tables.head) == (embedding, None if tied else head)
    assert set(tables.names) <= set(shard_map(folder))
    model = load_model(folder)
    assert torch.equal(read_tensor(folder, embedding), model.get_input_embeddings().weight)
    assert torch.equal(read_tensor(folder, tables.names[-1]), model.get_output_embeddings().weight)


@pytest.fixture
def sharded(tmp_path):
    return pico.write_model(tmp_path / "sharded", tied=False, sharded=True)


def test_several_files_read_as_one(sharded):
    shards = shard_map(sharded)
    assert len(set(shards.values())) > 2
    state = load_model(sharded).state_dict()
    assert set(shards) == set(state)
    assert all(torch.equal(read_tensor(sharded, name), state[name]) for name in shards)


@pytest.mark.parametrize("layout", ["base", "sharded"])
def test_a_written_copy_differs_in_the_given_tables_alone(request, tmp_path, layout):
    source, target = request.getfixturevalue(layout), tmp_path / "target"
    tables = {name: torch.full((400, 32), 2.0) for name in find_tables(load_config(source)).names}
    new = {name: NewTensor.of(table) for name, table in tables.items()}
    write_with_tables(source, target, new, config_changes={"vocab_size": 400})
    assert shard_map(target).keys() == shard_map(source).keys()
    for other in shard_map(source):
        expected = tables[other] if other in tables else read_tensor(source, other)
        assert torch.equal(read_tensor(target, other), expected)
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (source, target))
    assert after == before | {"vocab_size": 400}
    assert not list(target.glob("tokenizer*"))
    index = target / "model.safetensors.index.json"
    assert index.is_file() == (layout == "sharded")
    if index.is_file():
        data = sum(tensor.nbytes for shard in target.glob("*.safetensors") for tensor in load_file(shard).values())
        assert json.loads(index.read_text())["metadata"]["total_size"] == data


def test_writing_twice_gives_the_same_bytes(base, tmp_path):
    for name in ("a", "b"):
        write_with_tables(base, tmp_path / name, {"model.norm.weight": NewTensor.of(torch.ones(32))}, config_changes={})
    assert pico.listing(tmp_path / "a") == pico.listing(tmp_path / "b")


def test_a_crash_while_writing_leaves_the_old_folder_whole(base, tmp_path, monkeypatch):
    target = tmp_path / "target"
    write_with_tables(base, target, {}, config_changes={})
    before = pico.listing(target)

    def crash(*arguments: object, **options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("hubadapt.checkpoint.write.write_shard", crash)
    with pytest.raises(OSError, match="disk full"):
        write_with_tables(base, target, {"model.norm.weight": NewTensor.of(torch.ones(32))}, config_changes={})
    assert pico.listing(target) == before
    monkeypatch.undo()
    write_with_tables(base, target, {"model.norm.weight": NewTensor.of(torch.zeros(32))}, config_changes={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target"]


def test_a_tensor_that_is_not_there_is_named(base, tmp_path):
    for act in (
        lambda: read_tensor(base, "nothing"),
        lambda: write_with_tables(base, tmp_path / "x", {"nothing": NewTensor.of(torch.zeros(1))}, config_changes={}),
    ):
        with pytest.raises(ModelError, match="has no tensor nothing"):
            act()
    assert not list(tmp_path.iterdir())


def test_a_config_inside_a_config_is_changed_where_its_rows_are(base, tmp_path):
    source = shutil.copytree(base, tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({"model_type": "outer", "text_config": config}))
    write_with_tables(source, tmp_path / "target", {}, config_changes={"vocab_size": 7})
    written = json.loads((tmp_path / "target" / "config.json").read_text())
    assert written["text_config"]["vocab_size"] == 7 and "vocab_size" not in written
