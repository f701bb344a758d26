"""Stage `embed`: gives the new tokens their first rows, made of old ones or learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hubadapt.checkpoint import find_tables, load_config
from hubadapt.corpus.dataset import read_split
from hubadapt.corpus.split import first_passage, held_out_by, pick_evenly, text_hash
from hubadapt.embeddings import find_initialisation
from hubadapt.errors import RecipeError, UserError
from hubadapt.manifest import hash_folder
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.surgery.embed import Embedded, Start, embed

if TYPE_CHECKING:
    from hubadapt.training.probe import ProbeTexts, Standing

AUTO = "auto"
_PROBE_SHARE = 0.05
_PROBE_TEXTS = 48
_PROBE_CHARACTERS = 320


class Config(StageConfig):
    """Parameters of the embed stage."""

    method: str = Field(
        "length(by=0.9)",
        description="Initialisation of the input table, and of a tied head: see `hubadapt embed --methods`; auto: the "
        "best of `candidates` after a short training",
    )
    head_method: str | None = Field(
        None, description="Initialisation of an untied head; the same as `method` by default"
    )
    donor: Path | None = Field(None, description="Folder of a donor model, relative to the recipe")
    seed: int = Field(0, ge=0, description="Where randomness starts")
    candidates: tuple[str, ...] = Field(
        ("length(by=0.9)", "scaled", "mean", "asymmetric"),
        min_length=1,
        description="For auto: what to compare; of those that cannot be told apart the first is taken",
    )
    probe_steps: int = Field(50, gt=0, description="For auto: steps of the short training")

    @property
    def methods(self) -> tuple[str, ...]:
        """Every initialisation that may be used."""
        inputs = self.candidates if self.method == AUTO else (self.method,)
        return tuple(dict.fromkeys((*inputs, *([self.head_method] if self.head_method else []))))


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether the initialisations exist, and have what they need."""
    for text in config.methods:
        try:
            method = find_initialisation(text)
        except UserError as error:
            yield error
            continue
        if "donor" in method.needs and config.donor is None:
            yield RecipeError(
                f"stage embed: the initialisation {method.name} needs a donor.", "Add `donor: FOLDER` to the stage."
            )
    if config.method == AUTO and not any(source.language == "en" for source in _sources(outlook)):
        yield RecipeError(
            "stage embed: `method: auto` measures what English loses, but the corpus holds no English text.",
            "Add a source with `language: en` to `corpus.sources`, or name one method.",
        )
    if config.donor is not None:
        try:
            load_config(outlook.recipe_folder / config.donor)
        except UserError as error:
            yield error


def _sources(outlook: Outlook) -> tuple[Any, ...]:
    return tuple(getattr(outlook.configs.get("corpus"), "sources", ()))


def inputs(config: Config, folder: Path) -> Mapping[str, str]:
    """Hash of the donor."""
    return {} if config.donor is None else {"donor": hash_folder(folder / config.donor)}


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Reading and writing the weights once, a few thousand rows in memory at a time; for auto, short trainings."""
    writing = 3 + outlook.model_bytes / 300e6
    if config.method != AUTO:
        return Cost(seconds=writing, memory=1_000_000_000, disk=outlook.model_bytes)
    tokens = 3 * config.probe_steps * 4 * 128 + 4 * _PROBE_TEXTS * 128
    trial = writing + 2 * outlook.parameters * tokens / outlook.flops
    return Cost(
        seconds=writing + len(config.candidates) * trial, memory=6 * outlook.parameters * 4, disk=outlook.model_bytes
    )


@stage("embed", Config, needs=("tokenizer",), siblings=False, check=check, inputs=inputs, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Make the rows of new tokens, input table and head each on its own, tied tables tied."""
    base, tokenizer, folder = context.sources["base"], context.latest_folder("tokenizer"), context.folder / "model"
    start = Start(
        method=config.method,
        head_method=config.head_method,
        donor=None if config.donor is None else context.recipe_folder / config.donor,
        texts=_texts(context, config),
        seed=config.seed,
    )
    standings = _probed(context, config, start) if config.method == AUTO else ()
    best = standings[0].start if standings else start
    tables = embed(base, tokenizer, folder, best, progress=context.progress)
    return StageResult(
        made=(Made("embed", "model", folder, "base"),),
        facts={
            "tied": find_tables(load_config(base)).head is None,
            "tables": {name: _facts(table) for name, table in tables.items()},
            "probe": [_standing(standing) for standing in standings],
        },
    )


def _texts(context: StageContext, config: Config) -> list[str]:
    if not any("texts" in find_initialisation(method).needs for method in config.methods):
        return []
    return [*read_split(context.latest_folder("dataset"), "train", context.manifest.language)]


def _probed(context: StageContext, config: Config, start: Start) -> tuple[Standing, ...]:
    from hubadapt.training.probe import ProbeSettings, probe

    texts = _probe_texts(context)
    starts = [replace(start, method=method, texts=texts.train if start.texts else ()) for method in config.candidates]
    settings = ProbeSettings(steps=config.probe_steps, seed=config.seed)
    context.folder.mkdir(parents=True, exist_ok=True)
    tokenizer = context.latest_folder("tokenizer")
    return probe(
        context.sources["base"], tokenizer, starts, texts, context.folder, settings=settings, progress=context.progress
    )


def _probe_texts(context: StageContext) -> ProbeTexts:
    """A part of the training text is measured on, so that the choice sees nothing that the run is judged by later."""
    from hubadapt.training.probe import ProbeTexts

    dataset = context.latest_folder("dataset")
    train = read_split(dataset, "train", context.manifest.language)
    measured = [text for text in train if held_out_by(text_hash(text), _PROBE_SHARE)] or train[-1:]
    kept = {*measured}
    return ProbeTexts(
        [text for text in train if text not in kept],
        [first_passage(text, _PROBE_CHARACTERS) for text in pick_evenly(measured, _PROBE_TEXTS)],
        [
            first_passage(text, _PROBE_CHARACTERS)
            for text in pick_evenly(read_split(dataset, "test", "en"), _PROBE_TEXTS)
        ],
    )


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "method": standing.name,
        "n": standing.after.target.n,
        "before": standing.before.target.value,
        "after": standing.after.target.value,
        "behind": standing.behind.value,
        "behind_stderr": standing.behind.stderr,
        "english_loss": standing.english_loss.value,
        "keeps_english": standing.keeps_english,
    }


def _facts(table: Embedded) -> dict[str, str | float]:
    facts: dict[str, str | float] = {"method": table.method, "old_norm": table.old_norm}
    if len(table.norms):
        facts |= {"mean_norm": float(table.mean_norms.mean()), "new_norm": float(table.norms.mean())}
    return facts
