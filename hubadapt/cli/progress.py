"""Progress bars on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def bar(description: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar on standard error; see `hubadapt.types.Progress`."""
    with tqdm(total=total, desc=f"  {description}", unit_scale=True, dynamic_ncols=True, mininterval=0.5) as shown:
        yield shown.update
