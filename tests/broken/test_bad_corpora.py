"""A corpus that cannot be learnt from: two lines, exit code 1, and nothing is written."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import pico
import pyarrow
import pyarrow.parquet
import pytest

CHECK = "Check `path` under `corpus.sources` in the recipe."
COLUMN = "Name the column that holds the text: `column:` of this source in the recipe."
MEND = "Mend or remove the row: text was cut inside a character when the file was written."
KNOWN = ".txt, .jsonl or .parquet, plain or with .gz, .bz2, .xz, .zst after it."


@pytest.fixture
def refused(cli, workshop):
    """Run with a file of these bytes as the only source, and compare the two lines; FILE stands for its path."""

    def check(data: bytes | None, problem: str, hint: str, *, name: str = "text.jsonl", license: str | None = "mit"):
        path = workshop.folder / name
        if data is not None:
            path.write_bytes(data)
        source = {"path": name, "language": "ru"} | ({"license": license} if license else {})
        workshop.stage("corpus")["sources"] = [source]
        workshop.write()
        before = pico.listing(workshop.folder)
        outcome = cli("run", workshop.recipe)
        expected = f"{problem}\n{hint}\n".replace("FILE", str(path))
        assert (outcome.code, outcome.out, outcome.err) == (1, "", expected)
        assert pico.listing(workshop.folder) == before

    return check


def rows(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode()


def parquet(columns: dict) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue().to_pybytes()


def zstd(data: bytes) -> bytes:
    return pyarrow.compress(data, codec="zstd", asbytes=True)


def test_a_missing_corpus_is_named(refused):
    refused(None, "the corpus FILE does not exist.", CHECK)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text.jsonl", b""),
        ("text.jsonl", rows("", "  \n ")),
        ("text.jsonl", b"\n\n"),
        ("text.txt", b"\n \n"),
        ("text.txt.gz", gzip.compress(b"", mtime=0)),
        ("text.txt.zst", b""),
        ("text.parquet", parquet({"text": []})),
    ],
    ids=["no byte", "blank rows", "blank lines", "blank text", "gzip of nothing", "no byte of zstd", "no row"],
)
def test_an_empty_corpus_is_refused(refused, name, data):
    refused(
        data, f"the corpus {name} is empty.", "Check `path` or `hub` under `corpus.sources` in the recipe.", name=name
    )


def test_a_folder_without_a_corpus_file_is_refused(refused, workshop):
    (workshop.folder / "texts").mkdir()
    (workshop.folder / "texts" / "notes.md").write_text("x")
    refused(None, "the folder FILE holds no corpus file.", f"Put files into it: {KNOWN}", name="texts")


@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
@pytest.mark.parametrize(
    ("encoding", "found"), [("cp1251", "byte 0 is 0xcf"), ("utf-16", "byte 0 is 0xff")], ids=["cp1251", "utf-16"]
)
def test_a_corpus_in_another_encoding_says_how_to_convert_it(refused, name, encoding, found):
    refused(
        "Привет".encode(encoding),
        f"FILE is not UTF-8: {found}.",
        f"Convert it, for example: iconv -f {encoding} -t utf-8 {name} > text.utf8.{name.split('.')[1]}",
        name=name,
    )


@pytest.mark.parametrize("before", [0, 7, 8192, 10_000, 2**18 + 1, 2**20])
@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
def test_the_byte_that_is_not_utf8_is_counted_from_the_beginning_of_the_text(refused, before, packing):
    data = ("й" * (before // 2)).encode() + b"x" * (before % 2) + b"\xff\n"
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstd}[packing]
    hint = (
        "Unpack it and convert it, for example: iconv -f cp1251 -t utf-8 text.txt"
        if packing
        else "Convert it, for example: iconv -f cp1251 -t utf-8 text.txt > text.utf8.txt"
    )
    refused(pack(data), f"FILE is not UTF-8: byte {before} is 0xff.", hint, name=f"text.txt{packing}")


def test_a_text_that_ends_inside_a_character_is_refused(refused):
    refused(
        "Привет".encode()[:-1],
        "FILE is not UTF-8: byte 10 is 0xd1.",
        "Convert it, for example: iconv -f cp1251 -t utf-8 text.txt > text.utf8.txt",
        name="text.txt",
    )


def test_a_parquet_text_that_is_not_utf8_names_its_row(refused):
    bytes_of = pyarrow.array(["Привет".encode(), "Привет".encode("cp1251")], pyarrow.binary())
    refused(
        parquet({"text": bytes_of.view(pyarrow.string())}),
        "FILE row 2 is not UTF-8: byte 0 of it is 0xcf.",
        "Write the file again, with text as UTF-8.",
        name="text.parquet",
    )


@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_a_binary_file_is_refused(refused, name):
    refused(b"\x7fELF\0\0", "FILE line 1 holds a NUL character.", "Give a file of text, in UTF-8.", name=name)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_nul_character_in_a_row_is_refused(refused, kind):
    data = rows("Привет", "При\0вет") if kind == "jsonl" else parquet({"text": ["Привет", "При\0вет"]})
    place = "line 2" if kind == "jsonl" else "row 2"
    refused(data, f"FILE {place} holds a NUL character, at character 4.", "Remove it, or the row.", name=f"text.{kind}")


@pytest.mark.parametrize(
    "line",
    [rb'{"text": "Hi \ud83d"}', rb'{"text": "Hi", "source": "at \ud83d"}', rb'{"text": "Hi", "id": "a: \ud83d"}'],
    ids=["text", "source", "id"],
)
def test_half_a_surrogate_pair_is_refused(refused, line):
    refused(rows("Привет 🙂") + line, r"FILE line 2 holds half of a surrogate pair, \ud83d, at character 4.", MEND)


def test_a_corpus_without_the_target_script_is_refused(refused):
    refused(
        rows(*pico.english(20)),
        "no source of the corpus holds text in Cyrillic letters for 'ru'.",
        "Check `path` and `language` under `corpus.sources` in the recipe.",
    )


def test_a_broken_line_is_named(refused):
    refused(
        rows("Привет") + b'{"text": \n',
        "FILE line 2 is not JSON: Expecting value at character 11.",
        "Mend or remove the line.",
    )


@pytest.mark.parametrize(
    ("line", "problem", "hint"),
    [
        (b"[1]", "is no JSON object.", 'Write rows as {"text": "…"}.'),
        (b"{}", "has no column 'text'; it has nothing.", COLUMN),
        (b'{"content": "x", "id": 1}', "has no column 'text'; it has 'content', 'id'.", COLUMN),
        (b'{"text": null}', "has no text: 'text' is empty.", "Remove the row, or fill it."),
        (b'{"text": 5}', "holds no text in 'text', but int: 5.", COLUMN),
        (b'{"text": ["x"]}', "holds no text in 'text', but list: ['x'].", COLUMN),
    ],
)
def test_a_row_without_text_is_named(refused, line, problem, hint):
    refused(rows("Привет") + line + b"\n", f"FILE line 2 {problem}", hint)


@pytest.mark.parametrize(
    ("columns", "problem", "hint"),
    [
        ({"content": ["x"], "id": [1]}, "FILE has no column 'text'; it has 'content', 'id'.", COLUMN),
        ({"text": ["Привет", None]}, "FILE row 2 has no text: 'text' is empty.", "Remove the row, or fill it."),
        ({"text": [5]}, "FILE row 1 holds no text in 'text', but int: 5.", COLUMN),
        ({"text": [["x"]]}, "FILE row 1 holds no text in 'text', but list: ['x'].", COLUMN),
    ],
)
def test_a_parquet_row_without_text_is_named(refused, columns, problem, hint):
    refused(parquet(columns), problem, hint, name="text.parquet")


@pytest.mark.parametrize("line", [b'{"text": "x", "n": ' + b"1" * 5000 + b"}", b"[" * 100_000], ids=["number", "depth"])
def test_a_line_that_python_cannot_read_is_named(cli, workshop, line):
    (workshop.folder / "ru.jsonl").write_bytes(line)
    outcome = cli("check", workshop.write())
    assert outcome.code == 1
    assert outcome.err.startswith(f"{workshop.folder / 'ru.jsonl'} line 1 cannot be read: ")
    assert outcome.err.endswith("\nMend or remove the line.\n")


def test_a_line_of_json_that_would_not_fit_into_memory_is_refused(refused, monkeypatch):
    monkeypatch.setattr("hubadapt.corpus.files.LONGEST_JSON_LINE", 1000)
    refused(
        rows("Привет", "й" * 1000),
        "FILE line 2 is longer than 1,000 characters.",
        "Write each document as a line of its own, or give text as .txt, where a line may have any length.",
    )


def test_a_row_without_a_licence_is_refused(refused):
    refused(
        rows("Привет"), "FILE line 1 names no licence.", "Add `license:` to this source in the recipe.", license=None
    )


def test_an_unknown_format_is_refused(refused):
    refused(
        b"x", "FILE is of a format that hubadapt does not read.", f"Use {KNOWN}", name="text.pdf",
    )  # fmt: skip


TEXT = rows(*pico.russian(400))
PARQUET = parquet({"text": pico.russian(400)})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text.jsonl.gz", gzip.compress(TEXT, mtime=0)[:-12]),
        ("text.jsonl.bz2", bz2.compress(TEXT)[:-12]),
        ("text.jsonl.xz", lzma.compress(TEXT)[:-12]),
        ("text.jsonl.zst", zstd(TEXT)[:-12]),
        ("text.parquet.gz", gzip.compress(PARQUET, mtime=0)[:-12]),
        ("text.parquet", PARQUET[:-12]),
        ("text.parquet", PARQUET[:1000] + bytes(3000) + PARQUET[4000:]),
        *((f"text.jsonl.{kind}", b"not packed at all") for kind in ("gz", "bz2", "xz", "zst")),
        ("text.parquet", b"PAR1 no parquet at all PAR1"),
    ],
)
def test_a_damaged_container_is_refused(cli, workshop, name, data):
    (workshop.folder / name).write_bytes(data)
    workshop.stage("corpus")["sources"] = [{"path": name, "language": "ru", "license": "mit"}]
    before = pico.listing(workshop.folder)
    outcome = cli("check", workshop.write())
    problem, hint = outcome.err.splitlines()
    assert outcome.code == 1
    assert problem.startswith(f"{workshop.folder / name} is damaged: ")
    assert hint == "Download or copy the file again."
    assert pico.listing(workshop.folder).keys() == before.keys()
