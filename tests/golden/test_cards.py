"""Whole cards compared with files. `HUBADAPT_UPDATE_GOLDEN=1 pytest tests/golden` writes the files anew.

The manifest beside the cards comes from a real run, with everything that differs between machines replaced.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from hubadapt.card import comparison, dataset_card, model_card, source_card
from hubadapt.card.citation import LEP
from hubadapt.card.metadata import card_problems
from hubadapt.front_matter import split_card
from hubadapt.hub.space import space_files
from hubadapt.lineage import Names
from hubadapt.types import Manifest

HERE = Path(__file__).parent
NOTES = "Many thanks to *everyone*.\n\n* 12345 ways to say so & more <b>"


UPDATE = bool(os.environ.get("HUBADAPT_UPDATE_GOLDEN"))


@pytest.fixture(scope="module")
def manifest(request: pytest.FixtureRequest) -> Manifest:
    """The manifest kept beside the cards; made anew from a finished run when asked to."""
    if UPDATE:
        text = settled(request.getfixturevalue("finished").manifest).model_dump_json(indent=2)
        (HERE / "hubadapt.json").write_text(f"{text}\n", "utf-8")
    return Manifest.model_validate_json((HERE / "hubadapt.json").read_text("utf-8"))


def settled(manifest: Manifest) -> Manifest:
    """A manifest without what differs between machines: times, speeds, versions, hardware, what a model wrote."""
    stages = []
    for number, record in enumerate(manifest.stages, start=1):
        metrics = [
            metric.model_copy(update={"value": 100.25 + 7.5 * place}) if metric.unit.endswith("/s") else metric
            for place, metric in enumerate(record.metrics)
        ]
        facts = json.loads(json.dumps(record.facts))
        for sample in facts.get("samples", {}).values():
            sample["output"] = "Утро в лесу:\n```\nтихо\n```"
        stages.append(record.model_copy(update={"seconds": 12.345 * number, "metrics": tuple(metrics), "facts": facts}))
    packages = {"hubadapt": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"}
    hardware = {"processor": "Some | Processor", "cores": "8", "memory": "31 GiB", "system": "Linux"}
    return manifest.model_copy(update={"stages": tuple(stages), "packages": packages, "hardware": hardware})


@pytest.fixture(scope="module")
def rendered(manifest: Manifest) -> dict[str, str]:
    """Every card of the manifest, by name."""
    return cards(manifest)


def cards(manifest: Manifest) -> dict[str, str]:
    names = Names(manifest, "someone")
    made = {artifact.name: artifact for artifact in manifest.artifacts()}
    return {
        "source-base": source_card(manifest, "base", names),
        "corpus": dataset_card(manifest, made["corpus"], names),
        "embed": model_card(manifest, made["embed"], names),
        "pretrain": model_card(manifest, made["pretrain"], names, notes=NOTES),
        "propagate-instruct": model_card(manifest, made["propagate-instruct"], names),
        "propagate-instruct.ru": model_card(manifest, made["propagate-instruct"], names, language="ru"),
        "pretrain.fr": model_card(manifest, made["pretrain"], names, notes=NOTES, language="fr"),
        "corpus.ru": dataset_card(manifest, made["corpus"], names, language="ru"),
        "space": space_files(manifest, Names(manifest, "someone", collection="someone/pico-ru-0"))["README.md"],
    }


NAMES = ["source-base", "corpus", "embed", "pretrain", "propagate-instruct"]
TRANSLATED = ["propagate-instruct.ru", "pretrain.fr", "corpus.ru"]
KINDS = {"corpus": "dataset", "space": "space"}


@pytest.mark.parametrize("name", [*NAMES, *TRANSLATED, "space"])
def test_a_card_is_the_one_on_file(rendered, name):
    path, text = HERE / f"{name}.md", rendered[name]
    if UPDATE:
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_cards_are_the_same_every_time(manifest, rendered):
    assert cards(manifest.model_copy(deep=True)) == rendered


@pytest.mark.parametrize("name", NAMES)
def test_the_front_matter_is_yaml_with_licence_and_language(rendered, name):
    front = yaml.safe_load(rendered[name].split("---\n")[1])
    assert front["license"] and front["language"] and "hubadapt" in front["tags"]


@pytest.mark.parametrize("name", [*NAMES, *TRANSLATED, "space"])
def test_no_template_leaves_traces(rendered, name):
    _, body = split_card(rendered[name])
    assert not re.search(r"\{\{|\}\}|\{%|None|Undefined|nan\b", body.replace(LEP, ""))
    assert not empty_headings(body)
    assert "More Information Needed" not in body
    assert "\n\n\n" not in body
    assert not re.search(r"[ \t]+$", body, re.M)


def empty_headings(body: str) -> list[str]:
    """Headings with nothing below them but the end, or a heading as high or higher."""
    plain = re.sub(r"^(`{3,})[^`].*?^\1$", "code", body, flags=re.M | re.S)
    lines = [line for line in plain.splitlines() if line.strip()]
    level = [len(line) - len(line.lstrip("#")) for line in lines] + [1]
    return [line for place, line in enumerate(lines) if level[place] and 0 < level[place + 1] <= level[place]]


def test_an_empty_heading_would_be_found():
    assert empty_headings("# a\n\n## b\n### c\n```sh\n# x\n```\n## d\n\n") == ["## d"]


def test_the_owners_words_are_included_untouched(rendered):
    assert NOTES in rendered["pretrain"]


def test_blank_lines_of_the_owner_stay(manifest):
    made = {artifact.name: artifact for artifact in manifest.artifacts()}
    notes, recipe = "One.\n\n\n\nTwo.", "a: |\n  x\n\n\n\n  y\n"
    card = model_card(manifest.model_copy(update={"recipe": recipe}), made["embed"], Names(manifest, "me"), notes=notes)
    assert notes in card and recipe in card


def test_the_recipe_is_printed_verbatim(manifest, rendered):
    assert manifest.recipe in rendered["pretrain"]
    tricky = manifest.model_copy(update={"recipe": "a: |\n  ```\n  # x\n  ````\n"})
    made = {artifact.name: artifact for artifact in tricky.artifacts()}
    assert "`````yaml\na: |\n  ```\n  # x\n  ````\n`````" in model_card(tricky, made["embed"], Names(tricky, "me"))


def numbers_of(value: object) -> set[float]:
    """Every number of a manifest: values, and those inside its texts."""
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, int | float):
        return {float(value)}
    if isinstance(value, str):
        return {float(found) for found in re.findall(r"\d+(?:\.\d+)?", value)}
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    return {number for item in items for number in numbers_of(item)}


def shown_in(text: str) -> list[str]:
    """Numbers of a card's body; titles of its numbered sections and the paper of LEP aside."""
    body = split_card(text)[1].replace(NOTES, "").replace(LEP, "")
    body = re.sub(r"^### \d+\. ", "", body, flags=re.M)
    return re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", body)


