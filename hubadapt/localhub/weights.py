"""How many parameters a model has, read from the headers of its safetensors files."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_MAX_HEADER = 32 << 20


def count(files: Iterable[Path]) -> dict[str, int]:
    """Parameters by type, such as `{"BF16": 134515008}`, over files named after their sha256; empty without any."""
    total: Counter[str] = Counter()
    for path in files:
        total.update(_count_one(path))
    return dict(total)


# A file named by its sha256 never changes, so that what was read once holds.
@lru_cache(maxsize=4096)
def _count_one(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        raw = file.read(length) if length <= _MAX_HEADER else b""
    found: Counter[str] = Counter()
    try:
        for name, tensor in json.loads(raw).items():
            if name != "__metadata__":
                found[str(tensor["dtype"])] += math.prod(tensor["shape"])
    except (ValueError, TypeError, KeyError, AttributeError):
        # Anybody may call any file a safetensors file.
        return {}
    return dict(found)
