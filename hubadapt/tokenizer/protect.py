"""English text that new tokens of a language in the Latin script leave as it is, but for one line in a hundred.

BPE with more merges writes a text as before unless two old entries that stand side by side in it are merged. So pairs
of entries are what new tokens may or may not begin with; of a Unigram it is its new pieces themselves. Either is a
*unit* here. A unit is worth the more the oftener the language has it, and costs the more the oftener English has it:
those whose ratio is low are left out. How low is found by judging each line of the English sample by all documents but
its own, so that the share of lines that change holds for text that was not seen.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from hubadapt.tokenizer.count import words_of_lines
from hubadapt.tokenizer.dialects import Dialect, dialect_of
from hubadapt.tokenizer.extend import segmenter
from hubadapt.tokenizer.families import Family, family_of

TOLERATED = 0.01
"""Share of English lines that may change where the target language shares their script."""

Unit = tuple[str, ...]
Units = Callable[[str], Iterable[Unit]]
"""The units of a word."""

# Lines that may be expected to hold a unit that no line of the sample holds, without and with a letter beyond ASCII.
_UNSEEN, _UNSEEN_ACCENTED = 0.2, 0.04
# What a line with a word in other letter case counts for.
_OTHER_CASE = 0.1
# Lines that are judged afterwards are a ninth of the protected ones.
_PART_JUDGED = 9


def _whole_numbers() -> np.ndarray:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Protected:
    """A sample of English text, as the distinct words of each of its lines.

    Attributes:
        words: The words, each once.
        word: Place in `words` of each word of each line, [entries].
        line: The line that each of them stands in, [entries].
        document: The document that each line is of, [lines].
        other_case: Words of the sample in other letter case → lines that hold one of them in its own, of words that
            two documents have.
        never: Words that no new token may touch.
    """

    words: tuple[str, ...] = ()
    word: np.ndarray = field(default_factory=_whole_numbers)
    line: np.ndarray = field(default_factory=_whole_numbers)
    document: np.ndarray = field(default_factory=_whole_numbers)
    other_case: Mapping[str, int] = field(default_factory=dict)
    never: frozenset[str] = frozenset()

    @staticmethod
    def of_texts(
        texts: Iterable[str], dialect: Dialect, scripts: tuple[str, ...], *, never: Iterable[str] = ()
    ) -> Protected:
        """Read a sample.

        Args:
            texts: Documents; a line is what stands between two line breaks and is not blank.
            dialect: Cuts words as the tokenizer does.
            scripts: Scripts of the target language; words without a letter of them need no protection.
            never: Texts none of whose words may change.
        """
        place: dict[str, int] = {}
        entries, lines, documents = array("i"), array("i"), array("i")
        for number, document in enumerate(words_of_lines(texts, dialect, scripts)):
            for words in document:
                found = [place.setdefault(one, len(place)) for one in sorted(words)]
                entries.extend(found)
                lines.extend([len(documents)] * len(found))
                documents.append(number)
        word, line, origin = (np.array(column, np.int32) for column in (entries, lines, documents))
        fixed = {one for document in words_of_lines(never, dialect, scripts) for words in document for one in words}
        cases = _in_other_case(tuple(place), word, origin[line], dialect)
        return Protected(tuple(place), word, line, origin, cases, frozenset(fixed))

    def every_word(self) -> set[str]:
        """All words whose units decide."""
        return {*self.words, *self.other_case, *self.never}

    def harmful(self, gains: Mapping[Unit, float], units_of: Units, dialect: Dialect) -> set[Unit]:
        """Units to leave out so that no more English lines change than may.

        Args:
            gains: How often the language has each unit that could be kept.
            units_of: The units that a word would be changed by, whether the language has them or not.
            dialect: Spells the entries.
        """
        units, of_word = list(gains), {word: {*units_of(word)} for word in self.every_word()}
        gain = np.array([gains[unit] for unit in units], np.float64)
        unit, line = self._incidence({one: number for number, one in enumerate(units)}, of_word)
        count = np.bincount(unit, minlength=len(units)) + [_unseen(one, dialect) for one in units]
        cases: Counter[Unit] = Counter()
        for word, lines in self.other_case.items():
            cases.update(dict.fromkeys(of_word[word], lines))
        count += _OTHER_CASE * np.array([cases[one] for one in units])
        own = _times(self.document[line].astype(np.int64) * len(units) + unit)
        worst = np.zeros(len(self.document))
        np.maximum.at(worst, line, gain[unit] / (count[unit] - own))
        kept = gain / count > _at_rank(worst, self._may_change())
        never = {one for word in self.never for one in of_word[word]}
        unknown = {one for word in self.words for one in of_word[word]} - gains.keys()
        return {one for one, keep in zip(units, kept, strict=True) if not keep} | never | unknown

    def _may_change(self) -> int:
        """Lines that may change: a standard error of the judged lines' share below what is tolerated."""
        tolerated = TOLERATED * len(self.document)
        return max(0, int(tolerated - (tolerated * _PART_JUDGED) ** 0.5))

    def _incidence(
        self, number: Mapping[Unit, int], of_word: Mapping[str, Collection[Unit]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each unit of each line once: numbers of units, numbers of lines."""
        numbers = [[number[one] for one in of_word[word] if one in number] for word in self.words]
        flat = np.array([one for some in numbers for one in some], np.int64)
        sizes = np.array([len(some) for some in numbers], np.int64)
        times = sizes[self.word]
        starts = (np.cumsum(sizes) - sizes)[self.word] - (np.cumsum(times) - times)
        unit = flat[np.repeat(starts, times) + np.arange(times.sum())]
        both = np.unique(np.repeat(self.line, times).astype(np.int64) * max(len(number), 1) + unit)
        return both % max(len(number), 1), both // max(len(number), 1)


def pairs_apart(protected: Protected, words: Mapping[str, int], content: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """Pairs of old entries of a BPE that no new token may begin with.

    Args:
        protected: English text.
        words: Pre-tokens of the language with their counts.
        content: The old `tokenizer.json`.
    """
    if not protected.every_word():
        return frozenset()
    segment = segmenter(content)(())
    # SentencePiece puts a space of its own at the start of a text.
    starts = ("",) if family_of(content) is Family.BYTE_LEVEL_BPE else ("", "▁")
    gains: Counter[Unit] = Counter()
    for word, count in words.items():
        for pair in pairwise(segment(word)):
            gains[pair] += count

    def pairs_of(word: str) -> set[Unit]:
        return {pair for start in starts for pair in pairwise(segment(start + word.removeprefix(start)))}

    return frozenset((left, right) for left, right in protected.harmful(gains, pairs_of, dialect_of(content)))


def _unseen(unit: Unit, dialect: Dialect) -> float:
    accented = any(byte >= 0x80 for entry in unit for byte in dialect.to_bytes(entry))
    return _UNSEEN_ACCENTED if accented else _UNSEEN


def _times(keys: np.ndarray) -> np.ndarray:
    """How often each value occurs, beside each."""
    _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    times: np.ndarray = counts[place]
    return times


def _at_rank(values: np.ndarray, rank: int) -> float:
    """The value that `rank` others are at least as large as; 0 where there are fewer."""
    return float(np.sort(values)[::-1][rank]) if rank < len(values) else 0.0


def _in_other_case(words: tuple[str, ...], word: np.ndarray, document: np.ndarray, dialect: Dialect) -> Counter[str]:
    """Words in other letter case, with and without a space before them, by the lines of those that are there."""
    lines, number = np.bincount(word, minlength=len(words)), max(len(words), 1)
    documents = np.bincount(np.unique(document.astype(np.int64) * number + word) % number, minlength=len(words))
    cases: Counter[str] = Counter()
    for place in np.flatnonzero(documents > 1):
        own = dialect.to_text(words[place]) or ""
        text = own.removeprefix(" ")
        if text.isalpha():
            forms = {space + form for space in ("", " ") for form in (text.lower(), text.capitalize(), text.upper())}
            cases.update({one: int(lines[place]) for form in forms - {own} for one in dialect.cut(form)})
    return cases
