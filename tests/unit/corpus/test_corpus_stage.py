"""Documents, splits and the corpus stage; files that cannot be read are in `tests/broken/test_bad_corpora.py`."""

from __future__ import annotations

import gzip
import itertools
import json

import pico
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.corpus.dataset import read_split
from hubadapt.corpus.documents import Document, read_documents
from hubadapt.corpus.split import first_passage, is_held_out, pick_evenly

ROWS = [
    {"text": "Раз.\nДва.", "source": "a", "license": "mit", "id": "x"},
    {"text": "Три.", "source": "b", "license": "cc0-1.0", "id": "y"},
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet"])
def test_every_format_gives_the_same_documents(tmp_path, kind):
    path = tmp_path / f"corpus.v2.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    else:
        path.write_bytes(gzip.compress(LINES) if kind.endswith("gz") else LINES)
    assert list(read_documents(path, license=None)) == [Document(**row) for row in ROWS]


@pytest.mark.parametrize("kind", ["txt", "txt.gz"])
def test_a_text_file_holds_a_document_a_paragraph(tmp_path, kind):
    path = tmp_path / f"book.{kind}"
    data = "Раз.\n\nДва.\n".encode()
    path.write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
    expected = [Document("Раз.", path.name, "mit", "0"), Document("Два.\n", path.name, "mit", "1")]
    assert list(read_documents(path, license="mit")) == expected


def test_what_a_row_does_not_say_is_taken_from_the_recipe_and_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\n{"text": "y", "license": "mit"}\n')
    assert list(read_documents(path, license="cc0-1.0")) == [
        Document("x", "a.jsonl", "cc0-1.0", "0"),
        Document("y", "a.jsonl", "mit", "1"),
    ]


@given(st.text(max_size=30), st.floats(0.01, 0.99))
def test_the_split_depends_on_the_text_alone_and_grows_with_the_share(text, share):
    one, other = Document(text, "a", "b", "c"), Document(text, "d", "e", "f")
    assert is_held_out(one, share) == is_held_out(other, share)
    assert is_held_out(one, share) <= is_held_out(one, min(share + 0.3, 1.0))


def test_the_split_has_about_the_share_asked_for():
    documents = [Document(str(number), "", "", "") for number in range(4000)]
    held = sum(is_held_out(document, 0.1) for document in documents)
    assert 340 < held < 460


@given(st.text(st.sampled_from("аб \n"), max_size=80), st.integers(1, 40))
def test_a_passage_is_a_beginning_no_longer_than_asked_for(text, limit):
    passage = first_passage(text, limit)
    assert len(passage) <= limit
    lines = [line.strip() for line in text.strip().splitlines()]
    assert "".join("".join(lines).split()).startswith("".join(passage.split()))


def test_a_passage_is_whole_lines_or_cut_at_a_space():
    assert first_passage("one\ntwo\nthree", 9) == "one\ntwo"
    assert first_passage("one two three", 9) == "one two"


@given(st.lists(st.integers(), max_size=30), st.integers(1, 12))
def test_texts_are_picked_in_order_and_evenly(numbers, count):
    texts = [f"{place}" for place in range(len(numbers))]
    picked = pick_evenly(texts, count)
    places = [int(text) for text in picked]
    assert len(picked) == min(count, len(texts)) and places == sorted(set(places))
    gaps = [after - before for before, after in itertools.pairwise(places)]
    assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.fixture
def corpus(workshop):
    workshop.content["stages"] = workshop.content["stages"][:1]
    workshop.write()
    workshop.run()
    return workshop


def folder_of(workshop):
    return workshop.out / "0-corpus" / "dataset"


def test_no_document_is_in_both_splits_and_none_is_lost(corpus):
    train, test = (read_split(folder_of(corpus), split, "ru") for split in ("train", "test"))
    assert not set(train) & set(test)
    expected = {json.loads(line)["text"] for line in (corpus.folder / "ru.jsonl").read_text("utf-8").splitlines()}
    assert set(train) | set(test) == expected


def test_other_languages_are_only_measured_on(corpus):
    assert read_split(folder_of(corpus), "train", "en") == []
    assert len(read_split(folder_of(corpus), "test", "en")) == 10


def test_equal_and_blank_documents_are_taken_once_and_never(corpus):
    different = [f"Это строка {number}." for number in range(20)]
    rows = [{"text": text} for text in [*different, *different, " "] * 3]
    (corpus.folder / "ru.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus.stage("corpus")["held_out"] = 0.5
    corpus.write()
    corpus.run()
    taken = [text for split in ("train", "test") for text in read_split(folder_of(corpus), split, "ru")]
    assert sorted(taken) == sorted(different)


def test_the_record_counts_what_the_files_hold(corpus):
    table = {row["language"]: row for row in corpus.manifest.stages[0].facts["sources"]}
    for language, split in (("ru", "train"), ("ru", "test"), ("en", "test")):
        texts = read_split(folder_of(corpus), split, language)
        assert table[language][f"{split}_documents"] == len(texts)
        assert table[language][f"{split}_characters"] == sum(map(len, texts))
        assert table[language][f"{split}_bytes"] == sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize(("share", "trained", "held"), [(1e-6, 1, 0), (0.999999, 0, 1)])
def test_a_corpus_with_nothing_to_train_on_or_nothing_held_out_is_refused(cli, corpus, share, trained, held):
    pico.write_jsonl(corpus.folder / "ru.jsonl", ["Раз."])
    corpus.stage("corpus").update(held_out=share)
    outcome = cli("run", corpus.write())
    assert outcome.code == 1
    assert outcome.err.endswith(
        f"of the corpus, {trained} documents are left to train on and {held} to measure on.\n"
        "Give it more documents, or another share: `held_out:` of the stage corpus.\n"
    )
