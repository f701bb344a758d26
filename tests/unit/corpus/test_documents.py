"""Reading documents; files that cannot be read are in `tests/broken/test_bad_corpora.py`."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.corpus.documents import LONGEST_DOCUMENT, Document, cut, read_documents

ROWS = [
    {"text": "Раз.\nДва.", "source": "a", "license": "mit", "id": "x"},
    {"text": "Три.", "source": "b", "license": "cc0-1.0", "id": "y"},
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pyarrow.compress(data, codec="zstd", asbytes=True),
}


def parquet(rows: list[dict]) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_every_format_and_compression_gives_the_same_documents(tmp_path, kind, packing):
    path = tmp_path / f"corpus.v2{kind}{packing}"
    path.write_bytes(PACK[packing](LINES if kind == ".jsonl" else parquet(ROWS)))
    assert list(read_documents(path, license=None)) == [Document(**row) for row in ROWS]


@pytest.mark.parametrize("packing", PACK)
def test_a_text_file_holds_a_document_a_paragraph(tmp_path, packing):
    path = tmp_path / f"book.txt{packing}"
    path.write_bytes(PACK[packing]("\n  Раз,\nдва.\n \t\n\nТри.\n".encode()))
    expected = [Document("  Раз,\nдва.", path.name, "mit", "0"), Document("Три.", path.name, "mit", "1")]
    assert list(read_documents(path, license="mit")) == expected


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst"])
def test_a_compressed_file_may_be_several_written_one_after_the_other(tmp_path, packing):
    path = tmp_path / f"book.txt{packing}"
    path.write_bytes(PACK[packing]("Раз.\n\n".encode()) + PACK[packing]("Два.\n".encode()))
    assert [document.text for document in read_documents(path, license="mit")] == ["Раз.", "Два."]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_of_every_system_and_a_byte_order_mark_are_read(tmp_path, ends, mark):
    path = tmp_path / "book.txt"
    path.write_bytes((mark + ends.join(["Раз,", "два.", "", "Три."])).encode())
    assert [document.text for document in read_documents(path, license="mit")] == ["Раз,\nдва.", "Три."]


def test_what_a_row_does_not_say_is_taken_from_the_recipe_and_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\n\n{"text": "y", "license": "mit"}\n')
    assert list(read_documents(path, license="cc0-1.0")) == [
        Document("x", "a.jsonl", "cc0-1.0", "0"),
        Document("y", "a.jsonl", "mit", "1"),
    ]


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_the_text_is_taken_from_the_column_asked_for(tmp_path, kind):
    path = tmp_path / f"a{kind}"
    rows = [{"text": "no", "content": "yes"}]
    path.write_bytes(json.dumps(rows[0]).encode() if kind == ".jsonl" else parquet(rows))
    assert [document.text for document in read_documents(path, license="mit", column="content")] == ["yes"]


def test_a_folder_gives_the_documents_of_its_files_in_order(tmp_path):
    for name in ("b.txt", "a/z.txt.gz", ".hidden/c.txt", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        data = name.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert [document.text for document in read_documents(tmp_path, license="mit")] == ["a/z.txt.gz", "b.txt"]


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("kind", [".txt", ".jsonl", ".parquet"])
def test_the_bar_ends_at_the_size_of_the_file(tmp_path, kind, packing):
    path, seen = tmp_path / f"a{kind}{packing}", []
    rows = [{"text": f"Строка {number}."} for number in range(500)]
    content = parquet(rows) if kind == ".parquet" else "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(PACK[packing](content))
    list(read_documents(path, license="mit", advance=seen.append))
    assert sum(seen) == path.stat().st_size


@pytest.mark.parametrize("kind", [".txt", ".jsonl"])
def test_a_line_of_any_length_becomes_several_documents(tmp_path, kind):
    text = "слово " * (LONGEST_DOCUMENT // 5)
    path = tmp_path / f"long{kind}"
    path.write_text(text + "\n" if kind == ".txt" else json.dumps({"text": text, "id": "0"}), "utf-8")
    documents = list(read_documents(path, license="mit"))
    assert [document.id for document in documents] == ["0", "0-2"]
    assert all(len(document.text) <= LONGEST_DOCUMENT for document in documents)
    assert "".join(document.text for document in documents) == text


def test_a_long_line_that_breaks_off_at_a_space_ends_no_paragraph(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("а" * 2**16 + " " * 2**16 + "\nб\n", "utf-8")
    assert len(list(read_documents(path, license="mit"))) == 1


PIECES = st.lists(st.text(st.sampled_from("аб \n"), max_size=12), max_size=12)


@given(PIECES, st.integers(1, 9))
def test_parts_of_a_text_are_the_text_and_none_is_too_long(pieces, longest):
    parts = list(cut(pieces, longest))
    assert "".join(parts) == "".join(pieces)
    assert all(0 < len(part) <= longest for part in parts)


@given(PIECES, st.integers(1, 9))
def test_parts_do_not_depend_on_the_pieces_they_come_in(pieces, longest):
    assert list(cut(pieces, longest)) == list(cut(["".join(pieces)], longest))


def test_a_part_ends_with_a_line_or_else_a_word():
    assert list(cut(["one two\nthree four"], 12)) == ["one two\n", "three four"]
    assert list(cut(["one two three four"], 12)) == ["one two ", "three four"]
    assert list(cut(["onetwothreefour"], 12)) == ["onetwothreef", "our"]
