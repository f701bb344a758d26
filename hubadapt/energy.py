"""What the work of a stage takes of electricity: an estimate by codecarbon, for which no network is asked.

codecarbon reads what the machine tells of its power every quarter of a minute, and fills in the rest from tables: the
processor's load and nominal power where there is no counter, memory by its size, and grams of CO2 equivalent by a
country's yearly mean. Each reading is on disk before the next, so that of an attempt that is killed all but the last
quarter of a minute counts.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hubadapt.errors import MissingExtraError, RecipeError, UserError
from hubadapt.manifest import write_atomic
from hubadapt.types import Energy

INTERVAL = 15.0
"""Seconds between readings."""


def energy_problems(country: str) -> list[UserError]:
    """What keeps energy from being measured.

    Args:
        country: ISO 3166-1 alpha-3 code of where the machine stands.
    """
    try:
        from codecarbon.input import DataSource
    except ModuleNotFoundError:
        return [MissingExtraError("`energy` in the recipe", "energy")]
    countries = DataSource().get_global_energy_mix_data()
    if country in countries:
        return []
    return [
        RecipeError(
            f"the recipe's `energy` names the country {country!r}, of whose grid codecarbon knows nothing.",
            "Give the ISO 3166-1 alpha-3 code of where the machine stands, such as FRA.",
        )
    ]


@contextmanager
def metered(country: str, readings: Path, *, resumed: bool) -> Iterator[None]:
    """Measure what is done inside, and keep it with what earlier attempts at the same work took.

    Args:
        country: ISO 3166-1 alpha-3 code.
        readings: File that keeps the readings of all attempts.
        resumed: Whether there were attempts before; one that left no reading was not measured.

    Raises:
        RecipeError: codecarbon cannot read this machine.
    """
    import codecarbon

    # It announces itself before it heeds its own `log_level`.
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    kept = _Kept(readings, resumed=resumed)
    # Whatever its configuration files say, nothing is sent or asked; and its lock would take Ctrl-C for itself.
    tracker = codecarbon.OfflineEmissionsTracker(
        country_iso_code=country, cloud_provider=None, output_methods=[], output_handlers=[kept],
        emissions_endpoint=None, electricitymaps_api_token=None, measure_power_secs=INTERVAL, api_call_interval=1,
        log_level="critical", allow_multiple_runs=True,
    )  # fmt: skip
    tracker.start()
    # How power is known is told nowhere else.
    kept.method = ", ".join(part.description() for part in getattr(tracker, "_hardware", ()))
    # It keeps its own failures to itself.
    if tracker.flush() is None:
        raise RecipeError(
            "the recipe asks for `energy`, but codecarbon cannot read this machine.",
            f"See why: codecarbon monitor --offline --country-iso-code {country} ; or leave `energy` out.",
        )
    try:
        yield
    finally:
        tracker.stop()


def total(readings: Path) -> Energy | None:
    """The sum over all attempts; None where nothing was measured."""
    found = _read(readings)
    parts = [Energy.model_validate(part) for part in found if part is not None]
    if not parts:
        return None
    return Energy(
        kwh=sum(part.kwh for part in parts),
        co2eq_kg=sum(part.co2eq_kg for part in parts),
        seconds=round(sum(part.seconds for part in parts), 3),
        attempts=len(found),
        whole=None not in found,
        method="; ".join(dict.fromkeys(part.method for part in parts if part.method)),
        library=", ".join(dict.fromkeys(part.library for part in parts)),
        country=", ".join(dict.fromkeys(part.country for part in parts)),
    )


class _Kept:
    """Takes what codecarbon reads, and writes it beside what earlier attempts took."""

    live_out_every_measure = False

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self._path, self.method = path, ""
        self._before = _read(path) if path.is_file() else [None] * resumed

    def out(self, total: Any, delta: Any) -> None:
        """Keep a reading; `total` is of this attempt so far."""
        reading = Energy(
            kwh=total.energy_consumed,
            co2eq_kg=total.emissions,
            seconds=total.duration,
            method=self.method,
            library=f"codecarbon {total.codecarbon_version}",
            country=total.country_iso_code,
        )
        write_atomic(self._path, json.dumps([*self._before, reading.model_dump()]))

    live_out = out

    def task_out(self, data: Any, experiment_name: str) -> None:
        """There are no tasks."""

    def exit(self) -> None:
        """Nothing is open."""


def _read(path: Path) -> list[dict[str, Any] | None]:
    content: list[dict[str, Any] | None] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return content
