"""Numbers as people read them."""

from __future__ import annotations


def size(count: int) -> str:
    """A number of bytes: `538 MB`."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.3g} {unit}"
    return f"{count} B"


def duration(seconds: float) -> str:
    """A length of time: `4 min 10 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [
        f"{hours} h" if hours else "",
        f"{minutes} min" if minutes else "",
        f"{rest} s" if rest or not (hours or minutes) else "",
    ]
    return " ".join(part for part in parts if part)
