"""The nouns of hubadapt: small frozen values that read and write as JSON.

This is the first file to read. A run is described by one `Manifest`; everything that is shown, published or compared is
a pure function of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""Opens a progress bar: `with progress("counting", total) as advance: advance(1)`."""


@contextmanager
def silent(description: str, total: int) -> Iterator[Callable[[int], object]]:
    """The `Progress` that shows nothing."""
    yield lambda count: None


class Noun(BaseModel):
    """A frozen value; unknown keys are errors, and so are infinities, which JSON cannot hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelRef(Noun):
    """A model, pinned: a Hub id with a full commit sha, or a local folder with the hash of its content.

    Attributes:
        id: Hub id (`owner/name`), or the folder as the user wrote it.
        revision: Full commit sha, or `sha256:` and the hash of the folder's content.
        local: Whether `id` is a folder.
        license: Licence that its card names, or its `license_name` where that is `other`; where it names none, the one
            whose text lies beside it; empty where neither is known.
    """

    id: str
    revision: str
    local: bool = False
    license: str = ""


class FileEntry(Noun):
    """One file of an artifact. `path` is relative to the artifact's folder, `size` is in bytes."""

    path: str
    size: int
    sha256: str


ArtifactKind = Literal["model", "tokenizer", "dataset", "report"]


class Artifact(Noun):
    """A folder that a stage made.

    Attributes:
        name: Unique in the run; becomes part of the repository's name on the Hub.
        kind: What the folder holds; `model` and `dataset` folders are published, `report` ones with every model.
        folder: Path relative to the run folder, with forward slashes.
        of: The source model it is a form of: `base` or a sibling's name; empty where that makes no sense.
        files: Every file of the folder, in order of path.
    """

    name: str
    kind: ArtifactKind
    folder: str
    of: str = ""
    files: tuple[FileEntry, ...] = ()


class Metric(Noun):
    """One measured number, with what is needed to measure it again.

    Attributes:
        name: Name from the field, such as `bits_per_byte`.
        value: The number.
        unit: Its unit, such as `bits/byte`.
        higher_is_better: Which way is good; None where neither is (sizes, counts).
        model: A source's name (`base`, a sibling) or an artifact's name.
        language: ISO 639-1 code of the text measured.
        dataset: File or dataset the text comes from.
        revision: Content hash of that file, or the dataset's commit sha.
        n: How many texts, prompts or runs the number is over.
        stderr: Standard error of the value, where one is defined.
    """

    name: str
    value: float
    unit: str
    higher_is_better: bool | None
    model: str
    language: str = ""
    dataset: str = ""
    revision: str = ""
    n: int = 1
    stderr: float | None = None


class Energy(Noun):
    """What work took of electricity: an estimate.

    Attributes:
        kwh: Kilowatt hours of processors, graphics cards and memory.
        co2eq_kg: Kilograms of CO2 equivalent that the country's grid emits for them on the average.
        seconds: Wall time that was measured.
        attempts: How many attempts this adds up: interrupted ones count.
        whole: Whether every attempt was measured.
        method: How power was known, in the library's words.
        library: The library that measured, with its version.
        country: ISO 3166-1 alpha-3 code.
    """

    kwh: float
    co2eq_kg: float
    seconds: float
    attempts: int = 1
    whole: bool = True
    method: str = ""
    library: str
    country: str


class StageRecord(Noun):
    """What one stage was asked, what it made and what it measured.

    Attributes:
        name: The stage's name in this run.
        kind: Which stage it is.
        params: Its complete configuration, defaults included.
        inputs: Fingerprints and revisions it depended on, by name.
        artifacts: Folders it made.
        metrics: Numbers it measured.
        facts: Other results as plain data (counts, examples, an executed snippet's output).
        seconds: Wall time; never part of a hash.
        energy: What it took of electricity; None where that was not measured.
        fingerprint: Hash of kind, parameters and inputs: equal fingerprints mean equal work.
    """

    name: str
    kind: str
    params: dict[str, Any]
    inputs: dict[str, str]
    artifacts: tuple[Artifact, ...] = ()
    metrics: tuple[Metric, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
    seconds: float
    energy: Energy | None = None
    fingerprint: str


class LicenceLink(Noun):
    """One link of a run's licence chain: what models or texts are under, and what follows for what is published.

    Attributes:
        names: Sources of models (`base`, a sibling's name), or of texts as their rows name them.
        role: `base`, `sibling`, or what texts were read for: `trained on`, `measured on`.
        license: As it was found; empty where none was named.
        kinds: What it is in the words of `licence_terms`, the strictest last.
        asks: What it asks, one line.
        decision: The owner's own words from the recipe, where one covers this link.
        problem: What keeps the run from being published, one line; empty where nothing does.
        hint: What to do about it, one line.
    """

    names: tuple[str, ...]
    role: Literal["base", "sibling", "trained on", "measured on"]
    license: str
    kinds: tuple[str, ...]
    asks: str
    decision: str = ""
    problem: str = ""
    hint: str = ""


class Manifest(Noun):
    """The one record of a run, from which cards, pushes and comparisons are derived.

    Attributes:
        schema_version: Version of this format.
        name: The run's name; the prefix of every repository it publishes.
        language: ISO 639-1 code of the target language.
        license: Licence of the published models, as a Hub identifier.
        license_name: Name of that licence, where it is `other`.
        license_link: Address of its text, where it is `other`.
        license_decisions: The owner's own decisions and their reasons, by source or licence.
        licences: The licence chain, from all of these.
        base: The base model.
        siblings: Other tunes of the base, by name.
        recipe: The recipe's text, verbatim.
        packages: Versions of the packages that decide results, by name.
        hardware: Processor, cores, memory and graphics cards of the machine that ran it.
        stages: Records, in the order they ran.
    """

    schema_version: Literal[1] = 1
    name: str
    language: str
    license: str
    license_name: str = ""
    license_link: str = ""
    license_decisions: dict[str, str] = Field(default_factory=dict)
    licences: tuple[LicenceLink, ...] = ()
    base: ModelRef
    siblings: dict[str, ModelRef] = Field(default_factory=dict)
    recipe: str
    packages: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, str] = Field(default_factory=dict)
    stages: tuple[StageRecord, ...] = ()

    def artifacts(self) -> tuple[Artifact, ...]:
        """All artifacts, in the order they were made."""
        return tuple(artifact for record in self.stages for artifact in record.artifacts)

    def metrics(self) -> tuple[Metric, ...]:
        """All metrics, in the order they were measured."""
        return tuple(metric for record in self.stages for metric in record.metrics)

    def sources(self) -> dict[str, ModelRef]:
        """The models the run started from: `base` first, then the siblings by name."""
        return {"base": self.base, **self.siblings}
