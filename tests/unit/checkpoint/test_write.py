"""A copy with other tables: all else keeps its bytes, one block of rows is in memory, and it appears whole."""

from __future__ import annotations

import json
import os
import shutil
from itertools import pairwise

import pico
import pytest
import torch
from safetensors.torch import load_file, save, save_file

from hubadapt.checkpoint import (
    NewTensor,
    Written,
    bytes_needed,
    find_tables,
    load_config,
    read_tensor,
    shard_map,
    write_with_tables,
)
from hubadapt.errors import ModelError, UserError
from hubadapt.model import load_model

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
ROWS = 400
GROWN = {"vocab_size": ROWS}


def tables_of(source, rows=ROWS, dtype=None):
    """A table of ones for each of a model's."""
    tables = {name: read_tensor(source, name) for name in find_tables(load_config(source)).names}
    return {name: torch.ones(rows, table.shape[1], dtype=dtype or table.dtype) for name, table in tables.items()}


def new(tables):
    return {name: NewTensor.of(table) for name, table in tables.items()}


@pytest.fixture
def sharded(tmp_path):
    return pico.write_model(tmp_path / "sharded", tied=False, sharded=True)


@pytest.mark.parametrize("layout", ["base", "sharded"])
def test_a_written_copy_differs_in_the_given_tables_alone(request, tmp_path, layout):
    source, target = request.getfixturevalue(layout), tmp_path / "target"
    tables = tables_of(source)
    write_with_tables(source, target, new(tables), config_changes=GROWN)
    assert shard_map(target) == shard_map(source)
    for name in shard_map(source):
        assert torch.equal(read_tensor(target, name), tables[name] if name in tables else read_tensor(source, name))
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (source, target))
    assert after == before | GROWN
    assert not list(target.glob("tokenizer*"))
    index = target / "model.safetensors.index.json"
    assert index.is_file() == (layout == "sharded")
    if index.is_file():
        data = sum(tensor.nbytes for shard in target.glob("*.safetensors") for tensor in load_file(shard).values())
        assert json.loads(index.read_text()) == {
            "metadata": {"total_size": data},
            "weight_map": dict(sorted(shard_map(target).items())),
        }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_transformers_loads_what_was_written(tmp_path, dtype, tied):
    source = pico.write_model(tmp_path / "source", dtype=dtype, tied=tied)
    tables = tables_of(source)
    write_with_tables(source, tmp_path / "target", new(tables), config_changes=GROWN)
    model = pico.load(tmp_path / "target")
    assert model.dtype == dtype
    assert torch.equal(model.get_input_embeddings().weight, tables[EMBEDDING])
    assert torch.equal(model.get_output_embeddings().weight, tables.get(HEAD, tables[EMBEDDING]))
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == tied


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_files_are_those_that_safetensors_itself_would_write(tmp_path, dtype):
    source = pico.write_model(tmp_path / "source", dtype=dtype)
    tables = tables_of(source)
    write_with_tables(source, tmp_path / "target", new(tables), config_changes=GROWN)
    expected = save({**load_file(source / "model.safetensors"), **tables}, metadata={"format": "pt"})
    assert (tmp_path / "target" / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("layout", ["base", "sharded"])
def test_surgery_that_changes_nothing_keeps_every_byte(request, tmp_path, layout):
    source, target = request.getfixturevalue(layout), tmp_path / "target"
    same = {name: read_tensor(source, name) for name in find_tables(load_config(source)).names}
    write_with_tables(source, target, new(same), config_changes={})
    for shard in set(shard_map(source).values()):
        assert (target / shard).read_bytes() == (source / shard).read_bytes()


def test_each_tensor_begins_at_a_multiple_of_its_width(base, tmp_path):
    source = shutil.copytree(base, tmp_path / "source")
    tensors = load_file(source / "model.safetensors")
    save_file({**tensors, "a": torch.zeros(3, dtype=torch.uint8), "b": torch.zeros(2, dtype=torch.float64)},
              source / "model.safetensors")  # fmt: skip
    write_with_tables(source, tmp_path / "target", new(tables_of(source)), config_changes=GROWN)
    written = (tmp_path / "target" / "model.safetensors").read_bytes()
    length = int.from_bytes(written[:8], "little")
    header = json.loads(written[8 : 8 + length])
    assert length % 8 == 0
    for name, entry in header.items():
        if name != "__metadata__":
            width = 1 if entry["dtype"] == "U8" else int(entry["dtype"][1:]) // 8
            assert entry["data_offsets"][0] % width == 0, name


def test_writing_twice_gives_the_same_bytes(base, tmp_path):
    for name in ("a", "b"):
        write_with_tables(base, tmp_path / name, new(tables_of(base)), config_changes=GROWN)
    assert pico.listing(tmp_path / "a") == pico.listing(tmp_path / "b")


def test_a_block_is_on_the_disk_before_the_next_is_made(base, tmp_path):
    width, seen = read_tensor(base, EMBEDDING).shape[1], []

    def blocks():
        for _ in range(4):
            seen.append((tmp_path / ".target.partial" / "model.safetensors").stat().st_size)
            yield torch.zeros(ROWS // 4, width)

    table = NewTensor((ROWS, width), torch.float32, blocks)
    write_with_tables(base, tmp_path / "target", {EMBEDDING: table}, config_changes=GROWN)
    size = ROWS // 4 * width * 4
    assert [after - before for before, after in pairwise(seen)] == [size] * 3


@pytest.mark.parametrize(
    "blocks",
    [
        [torch.zeros(ROWS - 1, 32)],
        [torch.zeros(ROWS, 32), torch.zeros(1, 32)],
        [torch.zeros(ROWS, 31)],
        [torch.zeros(ROWS, 32, dtype=torch.bfloat16)],
    ],
    ids=["too few rows", "too many rows", "other width", "other dtype"],
)
def test_blocks_that_are_not_what_was_announced_leave_nothing(base, tmp_path, blocks):
    table = NewTensor((ROWS, 32), torch.float32, lambda: iter(blocks))
    with pytest.raises(ValueError, match=EMBEDDING):
        write_with_tables(base, tmp_path / "target", {EMBEDDING: table}, config_changes=GROWN)
    assert not list(tmp_path.iterdir())


def test_a_table_that_the_configuration_contradicts_leaves_nothing(base, tmp_path):
    with pytest.raises(RuntimeError, match=r"has 400 rows, config\.json says 340"):
        write_with_tables(base, tmp_path / "target", new(tables_of(base)), config_changes={})
    assert not list(tmp_path.iterdir())


def test_what_is_on_the_disk_is_compared_with_what_was_to_be_written(base, tmp_path, monkeypatch):
    def lossy(path, tensors, metadata, **others):
        save_file({EMBEDDING: torch.ones(ROWS, 32)}, path, metadata=dict(metadata))

    monkeypatch.setattr("hubadapt.checkpoint.write.write_shard", lossy)
    with pytest.raises(RuntimeError, match="holds other tensors than were written"):
        write_with_tables(base, tmp_path / "target", new(tables_of(base)), config_changes=GROWN)
    assert not list(tmp_path.iterdir())


def test_a_crash_while_writing_leaves_the_old_folder_whole(base, tmp_path, monkeypatch):
    target = tmp_path / "target"
    write_with_tables(base, target, {}, config_changes={})
    before = pico.listing(tmp_path)

    def crash(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hubadapt.checkpoint.write.write_shard", crash)
    with pytest.raises(KeyboardInterrupt):
        write_with_tables(base, target, {"model.norm.weight": NewTensor.of(torch.ones(32))}, config_changes={})
    assert pico.listing(tmp_path) == before
    monkeypatch.undo()
    write_with_tables(base, target, {"model.norm.weight": NewTensor.of(torch.zeros(32))}, config_changes={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target"]


def test_a_tensor_that_is_not_there_is_named(base, tmp_path):
    nothing = NewTensor.of(torch.zeros(1))
    for act in (
        lambda: read_tensor(base, "nothing"),
        lambda: write_with_tables(base, tmp_path / "x", {"nothing": nothing}, config_changes={}),
    ):
        with pytest.raises(ModelError, match="has no tensor nothing"):
            act()
    assert not list(tmp_path.iterdir())


def with_copy_of_table(base, folder, difference=0.0):
    """A tied model whose file holds the table a second time, as the head."""
    shutil.copytree(base, folder)
    tensors = load_file(folder / "model.safetensors")
    head = tensors[EMBEDDING] + difference
    save_file({**tensors, HEAD: head}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_copy_of_a_tied_table_is_left_out_when_the_table_changes(base, tmp_path):
    source = with_copy_of_table(base, tmp_path / "source")
    tables = tables_of(source)
    write_with_tables(source, tmp_path / "target", new(tables), config_changes=GROWN)
    assert set(shard_map(tmp_path / "target")) == set(shard_map(base))
    model = load_model(tmp_path / "target")
    assert torch.equal(model.get_output_embeddings().weight, tables[EMBEDDING])
    write_with_tables(source, tmp_path / "same", {}, config_changes={})
    assert set(shard_map(tmp_path / "same")) == {*shard_map(base), HEAD}


def test_a_head_that_is_tied_by_its_configuration_alone_is_refused(base, tmp_path):
    source = with_copy_of_table(base, tmp_path / "source", difference=1.0)
    assert load_model(source).get_output_embeddings().weight is not load_model(source).get_input_embeddings().weight
    with pytest.raises(ModelError, match=rf"ties its head to {EMBEDDING} .* holds another table as {HEAD}"):
        write_with_tables(source, tmp_path / "target", new(tables_of(source)), config_changes=GROWN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def sizes(source, target):
    """Bytes of the source's files with and without a table, of the new tables, and of all that was written."""
    touched = {shard_map(source)[name] for name in (EMBEDDING, HEAD)}
    rest = sum(path.stat().st_size for path in source.glob("*.safetensors") if path.name not in touched)
    made = sum(table.nbytes for table in tables_of(source).values())
    return rest, made, sum(path.stat().st_size for path in target.glob("*.safetensors"))


def test_where_bytes_came_from_is_accounted_for(sharded, tmp_path):
    seen: list[int] = []
    written = write_with_tables(
        sharded, tmp_path / "target", new(tables_of(sharded)), config_changes=GROWN, advance=seen.append
    )
    _, made, total = sizes(sharded, tmp_path / "target")
    assert written.made == made and written.linked == 0
    assert made + written.copied + written.reflinked == total == sum(seen)


def test_linked_files_are_the_sources_own_and_the_others_are_not(sharded, tmp_path):
    seen: list[int] = []
    target = tmp_path / "target"
    tables = new(tables_of(sharded))
    written = write_with_tables(sharded, target, tables, config_changes=GROWN, body="link", advance=seen.append)
    rest, made, total = sizes(sharded, target)
    assert written == Written(made=made, copied=total - made - rest, linked=rest)
    assert sum(seen) == total
    touched = {shard_map(sharded)[name] for name in (EMBEDDING, HEAD)}
    for path in target.glob("*.safetensors"):
        assert os.path.samefile(path, sharded / path.name) == (path.name not in touched)


def as_in_cache(source, folder):
    """The source as the Hub's cache holds it: files are blobs, a snapshot points to them."""
    blobs, snapshot = folder / "models--a--b" / "blobs", folder / "models--a--b" / "snapshots" / "1"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for at, path in enumerate(sorted(source.iterdir())):
        shutil.copyfile(path, blobs / str(at))
        (snapshot / path.name).symlink_to(blobs / str(at))
    return snapshot


def test_links_out_of_a_hub_cache_are_refused_and_copies_are_not(sharded, tmp_path):
    snapshot = as_in_cache(sharded, tmp_path / "cache")
    tables = new(tables_of(sharded))
    with pytest.raises(UserError, match="is a symbolic link and cannot be hard-linked"):
        write_with_tables(snapshot, tmp_path / "target", tables, config_changes=GROWN, body="link")
    assert not (tmp_path / "target").exists() and not list(tmp_path.glob(".*"))
    write_with_tables(snapshot, tmp_path / "target", tables, config_changes=GROWN)
    assert not any(path.is_symlink() for path in (tmp_path / "target").iterdir())


def test_too_little_disk_is_said_before_anything_is_written(sharded, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=63_990_000))
    monkeypatch.setattr("hubadapt.checkpoint.write.write_shard", lambda *_, **__: pytest.fail("work began"))
    with pytest.raises(UserError, match=r"target needs 0\.06 GB, but 0\.06 GB are free on its disk") as error:
        write_with_tables(sharded, tmp_path / "target", new(tables_of(sharded)), config_changes=GROWN)
    assert "another disk" in error.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sharded"]


def test_reflinked_files_are_counted_apart_and_need_no_room(sharded, tmp_path, monkeypatch):
    monkeypatch.setattr("hubadapt.checkpoint.write.reflink", lambda source, target: bool(shutil.copy(source, target)))
    usage = shutil.disk_usage(tmp_path)
    rest, _, total = sizes(sharded, sharded)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=64_000_000 + total - rest))
    same = {name: read_tensor(sharded, name) for name in (EMBEDDING, HEAD)}
    written = write_with_tables(sharded, tmp_path / "target", new(same), config_changes={})
    made = sum(table.nbytes for table in same.values())
    assert written == Written(made=made, copied=total - rest - made, reflinked=rest)


@pytest.mark.parametrize("body", ["copy", "link"])
def test_the_bytes_needed_are_known_before_a_table_is_made(sharded, tmp_path, body):
    tables = tables_of(sharded)
    needed = bytes_needed(sharded, tmp_path / "target", dict.fromkeys(tables, ROWS), body=body)
    written = write_with_tables(sharded, tmp_path / "target", new(tables), config_changes=GROWN, body=body)
    # Headers grow with the digits of their offsets.
    assert abs(needed - (written.made + written.copied)) < 64


def test_linked_files_need_no_room(tmp_path, sharded, monkeypatch):
    rest, _, total = sizes(sharded, sharded)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=64_000_000 + total))
    same = new({name: read_tensor(sharded, name) for name in (EMBEDDING, HEAD)})
    write_with_tables(sharded, tmp_path / "target", same, config_changes={})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=64_000_000 + total - rest))
    with pytest.raises(UserError, match="are free"):
        write_with_tables(sharded, tmp_path / "other", same, config_changes={})
    write_with_tables(sharded, tmp_path / "other", same, config_changes={}, body="link")
