"""Named things found by scanning packages: stages and initialisations come through this one door."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries by name, filled by importing the modules of a package and of those an entry-point group names.

    Args:
        package: Dotted name of our own package whose modules register themselves on import.
        group: Entry-point group through which other distributions name packages of theirs.
    """

    def __init__(self, package: str, group: str) -> None:
        self._packages = [package]
        self._group = group
        self._entries: dict[str, T] = {}
        self._scanned: set[str] = set()

    def register(self, name: str, entry: T) -> None:
        """Add an entry.

        Raises:
            ValueError: The name is taken.
        """
        if name in self._entries and self._entries[name] != entry:
            raise ValueError(f"{name!r} is registered twice")
        self._entries[name] = entry

    def entries(self) -> dict[str, T]:
        """All entries by name, after scanning; sorted by name."""
        for package in [*self._packages, *(point.value for point in entry_points(group=self._group))]:
            self._scan(package)
        return dict(sorted(self._entries.items()))

    def find(self, name: str, otherwise: Callable[[str, str], Exception]) -> T:
        """The entry of that name.

        Args:
            name: Name to look up.
            otherwise: Makes the error to raise from a hint that names the nearest entries.
        """
        entries = self.entries()
        if name not in entries:
            raise otherwise(name, suggest(name, list(entries)))
        return entries[name]

    def _scan(self, package: str) -> None:
        module = importlib.import_module(package)
        for info in pkgutil.iter_modules(module.__path__, prefix=f"{package}."):
            if info.name not in self._scanned:
                self._scanned.add(info.name)
                importlib.import_module(info.name)


def suggest(name: str, known: list[str]) -> str:
    """A hint for a name that is not known: the nearest ones, or all."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Choose one of: {', '.join(sorted(known))}."
