"""What gates look at, a changed tokenizer beside its base, and what they find."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from hubadapt.errors import ModelError
from hubadapt.loading import auto_tokenizer
from hubadapt.tokenizer.families import read_tokenizer_json

if TYPE_CHECKING:
    from hubadapt.tokenizer.vocabulary import NewVocabulary

GONE = -1
"""In place of the new id of a token that was taken out."""

Case = tuple[str, bool, bool]
"""What was tried, whether it holds now, and whether it held in the base."""


@dataclass(frozen=True)
class Finding:
    """What a gate found.

    Attributes:
        tried: Cases.
        failures: Those that fail and did not in the base.
        reported: How many fail, but did in the base as well or are within what the gate tolerates.
    """

    tried: int
    failures: Sequence[str] = ()
    reported: int = 0


def compare(cases: Iterable[Case]) -> Finding:
    """Failures are the cases that held in the base and no longer do."""
    cases = list(cases)
    failures = [what for what, holds, held in cases if held and not holds]
    return Finding(len(cases), failures, sum(not holds and not held for _, holds, held in cases))


@dataclass(frozen=True)
class Trial:
    """A changed tokenizer and its base.

    Attributes:
        old_content: The base's `tokenizer.json`.
        new_content: The changed one.
        copied: Old id of each row before the first new token, below 0 where there is none.
        tokens: New entries, in order of id.
        scripts: Unicode scripts whose text may change.
        target: Texts of the target language.
        english: Texts of English and code, which must not change.
        folders: Folders of the base's and of the changed tokenizer; without them nothing is loaded as users load it.
        again: Makes the changed content once more, from the same input.
        replaced: Whether the vocabulary is another one altogether, so that all text may change its ids.
    """

    old_content: dict[str, Any]
    new_content: dict[str, Any]
    copied: Sequence[int]
    tokens: tuple[str, ...]
    scripts: tuple[str, ...]
    target: Sequence[str] = ()
    english: Sequence[str] = ()
    folders: tuple[Path, Path] | None = None
    again: Callable[[], dict[str, Any]] | None = None
    replaced: bool = False

    @staticmethod
    def of_folders(base: Path, folder: Path, vocabulary: NewVocabulary, **rest: Any) -> Trial:
        """The tokenizers that lie in two folders.

        Args:
            base: Folder of the base.
            folder: Folder of the changed tokenizer.
            vocabulary: What was changed.
            **rest: `scripts`, `target`, `english`, `again` and `replaced`.
        """
        contents = (read_tokenizer_json(base), read_tokenizer_json(folder))
        return Trial(*contents, vocabulary.copied, vocabulary.tokens, folders=(base, folder), **rest)

    @cached_property
    def old(self) -> Tokenizer:
        """The base's tokenizer."""
        return load(self.old_content)

    @cached_property
    def new(self) -> Tokenizer:
        """The changed tokenizer."""
        return load(self.new_content)

    @cached_property
    def loaded(self) -> tuple[Any, Any, str] | None:
        """Both tokenizers as users load them, None for one that cannot be loaded, and why the changed one cannot."""
        if self.folders is None:
            return None
        (old, _), (new, error) = (_load_as_users_do(folder) for folder in self.folders)
        return old, new, error

    @cached_property
    def moved(self) -> dict[int, int]:
        """Old id → new id, of all tokens that stay."""
        return {old: new for new, old in enumerate(self.copied) if old >= 0}

    @cached_property
    def _renumbered(self) -> bool:
        return any(old != new for old, new in self.moved.items())

    def move(self, ids: Iterable[int]) -> list[int]:
        """Old ids as the changed tokenizer numbers them; `GONE` for tokens that are gone."""
        return [self.moved.get(index, GONE) for index in ids] if self._renumbered else list(ids)

    def compare_ids(self, texts: Sequence[str]) -> Finding:
        """Texts whose ids are not those of the base, by the part around the first that differs.

        A text that the base wrote with a token that was taken out must change, and is only reported.
        """
        before, after = ([*map(self.move, encode(self.old, texts))], encode(self.new, texts))
        gone = sum(GONE in old for old in before)
        pairs = zip(before, after, strict=True)
        return Finding(
            len(texts), [self._excerpt(old, new) for old, new in pairs if old != new and GONE not in old], gone
        )

    def _excerpt(self, old: Sequence[int], new: Sequence[int]) -> str:
        same = next(
            (place for place, (left, right) in enumerate(zip(old, new, strict=False)) if left != right), len(new)
        )
        return decode(self.new, [new[max(same - 3, 0) : same + 5]])[0]


def together(*findings: Finding) -> Finding:
    """Several findings as one."""
    failures = [failure for finding in findings for failure in finding.failures]
    return Finding(sum(one.tried for one in findings), failures, sum(one.reported for one in findings))


def load(content: dict[str, Any]) -> Tokenizer:
    """A tokenizer from the content of its file."""
    return Tokenizer.from_str(json.dumps(content, ensure_ascii=False))


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text, special tokens not added."""
    return [one.ids for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def decode(tokenizer: Tokenizer, ids: Sequence[Sequence[int]]) -> list[str]:
    """Text of each sequence of ids, special tokens included."""
    texts: list[str] = tokenizer.decode_batch([list(one) for one in ids], skip_special_tokens=False)
    return texts


def round_trip(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """What is left of each text after it was encoded and decoded."""
    return decode(tokenizer, encode(tokenizer, texts))


def _load_as_users_do(folder: Path) -> tuple[Any, str]:
    try:
        return auto_tokenizer(folder), ""
    except ModelError as error:
        return None, error.problem.removeprefix(f"the tokenizer of {folder} ")
