"""A card is checked before a Hub sees it: words, ids, links, and what it says of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hubadapt.card.metadata import card_problems, local_links, record_problems
from hubadapt.types import Artifact, Manifest

GOOD: dict[str, Any] = {
    "language": ["ru", "en"],
    "license": "mit",
    "library_name": "transformers",
    "pipeline_tag": "text-generation",
    "base_model": ["someone/base"],
    "base_model_relation": "finetune",
    "datasets": ["someone/data"],
    "tags": ["a"],
}


def card(body: str = "Text.\n", **front: object) -> str:
    return f"---\n{yaml.safe_dump(GOOD | front)}---\n\n{body}"


def found(text: str, kind: str = "model", **options: Any) -> list[tuple[str, str]]:
    return [(error.problem, error.hint) for error in card_problems(text, kind, **options)]


def test_a_good_card_has_no_problem():
    assert found(card()) == []


@pytest.mark.parametrize(
    ("front", "problem", "hint"),
    [
        (
            {"license": "Apache-2.0"},
            "says license: 'Apache-2.0', which the Hub does not know.",
            "Did you mean 'apache-2.0'?",
        ),
        (
            {"language": ["ru", "English"]},
            "says language: 'English', which the Hub does not know.",
            "Did you mean 'en'?",
        ),
        ({"language": [False]}, "says language: False, which YAML reads as no word.", "Quote it: language: 'no'."),
        (
            {"pipeline_tag": "text-generator"},
            "says pipeline_tag: 'text-generator', which the Hub does not know.",
            "Did you mean 'text-generation'?",
        ),
        (
            {"library_name": "transformer"},
            "says library_name: 'transformer', which the Hub does not know.",
            "Did you mean 'transformers'?",
        ),
        (
            {"base_model_relation": "adapted"},
            "says base_model_relation: 'adapted', which the Hub does not know.",
            "Did you mean 'adapter'?",
        ),
        (
            {"base_model": "https://huggingface.co/a/b"},
            "says base_model: 'https://huggingface.co/a/b', which is no Hub id.",
            "Write owner/name, without an address or a revision.",
        ),
        (
            {"datasets": ["a/b/c"]},
            "says datasets: 'a/b/c', which is no Hub id.",
            "Write owner/name, without an address or a revision.",
        ),
        ({"tags": {"a": 1}}, "says tags: {'a': 1}, which is no list of words.", "Write tags: [a, b]."),
        (
            {"license": "other", "license_name": "My Terms", "license_link": "https://example.org"},
            "says license: other with the name 'My Terms'.",
            "Give `license_name` in small letters, digits, `-` and `.`.",
        ),
        (
            {"model-index": [{"name": "a", "results": [{"task": {"type": "x"}, "dataset": {}, "metrics": [{}]}]}]},
            "has a model-index that has a result without dataset.type, dataset.name.",
            "See modelcard.md of huggingface/hub-docs.",
        ),
    ],
)
def test_what_a_hub_would_refuse_is_named_in_two_lines(front, problem, hint):
    assert found(card(**front)) == [(f"the card {problem}", hint)]


def test_every_problem_is_named_at_once():
    assert len(found(card(license="x", language="Klingonish", tags=3))) == 3


def test_links_and_pictures_are_files_of_the_repository():
    body = (
        "[other](README_ru.md) [far](https://example.org/a) [hub](/someone/base) [here](#usage) "
        "![p](figures/a%20b.png)\n"
        "```md\n[no](code.md)\n```\n`[no](code.md)` [t](<new rows.json> 'title')\n"
    )
    assert local_links(card(body)) == ["README_ru.md", "figures/a b.png", "new rows.json"]
    files = {"README.md", "config.json", "README_ru.md", "new rows.json"}
    assert found(card(body), files=files) == [
        (
            "the card links to figures/a b.png, which is not among its files.",
            "Publish that file too, or remove the link.",
        )
    ]


@pytest.mark.parametrize(
    ("front", "files", "config", "problem"),
    [
        ({}, {"README.md"}, {}, "says library_name: transformers, but there is no config.json."),
        (
            {},
            {"config.json"},
            {"architectures": ["BertModel"]},
            "says pipeline_tag: text-generation, but config.json names BertModel.",
        ),
        (
            {"license": "other", "license_name": "mine", "license_link": "LICENSE"},
            {"config.json"},
            {},
            "names LICENSE, which is not among its files.",
        ),
    ],
)
def test_a_card_says_of_its_files_what_they_are(front, files, config, problem):
    assert [text for text, _ in found(card(**front), files=files, config=config)] == [f"the card {problem}"]


def test_a_datasets_files_are_there():
    front = {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}]}
    assert found(card(**front), "dataset", files={"data/train-0.parquet"}) == []
    assert [text for text, _ in found(card(**front), "dataset", files={"data/test-0.parquet"})] == [
        "the card names the data files data/train-*, of which there are none."
    ]


def golden() -> tuple[Manifest, Artifact]:
    manifest = Manifest.model_validate_json((Path(__file__).parents[2] / "golden" / "hubadapt.json").read_text("utf-8"))
    return manifest, next(made for made in manifest.artifacts() if made.name == "pretrain")


@pytest.mark.parametrize(
    ("config", "problems"),
    [
        ({"vocab_size": 420, "tie_word_embeddings": True}, []),
        ({"text_config": {"vocab_size": 448}}, []),
        ({"vocab_size": 419}, ["the card of pretrain tells of 420 tokens, its config.json of 419 rows."]),
        ({"tie_word_embeddings": False}, ["the card of pretrain calls its tables tied, its config.json not."]),
        ({}, []),
    ],
)
def test_what_the_record_tells_of_the_tables_is_what_the_configuration_says(config, problems):
    assert [error.problem for error in record_problems(*golden(), config)] == problems
