"""Cards in other languages than English: fixed sentences by a table, `templates/words/LANGUAGE.yaml`.

A table has the English sentence as key, with the same {placeholders} in its value. Numbers, names, code and what the
owner wrote are the same in every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import yaml

from hubadapt.assets import asset
from hubadapt.hub_lists import language_name

ENGLISH = "en"


class Words:
    """The fixed sentences of a card in one language.

    Args:
        language: ISO 639-1 code: English, or one that has a table.

    Raises:
        KeyError: From a call, if the table lacks a sentence, which is a fault of the package.
    """

    def __init__(self, language: str = ENGLISH) -> None:
        self.language = language
        self._table = None if language == ENGLISH else word_table(language)

    def __call__(self, sentence: str, **values: object) -> str:
        """A sentence in this language, with its placeholders filled."""
        return (sentence if self._table is None else self._table[sentence]).format(**values)

    def known(self, text: str) -> str:
        """A text in this language where the table has it, else as it is: names that other stages bring."""
        return text if self._table is None else self._table.get(text, text)

    def name(self, code: str) -> str:
        """What a language is called in this one; its English name where the table lacks it."""
        return self.known(language_name(code))


@cache
def word_table(language: str) -> Mapping[str, str]:
    """The table of a language: English sentence → its own."""
    path = asset("templates", "words") / f"{language}.yaml"
    return MappingProxyType(yaml.safe_load(path.read_text(encoding="utf-8")))


@cache
def card_languages() -> tuple[str, ...]:
    """Languages other than English that cards can be written in."""
    return tuple(sorted(path.stem for path in asset("templates", "words").glob("*.yaml")))


def card_name(language: str) -> str:
    """File name of the card in a language."""
    return "README.md" if language == ENGLISH else f"README_{language}.md"
