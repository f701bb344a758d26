"""Energy is measured where the recipe says so, adds up over interrupted attempts, and cards tell it as an estimate."""

from __future__ import annotations

import dataclasses
import json
import logging
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pico
import pytest

from hubadapt.card import dataset_card, model_card
from hubadapt.card.metadata import card_problems
from hubadapt.energy import metered, total
from hubadapt.errors import UserError
from hubadapt.front_matter import read_front_matter
from hubadapt.lineage import Names
from hubadapt.types import Energy, Manifest

GOLDEN = Path(__file__).parents[1] / "golden" / "hubadapt.json"


@dataclasses.dataclass
class Reading:
    duration: float
    energy_consumed: float
    emissions: float
    country_iso_code: str
    codecarbon_version: str = "0"


class Tracker:
    """Takes a thousandth of a kilowatt hour for each reading: one when it is flushed, and one when it stops."""

    made: ClassVar[list[Tracker]] = []

    def __init__(self, **settings: object) -> None:
        self.settings, self.readings = settings, 0
        self._hardware = [SimpleNamespace(description=lambda: "CPU(guessed)")]
        self.made.append(self)

    def start(self) -> None:
        pass

    def flush(self) -> float | None:
        self._read("out")
        return 5e-5 * self.readings

    def stop(self) -> None:
        self._read("out")

    def _read(self, event: str) -> None:
        self.readings += 1
        reading = Reading(
            2.0 * self.readings, 1e-3 * self.readings, 5e-5 * self.readings, self.settings["country_iso_code"]
        )
        for handler in self.settings["output_handlers"]:
            getattr(handler, event)(reading, None)


@pytest.fixture
def codecarbon(monkeypatch) -> type[Tracker]:
    """A stand-in for the package."""
    package, data = ModuleType("codecarbon"), ModuleType("codecarbon.input")
    package.OfflineEmissionsTracker = Tracker
    data.DataSource = lambda: SimpleNamespace(get_global_energy_mix_data=lambda: {"FRA": {}, "FIN": {}})
    monkeypatch.setitem(sys.modules, "codecarbon", package)
    monkeypatch.setitem(sys.modules, "codecarbon.input", data)
    Tracker.made = []
    return Tracker


@pytest.fixture
def metered_workshop(workshop):
    workshop.content["stages"] = workshop.content["stages"][:1]
    workshop.content["energy"] = {"country": "FRA"}
    workshop.write()
    return workshop


def measured(workshop: pico.Workshop) -> Energy | None:
    return workshop.manifest.stages[0].energy


def test_a_stage_has_its_estimate_and_no_run_without_energy_has_one(codecarbon, metered_workshop):
    metered_workshop.run()
    assert measured(metered_workshop) == Energy(
        kwh=0.002, co2eq_kg=1e-4, seconds=4.0, method="CPU(guessed)", library="codecarbon 0", country="FRA"
    )
    del metered_workshop.content["energy"]
    metered_workshop.stage("corpus")["held_out"] = 0.3
    metered_workshop.write()
    metered_workshop.run()
    assert measured(metered_workshop) is None and len(codecarbon.made) == 1


def test_where_energy_is_measured_does_not_make_a_stage_run_again(codecarbon, metered_workshop):
    metered_workshop.run()
    metered_workshop.content["energy"] = {"country": "FIN"}
    metered_workshop.write()
    assert metered_workshop.run() == [("corpus", "skipped")]
    assert measured(metered_workshop).country == "FRA"


def interrupt(workshop: pico.Workshop) -> None:
    """Run until the first progress bar moves, and press Ctrl-C."""

    @contextmanager
    def bar(name, total):
        def advance(count):
            raise KeyboardInterrupt

        yield advance

    with pytest.raises(UserError, match="stopped by Ctrl-C in the stage corpus"):
        workshop.run(bar)


def test_interrupted_attempts_add_up(codecarbon, metered_workshop):
    interrupt(metered_workshop)
    interrupt(metered_workshop)
    metered_workshop.run()
    found = measured(metered_workshop)
    assert (found.attempts, found.whole) == (3, True)
    assert (found.kwh, found.seconds) == (pytest.approx(0.006), 12.0)


def test_an_attempt_that_was_not_measured_is_told(codecarbon, metered_workshop):
    del metered_workshop.content["energy"]
    metered_workshop.write()
    interrupt(metered_workshop)
    metered_workshop.content["energy"] = {"country": "FRA"}
    metered_workshop.write()
    metered_workshop.run()
    found = measured(metered_workshop)
    assert (found.attempts, found.whole, found.kwh) == (2, False, 0.002)


def test_what_a_killed_attempt_took_until_its_last_reading_counts(codecarbon, tmp_path):
    killed = metered("FRA", tmp_path / "readings", resumed=False)
    killed.__enter__()
    with metered("FRA", tmp_path / "readings", resumed=True):
        pass
    found = total(tmp_path / "readings")
    assert (found.attempts, found.kwh, found.whole) == (2, pytest.approx(0.003), True)


