"""Checks a card before a Hub sees it: its metadata, its links, and that it says of its files what they are.

The Hub's own rules are those of `modelcard.md` and `datasetcard.md` in huggingface/hub-docs; lists of words are those
of `hub_lists`. Nothing is downloaded and nothing asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatch
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from hubadapt.card.model_index import model_index_problem
from hubadapt.errors import CardError, UserError
from hubadapt.front_matter import read_front_matter, split_card
from hubadapt.hub_lists import hub_lists, near_language, near_miss
from hubadapt.types import Artifact, Manifest

Kind = Literal["model", "dataset", "space"]
Check = Callable[[Any], list[tuple[str, str]]]
"""Takes a value, gives what is wrong with it: what was found, what to do."""

_REPOSITORY = re.compile(r"(?:[\w][\w.-]*/)?[\w][\w.-]*")
_LICENCE_NAME = re.compile(r"[a-z0-9-.]+")
_RELATIONS = ("finetune", "adapter", "merge", "quantized")
_LINK = re.compile(r"!?\[(?:[^\]\\]|\\.)*\]\(\s*(?:<([^>\n]+)>|([^)\s<]+))[^)]*\)")
_CODE = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*\s*$|(`+)[^`].*?\2", re.DOTALL | re.MULTILINE)


def card_problems(
    text: str, kind: Kind, *, files: Collection[str] | None = None, config: Mapping[str, Any] | None = None
) -> list[UserError]:
    """Everything that is wrong with a card, each in two lines.

    Args:
        text: The card, README.md.
        kind: What the repository holds.
        files: Paths of all files that the repository will hold; None where they are not known.
        config: A model's `config.json`; None where it is not known.
    """
    try:
        data = read_front_matter(text)
    except CardError as error:
        return [error]
    found = metadata_problems(data, kind)
    if files is not None:
        found += _file_problems(data, kind, files, config or {})
        found += [
            (f"links to {target}, which is not among its files", "Publish that file too, or remove the link.")
            for target in local_links(text)
            if target not in files
        ]
    return [CardError(f"the card {problem}.", hint) for problem, hint in found]


def metadata_problems(data: Mapping[str, Any], kind: Kind = "model") -> list[tuple[str, str]]:
    """What a Hub would refuse in front matter: what was found, without the words `the card`, and what to do."""
    checks: dict[str, Check] = {
        "license": _listed("license", hub_lists().licenses, near_miss),
        "language": _listed("language", hub_lists().languages, lambda word, words: near_language(word)),
        "base_model": _ids("base_model"),
        "datasets": _ids("datasets"),
        "tags": _texts("tags"),
        "metrics": _texts("metrics"),
        "base_model_relation": _listed("base_model_relation", _RELATIONS, near_miss),
        "model-index": lambda value: [(f"has a model-index that {problem}", "See modelcard.md of huggingface/hub-docs.")
                                      for problem in [model_index_problem(value)] if problem],
    }  # fmt: skip
    if kind == "model":
        checks["pipeline_tag"] = _listed("pipeline_tag", hub_lists().pipeline_tags, near_miss)
        checks["library_name"] = _listed("library_name", hub_lists().library_names, near_miss)
    if kind == "dataset":
        checks["task_categories"] = _listed("task_categories", hub_lists().pipeline_tags, near_miss)
    found = [problem for key, check in checks.items() if data.get(key) is not None for problem in check(data[key])]
    return found + _licence_name_problems(data)


def record_problems(manifest: Manifest, artifact: Artifact, config: Mapping[str, Any]) -> list[UserError]:
    """Where the record, which the card tells, says one thing of a model's tables and its `config.json` another.

    Args:
        manifest: The run.
        artifact: A model of it.
        config: Its `config.json`.
    """
    facts = {key: value for record in manifest.stages for key, value in record.facts.items()}
    inner = {**config, **(config.get("text_config") or {})}
    rows, tied = inner.get("vocab_size"), config.get("tie_word_embeddings")
    tokens = facts.get("old_size", 0) + facts.get("new_tokens", 0) - facts.get("dropped", 0)
    errors: list[UserError] = []
    mend = "Run the recipe again: hubadapt run RECIPE.yaml"
    if facts.get("method", "extend") == "extend" and isinstance(rows, int) and rows < tokens:
        errors.append(
            CardError(
                f"the card of {artifact.name} tells of {tokens:,} tokens, its config.json of {rows:,} rows.", mend
            )
        )
    if (
        isinstance(tied, bool)
        and isinstance(facts.get("tied"), bool)
        and artifact.of == "base"
        and tied != facts["tied"]
    ):
        says, other = ("tied", "not") if facts["tied"] else ("not tied", "tied")
        errors.append(CardError(f"the card of {artifact.name} calls its tables {says}, its config.json {other}.", mend))
    return errors


def local_links(text: str) -> list[str]:
    """Paths inside the repository that a card's body links to or shows, without what stands in code."""
    _, body = split_card(text)
    targets = [match[1] or match[2] for match in _LINK.finditer(_CODE.sub("", body))]
    local = [target for target in targets if not urlsplit(target).scheme and not target.startswith(("#", "/"))]
    return list(dict.fromkeys(unquote(urlsplit(target).path).removeprefix("./") for target in local))


