"""What a run took of electricity, as its cards tell it: nothing where nothing was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hubadapt.types import Energy, Manifest


@dataclass(frozen=True)
class Consumption:
    """The estimates of a run.

    Attributes:
        stages: Each stage that was measured, with its estimate.
        unmeasured: Stages that were not.
        partial: Stages of which an attempt was not.
    """

    stages: tuple[tuple[str, Energy], ...]
    unmeasured: tuple[str, ...]
    partial: tuple[str, ...]

    @property
    def kwh(self) -> float:
        """Kilowatt hours, of all stages that were measured."""
        return sum(energy.kwh for _, energy in self.stages)

    @property
    def grams(self) -> float:
        """Grams of CO2 equivalent, likewise."""
        return sum(grams(energy) for _, energy in self.stages)

    def said(self, key: str) -> str:
        """What the estimates say of themselves (`library`, `method`, `country`), each once."""
        return "; ".join(dict.fromkeys(str(getattr(energy, key)) for _, energy in self.stages))


def consumption(manifest: Manifest) -> Consumption | None:
    """The estimates of a run; None without any."""
    measured = tuple((record.kind, record.energy) for record in manifest.stages if record.energy is not None)
    if not measured:
        return None
    return Consumption(
        measured,
        unmeasured=tuple(record.kind for record in manifest.stages if record.energy is None),
        partial=tuple(kind for kind, energy in measured if not energy.whole),
    )


def grams(energy: Energy) -> float:
    """Grams of CO2 equivalent, which cards show; the record has kilograms."""
    return 1000 * energy.co2eq_kg


def emissions_front(manifest: Manifest) -> dict[str, Any]:
    """The Hub's metadata of emissions (model-cards-co2.md of huggingface/hub-docs), in grams; empty without any."""
    found = consumption(manifest)
    if found is None:
        return {}
    hardware = manifest.hardware.get("processor", "")
    return {
        "co2_eq_emissions": {
            "emissions": float(f"{found.grams:.4g}"),
            "source": f"{found.said('library')}, an estimate",
            "training_type": "fine-tuning",
            "geographical_location": found.said("country"),
            **({"hardware_used": hardware} if hardware else {}),
        }
    }
