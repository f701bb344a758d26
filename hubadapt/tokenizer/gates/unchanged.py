"""Gates on text that must keep its ids: English and code, other scripts, digits, white space."""

from __future__ import annotations

from collections.abc import Sequence

from hubadapt.tokenizer.gates.probes import CODE, ENGLISH, MATHS, NUMBER_FORMS, OTHER_SCRIPTS, SPACE_FORMS
from hubadapt.tokenizer.gates.trial import Finding, Trial, encode, together
from hubadapt.tokenizer.gates.unicode import assigned, culprits, faulty_strings, strings_of
from hubadapt.tokenizer.protect import TOLERATED
from hubadapt.tokenizer.scripts import letter_pattern, shares_english_script

NUMBERS = 10_000
"""All numbers below this are tried."""

_SPACES = (" ", "\t", "\n", "\r\n", " \n", "\u00a0")
_LONGEST_RUN = 64
_LETTERS_A_WORD = 4


def english(trial: Trial) -> Finding | None:
    """English, code and maths keep their ids; where a language shares the script, all but one text in a hundred do."""
    if trial.replaced:
        return None
    probes = [*ENGLISH, *CODE, *MATHS]
    if not shares_english_script(trial.scripts):
        texts = [*probes, *trial.english]
        return trial.compare_ids([kept for text in texts if (kept := _without(trial.scripts, text))])
    found = trial.compare_ids(trial.english)
    if len(found.failures) <= TOLERATED * len(trial.english):
        found = Finding(found.tried, (), found.reported + len(found.failures))
    return together(trial.compare_ids(probes), found)


def _without(scripts: tuple[str, ...], text: str) -> str:
    """The lines of a text that hold no letter of the scripts."""
    letters = letter_pattern(scripts)
    return "".join(line for line in text.splitlines(keepends=True) if not letters.search(line))


def other_scripts(trial: Trial) -> Finding | None:
    """Sentences, words made of letters, and single characters of all other scripts keep their ids."""
    if trial.replaced:
        return None
    letters = letter_pattern(trial.scripts)
    sentences = [text for text in OTHER_SCRIPTS if not letters.search(text)]
    characters = [character for character in assigned() if not letters.match(character)]
    parts = [*characters, *_words(characters)]
    strings = faulty_strings(strings_of(parts), lambda texts: _differ(trial, texts))
    found = trial.compare_ids(culprits(strings, lambda texts: _differ(trial, texts)))
    rest = Finding(len(parts), found.failures, found.reported)
    return together(trial.compare_ids(sentences), rest)


def _words(characters: Sequence[str]) -> list[str]:
    """Words of neighbouring letters: whatever the script, some of them are of it alone."""
    letters = "".join(character for character in characters if character.isalpha())
    return [letters[start : start + _LETTERS_A_WORD] for start in range(0, len(letters), _LETTERS_A_WORD)]


def _differ(trial: Trial, texts: Sequence[str]) -> list[bool]:
    pairs = zip(encode(trial.old, texts), encode(trial.new, texts), strict=True)
    return [trial.move(old) != new for old, new in pairs]


def digits(trial: Trial) -> Finding | None:
    """All numbers below 10000 keep their ids: alone, in a sentence and with separators."""
    if trial.replaced:
        return None
    return trial.compare_ids([form.format(number) for form in NUMBER_FORMS for number in range(NUMBERS)])


def spaces(trial: Trial) -> Finding | None:
    """Runs of up to 64 spaces, tabs and line breaks keep their ids: alone, between letters and mixed."""
    if trial.replaced:
        return None
    runs = [space * length for space in _SPACES for length in range(1, _LONGEST_RUN + 1)]
    found = trial.compare_ids([form.format(run) for form in SPACE_FORMS for run in runs])
    return Finding(found.tried, [repr(text) for text in found.failures], found.reported)
