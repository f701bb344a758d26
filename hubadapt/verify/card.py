"""What a published card tells: the numbers of its metadata, and those of its text beside the card of the record."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jinja2

from hubadapt.card import model_card
from hubadapt.card.model_index import model_index_problem
from hubadapt.card.words import ENGLISH, Words, card_languages, card_name
from hubadapt.errors import CardError, HubError
from hubadapt.front_matter import read_front_matter, split_card
from hubadapt.hub.owner_words import split_words
from hubadapt.lineage import Names
from hubadapt.types import Artifact, Manifest
from hubadapt.verify.finding import Finding, differs, same

Claims = dict[tuple[str, str], float]
"""Value of each number of a card's `model-index`, by name and language."""

_NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d{1,3})?(?![\w-])")
_WORD = re.compile(r"[^\W\d_]{3}")
_SHOWN = 3


def read_claims(card: str, what: str) -> tuple[Claims, list[str]]:
    """The numbers of a card's metadata, and the datasets that they name.

    Args:
        card: README.md.
        what: The model, for the message.

    Raises:
        CardError: The card has no front matter, or one that cannot be read.
    """
    try:
        index = read_front_matter(card).get("model-index") or []
    except CardError as error:
        raise CardError(error.problem.replace("the card", f"the card of {what}", 1), error.hint) from error
    problem = model_index_problem(index)
    if problem:
        raise CardError(f"the card of {what} has a model-index that {problem}.", "Push the run again.")
    claims: Claims = {}
    datasets: dict[str, None] = {}
    for result in (result for entry in index for result in entry["results"]):
        about = result["dataset"]
        datasets[str(about["type"])] = None
        arguments = about.get("args")
        language = str(arguments.get("language", "")) if isinstance(arguments, dict) else ""
        for metric in result["metrics"]:
            if isinstance(metric["value"], int | float):
                claims[str(metric["type"]), language] = float(metric["value"])
    return claims, list(datasets)


def card_findings(folder: Path, record: Manifest, artifact: Artifact, names: Names) -> Iterator[Finding]:
    """Lines of the published cards that differ from those of the record's card in nothing but their numbers.

    What the owner wrote beside them is theirs, and no claim of the record.

    Args:
        folder: Where the cards lie.
        record: The run.
        artifact: The record's entry of the model.
        names: What things are called on the Hub.

    Raises:
        HubError: The record is damaged, so that no card can be made of it.
    """
    for language in (ENGLISH, *card_languages()):
        path = folder / card_name(language)
        if not path.is_file():
            continue
        whole = path.read_text(encoding="utf-8", errors="replace")
        published, _ = split_words(whole) or (whole, "")
        # The owner's own tables are theirs: with notes, rows that hold nothing but numbers may be from there.
        noted = f"\n## {Words(language)('Notes')}\n" in published
        wrong = changed_lines(published, _rendered(record, artifact, names, language), words_alone=noted)
        if not wrong:
            yield same(f"numbers in {path.name}", "those of the record")
        for line, recorded in wrong[:_SHOWN]:
            yield differs(path.name, line, recorded, "the line was changed")
        if len(wrong) > _SHOWN:
            yield differs(path.name, f"{len(wrong) - _SHOWN} more lines", "others", "the lines were changed")


def changed_lines(card: str, recorded: str, *, words_alone: bool = False) -> list[tuple[str, str]]:
    """Lines of a card that are lines of another but for their numbers, each with the nearest of the other's.

    Args:
        card: The card that was found.
        recorded: The card as it should be.
        words_alone: Pass over lines without a word.
    """
    known: dict[str, list[str]] = defaultdict(list)
    for line in split_card(recorded)[1].splitlines():
        known[_NUMBER.sub("#", line.strip())].append(line.strip())
    wrong = []
    for line in map(str.strip, split_card(card)[1].splitlines()):
        shape = _NUMBER.sub("#", line)
        if shape == line or shape not in known or (words_alone and not _WORD.search(line)):
            continue
        nearest = max(known[shape], key=partial(_agreeing, line))
        if _agreeing(line, nearest) < len(_NUMBER.findall(line)):
            wrong.append((line, nearest))
    return wrong


def _agreeing(line: str, other: str) -> int:
    """How many numbers of one line are those of the other, up to the rounding of whichever has fewer digits."""
    pairs = zip(_NUMBER.findall(line), _NUMBER.findall(other), strict=False)
    return sum(_value(one) == _value(another) or _rounded(one, another) for one, another in pairs)


def _rounded(one: str, other: str) -> bool:
    apart = abs(_value(one) - _value(other))
    return math.isfinite(apart) and apart <= 0.5000001 * max(_step(one), _step(other))


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _step(number: str) -> float:
    """What its last digit stands for."""
    mantissa, _, exponent = number.partition("e")
    return float(f"1e{int(exponent or 0) - len(mantissa.partition('.')[2])}")


def _rendered(record: Manifest, artifact: Artifact, names: Names, language: str) -> str:
    try:
        return model_card(record, artifact, names, language=language)
    # A record of another release, or one that was changed by hand, may lack what a template names.
    except (jinja2.TemplateError, LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise HubError(
            f"the record of {names[artifact.name]} makes no card: {(str(error).splitlines() or [''])[0]}.",
            "It is damaged, or of another release of hubadapt: pip install -U hubadapt",
        ) from error
