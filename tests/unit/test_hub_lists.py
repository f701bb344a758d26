"""The Hub's lists: complete, dated, and near misses are recognised."""

from __future__ import annotations

import re

import pytest

from hubadapt.hub_lists import hub_lists, language_name, near_language, near_miss
from hubadapt.tokenizer.scripts import LATIN_LANGUAGES, OWN_SCRIPTS


def test_the_file_says_when_and_where_its_facts_were_read():
    lists = hub_lists()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", lists.read)
    assert len(lists.sources) == 3 and all(re.search(r"\d", source) for source in lists.sources)


def test_the_lists_hold_what_cards_need():
    lists = hub_lists()
    assert {"apache-2.0", "llama3.1", "gemma", "cc-by-nc-4.0", "other", "unknown"} <= lists.licenses
    assert "text-generation" in lists.pipeline_tags and "transformers" in lists.library_names
    assert {"ru", "rus", "code", "multilingual"} <= lists.languages
    assert {len(code) for code in lists.language_names} == {2}


def test_every_language_that_can_be_adapted_to_is_one_of_the_hubs():
    assert {*OWN_SCRIPTS, *LATIN_LANGUAGES} <= hub_lists().languages


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("Apache 2.0", "apache-2.0"),
        ("apache2", "apache-2.0"),
        ("CC_BY_4.0", "cc-by-4.0"),
        ("llama-3", "llama3"),
        ("my own terms", ""),
    ],
)
def test_a_licence_spelled_otherwise_is_recognised(word, meant):
    assert near_miss(word, hub_lists().licenses) == meant


@pytest.mark.parametrize(
    ("word", "meant"), [("Russian", "ru"), ("french", "fr"), ("pt-BR", "pt"), ("ru_RU", "ru"), ("Klingonish", "")]
)
def test_a_language_named_otherwise_is_recognised(word, meant):
    assert near_language(word) == meant


def test_a_language_is_called_by_its_name_and_one_without_by_its_code():
    assert (language_name("el"), language_name("tlh")) == ("Greek", "tlh")
