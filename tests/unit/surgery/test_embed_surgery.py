"""Surgery on the tables: old rows and the body bit for bit, new rows by any method, and a record of each."""

from __future__ import annotations

import json

import pico
import pytest
import torch

from hubadapt.checkpoint import find_tables, load_config, read_tensor, shard_map
from hubadapt.embeddings import initialisations
from hubadapt.errors import ModelError, RecipeError
from hubadapt.surgery.embed import NEW_ROWS_NAME, Start, embed
from hubadapt.tokenizer.between import map_between
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap

METHODS = sorted(name for name, method in initialisations().items() if not method.needs)


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def tied(request):
    return request.param


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def model(request, tied, tmp_path_factory):
    """A pico base and a tokenizer of 60 more tokens."""
    folder = tmp_path_factory.mktemp("surgery")
    base = pico.write_model(folder / "base", tied=tied, dtype=request.param, spare_rows=3, sharded=True)
    pico.write_extended(base, folder / "tokenizer", new_tokens=60)
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_old_rows_and_the_body_keep_every_bit_and_the_model_loads(model, method, tmp_path):
    report = embed(model / "base", model / "tokenizer", tmp_path / "out", Start(method=method))
    tables = find_tables(load_config(model / "base"))
    assert set(report) == set(tables.names)
    pieces = VocabMap.load(model / "tokenizer" / VOCAB_MAP_NAME)
    for name in shard_map(model / "base"):
        old, new = read_tensor(model / "base", name), read_tensor(tmp_path / "out", name)
        assert new.dtype == old.dtype
        assert torch.equal(new[: len(old)], old)
        assert len(new) == (pieces.new_size if name in tables.names else len(old))
        assert new.isfinite().all()
    loaded = pico.load(tmp_path / "out")
    assert loaded.get_input_embeddings().weight.shape[0] == pieces.new_size


def test_every_new_row_has_a_record_of_its_pieces_and_norms(model, tmp_path):
    embed(model / "base", model / "tokenizer", tmp_path / "out", Start(method="scaled(by=0.5)"))
    pieces = VocabMap.load(model / "tokenizer" / VOCAB_MAP_NAME)
    written = json.loads((tmp_path / "out" / NEW_ROWS_NAME).read_text("utf-8"))
    entries = all_entries(read_tokenizer_json(model / "tokenizer"))
    names = {index: entry for entry, index in entries.items()}
    assert [row["id"] for row in written["rows"]] == pieces.rows_of(Origin.COMPOSED).tolist()
    for row in written["rows"]:
        assert row["token"] == names[row["id"]]
        assert "".join(row["pieces"]) == row["token"]
        for before, after in row["norms"].values():
            assert after == pytest.approx(before / 2, abs=2e-4)
    assert set(written["methods"].values()) == {"scaled(by=0.5)"}


def test_a_tokenizer_without_a_map_gets_the_same_model(model, tmp_path):
    embed(model / "base", model / "tokenizer", tmp_path / "with", Start())
    bare = pico.without(model / "tokenizer", tmp_path / "bare", VOCAB_MAP_NAME)
    embed(model / "base", bare, tmp_path / "without", Start())
    assert pico.listing(tmp_path / "with") == pico.listing(tmp_path / "without")


def test_the_same_vocabulary_gives_the_same_model(model, tmp_path):
    embed(model / "base", model / "base", tmp_path / "out", Start())
    for name in shard_map(model / "base"):
        assert torch.equal(read_tensor(tmp_path / "out", name), read_tensor(model / "base", name))


def test_input_table_and_head_each_follow_their_own_rule(model, tmp_path, tied):
    report = embed(model / "base", model / "tokenizer", tmp_path / "out", Start("mean", head_method="scaled(by=0.1)"))
    assert [table.method for table in report.values()] == (["mean"] if tied else ["mean", "scaled(by=0.1)"])


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("skaled", "there is no initialisation 'skaled'"),
        ("scaled(to=1)", "the initialisation scaled has no setting 'to'"),
        ("scaled(by='much')", "the setting by of the initialisation scaled cannot be 'much'"),
        ("scaled(", "the initialisation 'scaled\\(' cannot be read"),
        ("__import__('os')", "the initialisation .* cannot be read"),
    ],
)
def test_a_method_that_does_not_exist_is_refused_and_nothing_is_written(model, tmp_path, method, message):
    with pytest.raises(RecipeError, match=message):
        embed(model / "base", model / "tokenizer", tmp_path / "out", Start(method=method))
    assert not list(tmp_path.iterdir())


def test_a_map_of_another_model_is_refused(model, tmp_path):
    other = pico.write_model(tmp_path / "other", spare_rows=9)
    with pytest.raises(ModelError, match=r"rows, the vocabulary map of .* expects"):
        embed(other, model / "tokenizer", tmp_path / "out", Start())
    assert not (tmp_path / "out").exists()


def test_a_table_with_nan_is_refused_by_name_and_row(model, tmp_path):
    base = pico.poisoned(model / "base", tmp_path / "nan", row=7)
    name = find_tables(load_config(base)).embedding
    with pytest.raises(ModelError, match=rf"{name}.*7"):
        embed(base, model / "tokenizer", tmp_path / "out", Start())
    assert not (tmp_path / "out").exists()


def test_the_map_between_is_what_the_extension_recorded(model):
    old, new = (read_tokenizer_json(model / name) for name in ("base", "tokenizer"))
    ours = VocabMap.load(model / "tokenizer" / VOCAB_MAP_NAME)
    assert map_between(old, new, old_rows=ours.old_size).indices.tolist() == ours.indices.tolist()