def test_a_machine_that_cannot_be_read_stops_the_run_before_its_work(cli, codecarbon, metered_workshop, monkeypatch):
    monkeypatch.setattr(codecarbon, "flush", lambda self: None)
    outcome = cli("run", metered_workshop.recipe)
    assert (outcome.code, outcome.err.splitlines()[-2:]) == (
        1,
        [
            "the recipe asks for `energy`, but codecarbon cannot read this machine.",
            "See why: codecarbon monitor --offline --country-iso-code FRA ; or leave `energy` out.",
        ],
    )
    assert not (metered_workshop.out / "hubadapt.json").exists()


def test_nothing_is_asked_sent_or_written_elsewhere(codecarbon, metered_workshop):
    metered_workshop.run()
    (tracker,) = codecarbon.made
    assert tracker.settings["output_methods"] == [] and tracker.settings["allow_multiple_runs"] is True
    for key in ("emissions_endpoint", "electricitymaps_api_token", "cloud_provider"):
        assert tracker.settings[key] is None


@pytest.mark.parametrize(
    ("energy", "problem"),
    [
        ({"country": "XYZ"}, "the recipe's `energy` names the country 'XYZ', of whose grid codecarbon knows nothing."),
        ({"country": "France"}, "has a bad value for 'energy.country'"),
        ({"land": "FRA"}, "has an unknown key 'energy.land'"),
    ],
)
def test_a_country_that_is_none_is_refused_before_the_run(cli, codecarbon, metered_workshop, energy, problem):
    metered_workshop.content["energy"] = energy
    outcome = cli("check", metered_workshop.write())
    assert outcome.code == 1 and problem in outcome.err


def test_a_missing_package_is_named_with_the_command_that_installs_it(cli, metered_workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon.input", None)
    outcome = cli("check", metered_workshop.recipe)
    assert (outcome.code, outcome.err.splitlines()) == (
        1, ["`energy` in the recipe needs packages that are not installed.", "pip install 'hubadapt[energy]'"],
    )  # fmt: skip


@pytest.fixture
def told() -> Manifest:
    """A run of which two stages were measured, one of them in part."""
    manifest = Manifest.model_validate_json(GOLDEN.read_text("utf-8"))
    one = Energy(kwh=0.1234, co2eq_kg=0.00691, seconds=123.4, method="CPU(RAPL)", library="codecarbon 9", country="FRA")
    two = one.model_copy(update={"kwh": 0.25, "co2eq_kg": 0.014, "seconds": 60.0, "attempts": 2, "whole": False})
    stages = [
        stage.model_copy(update={"energy": {3: one, 5: two}.get(place)}) for place, stage in enumerate(manifest.stages)
    ]
    return manifest.model_copy(update={"stages": tuple(stages)})


def test_a_card_tells_energy_as_an_estimate_with_its_method_and_what_it_leaves_out(told):
    made = {artifact.name: artifact for artifact in told.artifacts()}
    card = model_card(told, made["pretrain"], Names(told, "me"))
    kinds = [stage.kind for stage in told.stages]
    assert (
        f"| {kinds[3]} | 0.123 | 6.91 | 123 |\n| {kinds[5]} | 0.25 | 14 | 60 |\n| in all | 0.373 | 20.9 | |\n" in card
    )
    assert "Estimated by codecarbon 9, not metered at the plug, for the whole machine: `CPU(RAPL)`." in card
    others = ", ".join(kind for place, kind in enumerate(kinds) if place not in (3, 5))
    assert f"Not measured: {others}.\nMeasured in part: {kinds[5]}." in card
    assert read_front_matter(card)["co2_eq_emissions"] == {
        "emissions": 20.91, "source": "codecarbon 9, an estimate", "training_type": "fine-tuning",
        "geographical_location": "FRA", "hardware_used": told.hardware["processor"],
    }  # fmt: skip
    assert card_problems(card, "model") == []
    for language in ("ru", "fr"):
        assert "0.373" in model_card(told, made["pretrain"], Names(told, "me"), language=language)
    assert "CO₂" not in dataset_card(told, made["corpus"], Names(told, "me"))


def test_a_card_of_a_run_that_measured_nothing_is_silent_about_energy():
    manifest = Manifest.model_validate_json(GOLDEN.read_text("utf-8"))
    made = {artifact.name: artifact for artifact in manifest.artifacts()}
    card = model_card(manifest, made["pretrain"], Names(manifest, "me"))
    assert "kWh" not in card and "co2" not in card


def test_the_real_package_measures_without_network_and_leaves_signals_and_folders_alone(tmp_path, monkeypatch):
    pytest.importorskip("codecarbon", reason="the energy extra is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socket.socket.connect", lambda *arguments: pytest.fail(f"asked {arguments[1:]}"))
    before = signal.getsignal(signal.SIGINT)
    with metered("FRA", tmp_path / "readings", resumed=False):
        sum(range(10**6))
    found = total(tmp_path / "readings")
    assert found.kwh > 0 and found.co2eq_kg > 0 and found.library.startswith("codecarbon ") and "RAM" in found.method
    assert signal.getsignal(signal.SIGINT) is before
    assert [path.name for path in tmp_path.iterdir()] == ["readings"]
    assert logging.getLogger("codecarbon").level == logging.CRITICAL
    assert json.loads((tmp_path / "readings").read_text("utf-8"))[0]["country"] == "FRA"
