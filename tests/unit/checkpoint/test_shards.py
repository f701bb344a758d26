"""Headers say where each tensor lies, and a header that does not fit its file is refused."""

from __future__ import annotations

import json

import pico
import pytest
import torch
from safetensors.torch import load_file, save_file

from hubadapt.checkpoint import read_tensor, shard_map
from hubadapt.checkpoint.shards import INDEX_NAME, read_shards, stored_tensors
from hubadapt.errors import ModelError
from hubadapt.model import load_model


@pytest.fixture
def sharded(tmp_path):
    return pico.write_model(tmp_path / "sharded", tied=False, sharded=True)


def test_several_files_read_as_one(sharded):
    shards = shard_map(sharded)
    assert len(set(shards.values())) > 2
    state = load_model(sharded).state_dict()
    assert set(shards) == set(state)
    assert all(torch.equal(read_tensor(sharded, name), state[name]) for name in shards)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_tensor_is_the_bytes_that_its_header_names(tmp_path, dtype):
    folder = pico.write_model(tmp_path / "model", dtype=dtype)
    data = (folder / "model.safetensors").read_bytes()
    for name, tensor in load_file(folder / "model.safetensors").items():
        stored = stored_tensors(folder)[name]
        assert stored.shape == tuple(tensor.shape)
        assert data[stored.start : stored.start + stored.size] == bytes(tensor.flatten().view(torch.uint8).numpy())


def test_headers_own_entries_are_kept(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors", metadata={"format": "pt", "source": "x"})
    assert read_shards(tmp_path)["model.safetensors"].metadata == {"format": "pt", "source": "x"}


def point(folder, **changed):
    """Change where an index says that tensors are."""
    index = json.loads((folder / INDEX_NAME).read_text("utf-8"))
    index["weight_map"] |= changed
    (folder / INDEX_NAME).write_text(json.dumps(index), "utf-8")


def test_an_index_that_names_an_absent_tensor_is_refused(sharded):
    file = min(shard_map(sharded).values())
    point(sharded, **{"model.extra.weight": file})
    with pytest.raises(ModelError, match=rf"names the tensor model\.extra\.weight, but {file} does not hold it"):
        shard_map(sharded)


def test_an_index_that_names_the_wrong_file_is_refused(sharded):
    places = shard_map(sharded)
    name, right = next((name, file) for name, file in places.items() if list(places.values()).count(file) > 1)
    wrong = next(file for file in places.values() if file != right)
    point(sharded, **{name: wrong})
    with pytest.raises(ModelError, match=f"{name} is in {wrong}, but it is in {right}"):
        shard_map(sharded)


def test_a_tensor_in_two_files_is_refused(sharded):
    places = shard_map(sharded)
    other = next(file for file in places.values() if file != places["lm_head.weight"])
    path = sharded / other
    save_file({**load_file(path), "lm_head.weight": read_tensor(sharded, "lm_head.weight")}, path)
    with pytest.raises(ModelError, match=r"holds the tensor lm_head\.weight in 2 files"):
        shard_map(sharded)


def test_an_index_that_points_out_of_its_folder_is_refused(sharded):
    file = shard_map(sharded)["lm_head.weight"]
    point(sharded, **{"lm_head.weight": f"../other/{file}"})
    with pytest.raises(ModelError, match="names no shards beside it"):
        shard_map(sharded)
