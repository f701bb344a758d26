"""Cards in other languages: every sentence of the templates has its translation, with the same placeholders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hubadapt.assets import asset
from hubadapt.card.checklist import checklist
from hubadapt.card.words import Words, card_languages, card_name, word_table
from hubadapt.hub_lists import language_name
from hubadapt.licence_terms import STRICTNESS, terms
from hubadapt.types import Manifest

GOLDEN = Path(__file__).parents[2] / "golden" / "hubadapt.json"


def sentences() -> set[str]:
    """Every fixed sentence: of the templates, of licences, of the checklist, and the names of measures."""
    texts = [asset("templates", f"{name}.md.jinja").read_text("utf-8") for name in ("model_card", "dataset_card")]
    found = {sentence for text in texts for sentence in re.findall(r"""(?<!\w)t\("([^"]*)"[,)]""", text)}
    ids = ("cc0-1.0", "mit", "mpl-2.0", "odbl", "gpl-3.0", "openrail", "gemma", "apple-amlr", "cc-by-nd-4.0", "")
    found |= {clause for id in ids for clause in terms(id).asks.split("; ")}
    manifest = Manifest.model_validate_json(GOLDEN.read_text("utf-8"))
    for domain, questions in checklist(manifest, manifest.stages[3].artifacts[0]):
        found |= {domain, *(question for question, _ in questions)}
    found |= {metric.name.replace("_", " ") for metric in manifest.metrics()}
    return found | {*STRICTNESS, "base", "sibling", "trained on", "measured on"}


def test_russian_and_french_are_shipped():
    assert card_languages() == ("fr", "ru")
    assert [card_name(language) for language in ("en", "ru")] == ["README.md", "README_ru.md"]


@pytest.mark.parametrize("language", card_languages())
def test_a_table_holds_every_sentence_and_no_other(language):
    table = word_table(language)
    names = {language_name(code) for code in ("ru", "en", "fr", "de", "es", "uk", "zh")}
    assert set(table) == sentences() | names


@pytest.mark.parametrize("language", card_languages())
def test_placeholders_and_code_are_the_same(language):
    for english, own in word_table(language).items():
        assert sorted(re.findall(r"\{\w+\}|`[^`]*`", english)) == sorted(re.findall(r"\{\w+\}|`[^`]*`", own)), english
        assert isinstance(own, str) and own


def test_english_is_itself_and_what_a_table_lacks_is_a_fault():
    assert Words()("Before is {model}.", model="x") == "Before is x."
    assert Words("ru").known("a measure of others") == "a measure of others"
    with pytest.raises(KeyError):
        Words("ru")("a sentence that nobody translated")
