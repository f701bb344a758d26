"""Initialisations of new rows: a piece map and the old table in, the map to apply out. One file each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from hubadapt.errors import RecipeError
from hubadapt.registry import Registry
from hubadapt.vocab_map import VocabMap

Weigh = Callable[[VocabMap, torch.Tensor, float], VocabMap]


@dataclass(frozen=True)
class Initialisation:
    """One way to compose new rows out of old ones.

    Attributes:
        name: The word for it in a recipe.
        summary: One line on what it does.
        reference: Where it comes from.
        weigh: Gives the map to apply, from the piece map, the old table (V_old, D) and the recipe's `scale`.
    """

    name: str
    summary: str
    reference: str
    weigh: Weigh


_registry: Registry[Initialisation] = Registry("hubadapt.embeddings", "hubadapt.embeddings")


def initialisation(name: str, *, reference: str) -> Callable[[Weigh], Weigh]:
    """Register a function as an initialisation; the first line of its docstring is shown to users."""

    def decorate(weigh: Weigh) -> Weigh:
        summary = (weigh.__doc__ or "").strip().splitlines()[0]
        _registry.register(name, Initialisation(name, summary, reference, weigh))
        return weigh

    return decorate


def find_initialisation(name: str) -> Initialisation:
    """The initialisation of that name.

    Raises:
        RecipeError: There is none.
    """
    return _registry.find(name, lambda name, hint: RecipeError(f"there is no initialisation {name!r}.", hint))


def initialisations() -> dict[str, Initialisation]:
    """All initialisations by name."""
    return _registry.entries()
