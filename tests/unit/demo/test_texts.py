"""The demo's texts: what is kept of a wheel's files, how it is cleaned, and what a missing package says."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from hubadapt.demo import texts
from hubadapt.errors import UserError

SENTENCE = "Возвращает текущее состояние пользователя и его данные."


def install(root: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Lays files out as pip does: the files, and a dist-info folder that names them."""
    info = root / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in files), encoding="utf-8")


@pytest.fixture
def one_source(monkeypatch: pytest.MonkeyPatch) -> texts.Source:
    source = texts.Source("sample", "1.0", "MIT", "ui", "json", "sample/*/ru.json")
    monkeypatch.setattr(texts, "SOURCES", (source,))
    return source


def test_requirements_are_pinned_and_hold_each_distribution_once() -> None:
    required = texts.requirements()
    assert all(line.count("==") == 1 for line in required)
    assert len({line.split("==")[0] for line in required}) == len(texts.SOURCES)
    assert {source.reader for source in texts.SOURCES} <= set(texts.READERS)


def test_documents_come_from_the_globbed_files_in_order_without_repeats(
    tmp_path: Path, one_source: texts.Source
) -> None:
    files = {
        "sample/b/ru.json": json.dumps({"x": SENTENCE, "y": "Открывает шторы, жалюзи или ворота в доме."}),
        "sample/a/ru.json": json.dumps({"": {"h": "Служебная запись каталога переводов"}, "m": [SENTENCE.upper()]}),
        "sample/a/en.json": json.dumps({"m": "Русская строка в английском файле лишняя"}),
    }
    install(tmp_path, "sample", "1.0", files)
    documents = list(texts.russian_documents(tmp_path))
    assert documents == [
        texts.Document(
            f"{SENTENCE.upper()}\nОткрывает шторы, жалюзи или ворота в доме.", "sample", "MIT", "sample#00001"
        )
    ]
    assert documents == list(texts.russian_documents(tmp_path))


@pytest.mark.parametrize(
    ("version", "files", "problem"),
    [
        (None, {}, "is not installed"),
        ("2.0", {"sample/a/ru.json": "{}"}, "sample 2.0 is installed"),
        ("1.0", {"sample/a/en.json": "{}"}, "without its texts"),
    ],
)
def test_a_package_that_cannot_serve_names_the_command(
    tmp_path: Path, one_source: texts.Source, version: str | None, files: dict[str, str], problem: str
) -> None:
    if version:
        install(tmp_path, "sample", version, files)
    with pytest.raises(UserError, match=problem) as caught:
        list(texts.russian_documents(tmp_path))
    assert caught.value.hint.endswith(f"--target {tmp_path} sample==1.0")
    assert "--no-deps" in caught.value.hint


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (
            "Откройте [страницу настроек](https://a.example/x) <b>устройства</b>",
            "Откройте страницу настроек устройства",
        ),
        ("Устройство с именем {name} уже настроено", "Устройство с именем name уже настроено"),
        ("Не удалось прочитать файл с именем %s", "Не удалось прочитать файл с именем …"),
        (":param key: ключ изменяющегося параметра", "key: ключ изменяющегося параметра"),
        ("Скидка 50% на все товары магазина", "Скидка 50% на все товары магазина"),
        ("{a} и {b} и {c}: неизвестное значение параметра", None),
        ("Слишком коротко", None),
        ("Налаштування інтерфейсу користувача збережено", None),
        ("return self.request(path, params) # запрос к серверу", None),
    ],
)
def test_russian_line(raw: str, clean: str | None) -> None:
    assert texts.russian_line(raw) == clean


def test_unwrap_joins_wrapped_lines_and_keeps_items() -> None:
    text = "Первая строка\nпродолжается.\n\nЗаголовок\n=========\n- раз\n- два\n  и хвост\nkey (str): ключ"
    assert list(texts.unwrap(text)) == [
        "Первая строка продолжается.",
        "Заголовок",
        "- раз",
        "- два   и хвост",
        "key (str): ключ",
    ]


def test_markdown_drops_code_and_reads_tables(tmp_path: Path) -> None:
    path = tmp_path / "ru.md"
    path.write_text(
        "# Узел\n\n```python\nкод = 1\n```\n| `seed` | Начальное число | INT |\n> Примечание", encoding="utf-8"
    )
    assert [line for line in texts.read_markdown(path) if line] == ["Узел", "seed: Начальное число", "Примечание"]


def test_python_strings_leave_out_parts_of_f_strings(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text('"""Первая\nстрока."""\nx = f"часть {1}"\ny = "вторая"\n', encoding="utf-8")
    assert list(texts.read_python(path)) == ["Первая строка.", "вторая"]


def test_catalogue_leaves_out_fuzzy_entries(tmp_path: Path) -> None:
    pytest.importorskip("polib")
    path = tmp_path / "ru.po"
    path.write_text('msgid "a"\nmsgstr "один"\n\n#, fuzzy\nmsgid "b"\nmsgstr "два"\n', encoding="utf-8")
    assert [text for text in texts.read_catalogue(path) if text] == ["один"]


def test_pack_closes_a_document_at_a_file_or_a_size() -> None:
    long, short = "я" * texts.DOCUMENT_CHARACTERS, "ю" * 10
    packed = list(texts.pack(iter([("a", short), ("b", long), ("b", short), ("c", short)]), "s", "MIT"))
    assert [len(document.text.split("\n")) for document in packed] == [2, 2]
    assert [document.doc_id for document in packed] == ["s#00001", "s#00002"]


def test_english_documents_are_prose_without_repeats() -> None:
    documents = list(texts.english_documents())
    lines = [line for document in documents for line in document.text.split("\n")]
    assert sum(map(len, lines)) > 200_000
    assert len(lines) == len(set(lines))
    assert not any("::=" in line or ">>>" in line for line in lines)
    assert documents[:5] == list(islice(texts.english_documents(), 5))


def test_english_dialogues_are_many_short_and_distinct() -> None:
    dialogues = list(texts.english_dialogues())
    answers = [dialogue[1]["content"] for dialogue in dialogues]
    assert len(dialogues) > 1500
    assert len(set(answers)) == len(answers)
    assert all([message["role"] for message in dialogue] == ["user", "assistant"] for dialogue in dialogues)
    assert all(20 < len(answer) <= 400 and answer[-1] in ".!?" for answer in answers)
    assert any("str.strip()" in dialogue[0]["content"] for dialogue in dialogues)


@pytest.mark.parametrize(
    ("docstring", "answer"),
    [
        ("f(x) -> int\n\nReturn the number of items in the thing.", "Return the number of items in the thing."),
        (
            "Return the number of items in it\n\nIt is never negative, whatever x is.",
            "Return the number of items in it. It is never negative, whatever x is.",
        ),
        ("Usage of this function is as follows in code:\n\n>>> f()", None),
        (">>> f(1)\n2", None),
        ("", None),
    ],
)
def test_short_answer(docstring: str, answer: str | None) -> None:
    assert texts.short_answer(docstring) == answer
