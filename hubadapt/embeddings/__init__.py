"""Initialisations of new rows: a piece map and the old table in, the new rows out. One file each."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from hubadapt.errors import RecipeError
from hubadapt.registry import Registry, suggest
from hubadapt.types import Progress, silent
from hubadapt.vocab_map import VocabMap

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Role = Literal["input", "head", "tied"]
Need = Literal["donor", "texts"]


@dataclass(frozen=True)
class Donor:
    """Another model's table, to take the relations between tokens from.

    Attributes:
        table: Its rows, shape (V_donor, D_donor), any float dtype.
        ids: Donor id of each new id, -1 where the donor has no such token, V_new of them.
        old_ids: Donor id of each old id, -1 where the donor has no such token, V_old of them.
    """

    table: torch.Tensor
    ids: Sequence[int]
    old_ids: Sequence[int]


@dataclass(frozen=True)
class Givens:
    """What an initialisation may look at for one table.

    Attributes:
        pieces: The plain mean map, V_new × V_old.
        table: The old table, shape (V_old, D), any float dtype, read from disk as it is used.
        role: Whether it is the input table, an untied head, or both in one.
        spellings: Bytes of each old id, empty where it stands for none; V_old of them.
        seed: Where randomness starts.
        donor: The donor's table of the same role, for methods that need one.
        texts: Target-language text, for methods that need some.
        encoders: The old and the new tokenizer.
        model: Loads the old model, for methods that learn.
        progress: Opens progress bars, for methods that take long.
    """

    pieces: VocabMap
    table: torch.Tensor
    role: Role
    spellings: Sequence[bytes]
    seed: int = 0
    donor: Donor | None = None
    texts: Sequence[str] = ()
    encoders: tuple[Tokenizer, Tokenizer] | None = None
    model: Callable[[], Any] | None = None
    progress: Progress = silent


Rows = VocabMap | torch.Tensor
"""New rows: the map that composes them, or the rows themselves, shape (n_composed, D), float32, in order of id."""

Initialise = Callable[..., Rows]


@dataclass(frozen=True)
class Initialisation:
    """One way to make new rows.

    Attributes:
        name: The word for it in a recipe.
        summary: One line on what it does.
        reference: Where it comes from.
        needs: What must be given beside the table.
        options: Its settings with their values, defaults first.
        initialise: Gives the rows, from `Givens` and the options as keywords.
    """

    name: str
    summary: str
    reference: str
    needs: tuple[Need, ...]
    options: Mapping[str, Any]
    initialise: Initialise

    def __call__(self, givens: Givens) -> Rows:
        """The new rows."""
        return self.initialise(givens, **self.options)

    def __str__(self) -> str:
        """As it is written in a recipe, settings included."""
        settings = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name}({settings})" if settings else self.name


_registry: Registry[Initialisation] = Registry("hubadapt.embeddings", "hubadapt.embeddings")


def initialisation(name: str, *, reference: str, needs: tuple[Need, ...] = ()) -> Callable[[Initialise], Initialise]:
    """Register a function as an initialisation.

    The first line of its docstring is shown to users; its keyword-only parameters, numbers with defaults, are its
    options.
    """

    def decorate(initialise: Initialise) -> Initialise:
        summary = (initialise.__doc__ or "").strip().splitlines()[0]
        parameters = inspect.signature(initialise).parameters.values()
        options = {item.name: item.default for item in parameters if item.kind is item.KEYWORD_ONLY}
        _registry.register(name, Initialisation(name, summary, reference, needs, options, initialise))
        return initialise

    return decorate


def initialisations() -> dict[str, Initialisation]:
    """All initialisations by name."""
    return _registry.entries()


def find_initialisation(text: str) -> Initialisation:
    """The initialisation that a recipe names: `scaled`, or with settings `scaled(by=0.8)`.

    Raises:
        RecipeError: There is none of that name, or it has no such setting.
    """
    name, options = _parsed(text)
    found = _registry.find(name, lambda name, hint: RecipeError(f"there is no initialisation {name!r}.", hint))
    for option, value in options.items():
        if option not in found.options:
            raise RecipeError(
                f"the initialisation {name} has no setting {option!r}.",
                suggest(option, list(found.options)) if found.options else f"Write it as `{name}`.",
            )
        if isinstance(value, bool) or not isinstance(value, int | type(found.options[option])):
            raise RecipeError(
                f"the setting {option} of the initialisation {name} cannot be {value!r}.",
                f"Write a number, such as {name}({option}={found.options[option]}).",
            )
    return Initialisation(
        name, found.summary, found.reference, found.needs, {**found.options, **options}, found.initialise
    )


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    try:
        match ast.parse(text.strip(), mode="eval").body:
            case ast.Name(name):
                return name, {}
            case ast.Call(ast.Name(name), [], keywords) if all(word.arg for word in keywords):
                return name, {str(word.arg): ast.literal_eval(word.value) for word in keywords}
    except (SyntaxError, ValueError):
        pass
    raise RecipeError(
        f"the initialisation {text!r} cannot be read.", "Write a name, or a name with settings: scaled(by=0.8)"
    )
