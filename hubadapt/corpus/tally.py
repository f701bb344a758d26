"""What was read, by where it comes from and its licence: rows of a record, from which the licence chain is made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any


def tally(read: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Rows and characters trained on, by source and licence, in their order.

    Args:
        read: Source, licence and characters of each row.
    """
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for source, licence, characters in read:
        counts[source, licence].update(train_documents=1, train_characters=characters)
    return [{"source": name, "license": licence, **found} for (name, licence), found in sorted(counts.items())]
