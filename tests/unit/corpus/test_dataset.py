"""The dataset folder: what is written is what is read, by row groups and with weights."""

from __future__ import annotations

import pico
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.corpus import dataset
from hubadapt.corpus.dataset import DatasetWriter, iter_split, read_split, read_weighted, split_file


def row(text: str, language: str = "ru") -> dict[str, str]:
    return {"text": text, "language": language, "source": "a", "license": "mit", "id": "0"}


SOURCES = st.lists(
    st.tuples(st.lists(st.tuples(st.text(max_size=5), st.sampled_from(["ru", "en"]))), st.floats(0.1, 9)), max_size=4
)


@pytest.fixture(scope="module")
def small_groups():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "_GROUP_CHARACTERS", 6)
        yield


@given(SOURCES)
def test_texts_come_back_in_order_with_the_weight_of_their_source(tmp_path_factory, small_groups, sources):
    folder = tmp_path_factory.mktemp("dataset")
    with DatasetWriter(folder) as writer:
        for rows, weight in sources:
            for text, language in rows:
                writer.add("train", row(text, language))
            writer.end_source(weight)
    for language in ("ru", "en"):
        expected = [(text, weight) for rows, weight in sources for text, other in rows if other == language]
        assert list(read_weighted(folder, "train", language)) == expected
        assert read_split(folder, "train", language) == [text for text, _ in expected]
        assert [text for group in iter_split(folder, "train", language) for text in group] == [t for t, _ in expected]
    assert read_split(folder, "test", "ru") == []


def test_a_group_of_rows_is_written_as_soon_as_it_is_full(tmp_path, small_groups):
    with DatasetWriter(tmp_path) as writer:
        for _ in range(5):
            writer.add("train", row("четыре"))
    assert pyarrow.parquet.ParquetFile(split_file(tmp_path, "train")).num_row_groups == 5
    assert [len(group) for group in iter_split(tmp_path, "train", "ru")] == [1] * 5


def test_a_file_without_weights_counts_once(tmp_path):
    split_file(tmp_path, "train").parent.mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row("а"), row("б")]), split_file(tmp_path, "train"))
    assert list(read_weighted(tmp_path, "train", "ru")) == [("а", 1.0), ("б", 1.0)]


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(KeyError, match="language"), DatasetWriter(tmp_path / "dataset") as writer:
        writer.add("train", row("а"))
        raise KeyError("language")
    assert pico.listing(tmp_path) == {} and not list(tmp_path.iterdir())


def test_datasets_reads_the_folder(tmp_path):
    from datasets import load_dataset

    with DatasetWriter(tmp_path / "dataset") as writer:
        writer.add("train", row("а"))
        writer.add("test", row("б"))
        writer.end_source(2)
    loaded = load_dataset(str(tmp_path / "dataset"))
    assert {split: rows["text"][:] for split, rows in loaded.items()} == {"train": ["а"], "test": ["б"]}
