"""A corpus that cannot be learnt from: two lines, exit code 1, and nothing is written."""

from __future__ import annotations

import gzip
import json

import pico
import pytest

CHECK = "Check `path` under `corpus.sources` in the recipe."


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


def test_a_missing_corpus_is_named(refused):
    refused(None, "the corpus FILE does not exist.", CHECK)


@pytest.mark.parametrize("data", [b"", rows("", "  \n ")], ids=["no byte", "blank rows"])
def test_an_empty_corpus_is_refused(refused, data):
    refused(data, "the corpus text.jsonl is empty.", CHECK)


@pytest.mark.parametrize("name", ["text.txt", "text.jsonl"])
def test_a_corpus_in_another_encoding_says_how_to_convert_it(refused, name):
    refused(
        "Привет".encode("cp1251"),
        "FILE is not UTF-8: byte 0 is 0xcf.",
        f"Convert it, for example: iconv -f cp1251 -t utf-8 {name} > text.utf8.{name.split('.')[1]}",
        name=name,
    )


def test_a_corpus_without_the_target_script_is_refused(refused):
    refused(
        rows(*pico.english(20)),
        "no source of the corpus holds text in Cyrillic letters for 'ru'.",
        "Check `path` and `language` under `corpus.sources` in the recipe.",
    )


def test_a_broken_line_is_named(refused):
    refused(
        rows("Привет") + b'{"text": \n',
        "FILE line 2 is not JSON: Expecting value: line 2 column 1 (char 10).",
        "Mend or remove the line.",
    )


@pytest.mark.parametrize(
    ("line", "problem", "hint"),
    [
        (b"[1]\n", "FILE line 1 is no JSON object.", 'Write rows as {"text": "…"}.'),
        (b'{"content": "x"}\n', "FILE row 1 has no text.", 'Write rows as {"text": "…"}.'),
    ],
)
def test_a_row_without_text_is_named(refused, line, problem, hint):
    refused(line, problem, hint)


def test_a_row_without_a_licence_is_refused(refused):
    refused(
        rows("Привет"), "FILE row 1 names no licence.", "Add `license:` to this source in the recipe.", license=None
    )


def test_an_unknown_format_is_refused(refused):
    refused(
        b"x", "FILE is of a format that hubadapt does not read.", "Use .txt, .jsonl or .parquet, plain or .gz.",
        name="text.pdf",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text.jsonl.gz", gzip.compress(rows("Привет, мир"), mtime=0)[:-12]),
        ("text.jsonl.gz", b"no gzip at all"),
        ("text.parquet", b"PAR1 no parquet at all PAR1"),
    ],
    ids=["cut gzip", "no gzip", "no parquet"],
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