@pytest.mark.parametrize("name", [*NAMES, "space"])
def test_a_hub_would_take_the_card(rendered, name):
    assert card_problems(rendered[name], KINDS.get(name, "model")) == []


@pytest.mark.parametrize("name", ["propagate-instruct", "pretrain", "corpus"])
def test_a_translated_card_has_no_metadata_and_only_numbers_of_the_english_one(rendered, name):
    (translated,) = (text for other, text in rendered.items() if other.startswith(f"{name}."))
    assert split_card(translated)[0] is None
    assert not set(shown_in(translated)) - set(shown_in(rendered[name]))


@pytest.mark.parametrize("name", [*NAMES, *TRANSLATED])
def test_every_number_of_a_card_is_in_the_manifest_up_to_rounding(manifest, rendered, name):
    known = numbers_of(json.loads(manifest.model_dump_json()))
    made = {artifact.name: artifact for artifact in manifest.artifacts()}
    # Two kinds of number are derived, by one division each: shares in per cent and after / before.
    known |= {100 * number for number in known if 0 < number < 1}
    own = made.get(name.partition(".")[0])
    known |= {row["ratio"] for row in comparison(manifest, own) if row["ratio"]} if own else set()
    unknown = [
        shown for shown in shown_in(rendered[name])
        if not any(agrees(shown, number) for number in known)
    ]  # fmt: skip
    assert unknown == []


def agrees(shown: str, number: float) -> bool:
    """Whether a printed number is the other one, rounded to the digits printed."""
    plain = shown.replace(",", "")
    mantissa, _, exponent = plain.partition("e")
    step = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(float(plain) - number) <= 0.5000001 * step


def test_an_invented_number_would_be_found(manifest):
    known = numbers_of(json.loads(manifest.model_dump_json()))
    assert not any(agrees("87.654", number) for number in known)
    assert shown_in(f"---\n---\n{'x' * 3} | 87.654 | 1,234 ± 0.5 | 1.2e+06 |") == ["87.654", "1,234", "0.5", "1.2e+06"]
