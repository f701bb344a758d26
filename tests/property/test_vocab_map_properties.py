"""`VocabMap` and the one function that applies it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import dense, vocab_maps

from hubadapt.errors import ManifestError
from hubadapt.vocab_map import Origin, VocabMap, apply, compose_blocks, from_pieces

DTYPES = st.sampled_from([torch.float32, torch.float16, torch.bfloat16])


def table_of(rows: int, width: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)).to(dtype)


@given(vocab_maps(), st.integers(1, 8), st.integers(0, 99), DTYPES)
def test_copied_rows_keep_every_bit(vocab_map, width, seed, dtype):
    table = table_of(vocab_map.old_size, width, seed, dtype)
    new = apply(vocab_map, table)
    assert torch.equal(new[: len(table)], table)
    assert (new.dtype, new.shape) == (dtype, (vocab_map.new_size, width))


@given(vocab_maps(), st.integers(1, 8), st.integers(0, 99))
def test_applying_is_multiplying_by_the_matrix(vocab_map, width, seed):
    table = table_of(vocab_map.old_size, width, seed)
    expected = torch.from_numpy(dense(vocab_map)).float() @ table
    torch.testing.assert_close(apply(vocab_map, table), expected)


@given(vocab_maps())
def test_weights_of_a_composed_row_sum_to_one_and_fresh_rows_are_zero(vocab_map):
    sums = dense(vocab_map).sum(axis=1)
    np.testing.assert_allclose(sums[vocab_map.origins != Origin.FRESH], 1.0)
    assert not sums[vocab_map.rows_of(Origin.FRESH)].any()


@given(vocab_maps(), st.integers(0, 99))
def test_rows_composed_in_blocks_are_those_composed_alone(vocab_map, seed):
    table = table_of(vocab_map.old_size, 3, seed)
    rows = np.flatnonzero(vocab_map.origins != Origin.FRESH)
    together = torch.cat(list(compose_blocks(vocab_map, table, rows)))
    alone = [next(compose_blocks(vocab_map, table, rows[i : i + 1])) for i in range(len(rows))]
    assert torch.equal(together, torch.cat(alone))


@given(vocab_maps())
def test_a_saved_map_reads_back_equal_and_equal_maps_give_equal_bytes(vocab_map):
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "a", Path(folder) / "b"
        vocab_map.save(path)
        read = VocabMap.load(path)
        read.save(again)
        assert path.read_bytes() == again.read_bytes()
    for name in ("indptr", "indices", "weights", "origins"):
        np.testing.assert_array_equal(getattr(read, name), getattr(vocab_map, name))
    assert read.old_size == vocab_map.old_size


@given(vocab_maps(), st.integers(0, 10_000), st.sampled_from(["cut", "empty"]))
def test_a_damaged_map_is_refused_by_name(vocab_map, place, how):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab_map.safetensors"
        vocab_map.save(path)
        data = path.read_bytes()
        path.write_bytes(data[: place % len(data)] if how == "cut" else b"")
        with pytest.raises(ManifestError, match=r"vocab_map\.safetensors is no readable vocabulary map"):
            VocabMap.load(path)


def test_a_map_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="disagree"):
        VocabMap(np.array([0, 1]), np.array([0]), np.array([1.0]), np.zeros(2, np.uint8), 1)
    with pytest.raises(ValueError, match="outside the old table of 2 rows"):
        from_pieces(2, [[2]])
    with pytest.raises(ValueError, match="the table has 3 rows, the map expects 2"):
        apply(from_pieces(2, [[0]]), torch.zeros(3, 1))


@given(vocab_maps(), st.data())
def test_recomposed_rows_alone_have_other_entries(vocab_map, data):
    rows = np.array(data.draw(st.lists(st.integers(0, vocab_map.new_size - 1), unique=True)), dtype=np.int64)
    lengths = np.array([data.draw(st.integers(0, 3)) for _ in rows], dtype=np.int64)
    indices = np.array(
        [data.draw(st.integers(0, vocab_map.old_size - 1)) for _ in range(lengths.sum())], dtype=np.int64
    )
    weights = np.arange(1.0, len(indices) + 1)
    expected = dense(vocab_map)
    expected[rows] = 0
    np.add.at(expected, (np.repeat(rows, lengths), indices), weights)
    np.testing.assert_allclose(dense(vocab_map.recomposed(rows, lengths, indices, weights)), expected)
