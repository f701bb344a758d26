"""Text of one language to measure on, and other text of it to learn from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from hubadapt.corpus.documents import read_documents
from hubadapt.corpus.split import first_passage, pick_evenly, text_hash
from hubadapt.errors import CorpusError
from hubadapt.tokenizer.scripts import letter_pattern

MOST_TEXTS = 400
"""Texts to measure on, of which the first passages are taken: more would only narrow the standard error."""

MOST_CHARACTERS = 10_000
"""Characters of a passage."""

_LEAST_OF_SCRIPT = 0.1


@dataclass(frozen=True)
class Sample:
    """Text of one language.

    Attributes:
        language: ISO 639-1 code.
        scripts: Its Unicode scripts.
        measured: First passages of documents, none of which is learnt from.
        learnt: Whole documents.
    """

    language: str
    scripts: tuple[str, ...]
    measured: Sequence[str]
    learnt: Sequence[str]


def read_sample(
    language: str, scripts: tuple[str, ...], texts: Sequence[Path], corpora: Sequence[Path], *, split: bool = True
) -> Sample:
    """Read files and decide by document what is measured and what is learnt from.

    Args:
        language: ISO 639-1 code.
        scripts: Its Unicode scripts.
        texts: Files to measure on.
        corpora: Files to learn from. Where there are none, at most a tenth of the texts' documents is measured on and
            the rest learnt from.
        split: Whether to keep documents for learning where there are no corpora.

    Raises:
        CorpusError: A file is missing, damaged, empty or of another script.
    """
    found = read_texts(language, scripts, texts)
    corpus = read_texts(language, scripts, corpora)
    # By hash, so that the choice depends neither on order nor on what else is there.
    ranked = sorted(found, key=text_hash)
    divided = split and not corpora and len(ranked) > 1
    count = min(max(len(ranked) // 10, 1) if divided else len(ranked), MOST_TEXTS)
    measured = [first_passage(text, MOST_CHARACTERS) for text in ranked[:count]]
    learnt = [text for text in corpus if text not in found] if corpora else ranked[count:] if divided else []
    return Sample(language, scripts, measured, learnt)


def passages(texts: Sequence[str], *, characters: int = MOST_CHARACTERS) -> list[str]:
    """First passages, of so many characters, of texts spread evenly over a sequence, as many as are worth measuring."""
    return [first_passage(text, characters) for text in pick_evenly(texts, MOST_TEXTS)]


def read_texts(language: str, scripts: tuple[str, ...], paths: Sequence[Path]) -> dict[str, None]:
    """Distinct texts of some files, in order.

    Raises:
        CorpusError: A file is missing, damaged, empty or of another script.
    """
    texts: dict[str, None] = {}
    for path in paths:
        if not path.exists():
            raise CorpusError(f"the text {path} does not exist.", "Check the path before the language code.")
        own = [document.text for document in read_documents(path, license="any") if document.text.strip()]
        if not own:
            raise CorpusError(f"the text {path} is empty.", "Name a file that holds text.")
        _require_script(path, own, language, scripts)
        texts |= dict.fromkeys(own)
    return texts


def _require_script(path: Path, texts: Collection[str], language: str, scripts: tuple[str, ...]) -> None:
    sample = "".join(text[:2000] for text in list(texts)[:500])
    letters = sum(character.isalpha() for character in sample)
    share = len(letter_pattern(scripts).findall(sample)) / max(letters, 1)
    if share < _LEAST_OF_SCRIPT:
        raise CorpusError(
            f"{path} is given as {language!r}, but {share:.0%} of its letters are {' or '.join(scripts)}.",
            "Check the language code behind the file's name, and that the file is the right one.",
        )