def _listed(key: str, words: Collection[str], near: Callable[[str, Collection[str]], str]) -> Check:
    def check(value: Any) -> list[tuple[str, str]]:
        found = []
        for word in value if isinstance(value, list) else [value]:
            if not isinstance(word, str):
                # YAML reads the language `no` as false.
                found.append((f"says {key}: {word!r}, which YAML reads as no word", f"Quote it: {key}: 'no'."))
            elif word not in words:
                meant = near(word, words)
                hint = f"Did you mean {meant!r}?" if meant else _list_hint(words)
                found.append((f"says {key}: {word!r}, which the Hub does not know", hint))
        return found

    return check


def _list_hint(words: Collection[str]) -> str:
    short = f"Choose one of: {', '.join(sorted(words))}."
    return short if len(words) <= 60 else f"The Hub's list, read {hub_lists().read}, is in hubadapt/hub_lists.json."


def _ids(key: str) -> Check:
    def check(value: Any) -> list[tuple[str, str]]:
        values = value if isinstance(value, list) else [value]
        return [
            (f"says {key}: {item!r}, which is no Hub id", "Write owner/name, without an address or a revision.")
            for item in values
            if not isinstance(item, str) or not _REPOSITORY.fullmatch(item) or ".." in item or "--" in item
        ]

    return check


def _texts(key: str) -> Check:
    def check(value: Any) -> list[tuple[str, str]]:
        good = isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        return [] if good else [(f"says {key}: {str(value)[:60]}, which is no list of words", f"Write {key}: [a, b].")]

    return check


def _licence_name_problems(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    if data.get("license") != "other":
        return []
    found = []
    if not _LICENCE_NAME.fullmatch(str(data.get("license_name") or "")):
        found.append((
            f"says license: other with the name {data.get('license_name') or ''!r}",
            "Give `license_name` in small letters, digits, `-` and `.`.",
        ))  # fmt: skip
    link = str(data.get("license_link") or "")
    if link not in ("LICENSE", "LICENSE.md") and urlsplit(link).scheme not in ("http", "https"):
        found.append((
            f"says license: other with the link {link!r}",
            "Give `license_link` as an address that begins with https://, or as LICENSE where that file is published.",
        ))  # fmt: skip
    return found


def _file_problems(
    data: Mapping[str, Any], kind: Kind, files: Collection[str], config: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Where the card says one thing and the files another."""
    found = []
    link = str(data.get("license_link") or "")
    if link in ("LICENSE", "LICENSE.md") and link not in files:
        found.append((f"names {link}, which is not among its files", "Publish the licence's text under that name."))
    if kind == "model" and data.get("library_name") == "transformers" and "config.json" not in files:
        found.append(("says library_name: transformers, but there is no config.json", "Publish the model whole."))
    classes = [str(name) for name in config.get("architectures") or ()]
    writes = any(name.endswith(("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")) for name in classes)
    if data.get("pipeline_tag") == "text-generation" and classes and not writes:
        found.append((
            f"says pipeline_tag: text-generation, but config.json names {', '.join(classes)}",
            "Publish a model with a language modelling head, or name another task.",
        ))  # fmt: skip
    patterns = [
        str(file["path"]) for each in data.get("configs") or () for file in each.get("data_files") or ()
    ] if kind == "dataset" else []  # fmt: skip
    return found + [
        (f"names the data files {pattern}, of which there are none", "Publish them, or name those that exist.")
        for pattern in patterns
        if not any(fnmatch(file, pattern) for file in files)
    ]
