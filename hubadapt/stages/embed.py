"""Stage `embed`: gives the new tokens their first rows, made of old ones or learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field

from hubadapt.checkpoint import find_tables, load_config
from hubadapt.corpus.dataset import read_split
from hubadapt.embeddings import find_initialisation
from hubadapt.errors import RecipeError, UserError
from hubadapt.manifest import hash_folder
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.surgery.embed import Embedded, Start, embed


class Config(StageConfig):
    """Parameters of the embed stage."""

    method: str = Field(
        "scaled",
        description="Initialisation of the input table, and of the head where it is tied; see `hubadapt embed`",
    )
    head_method: str | None = Field(
        None, description="Initialisation of an untied head; the same as `method` by default"
    )
    donor: Path | None = Field(None, description="Folder of a donor model, relative to the recipe")
    seed: int = Field(0, ge=0, description="Where randomness starts")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether the initialisations exist, and have what they need."""
    for text in dict.fromkeys((config.method, config.head_method or config.method)):
        try:
            method = find_initialisation(text)
        except UserError as error:
            yield error
            continue
        if "donor" in method.needs and config.donor is None:
            yield RecipeError(
                f"stage embed: the initialisation {method.name} needs a donor.", "Add `donor: FOLDER` to the stage."
            )
        if "texts" in method.needs and "corpus" not in outlook.configs:
            yield RecipeError(
                f"stage embed: the initialisation {method.name} needs text.", "Put a stage corpus before it."
            )
    if config.donor is not None:
        try:
            load_config(outlook.recipe_folder / config.donor)
        except UserError as error:
            yield error


def inputs(config: Config, folder: Path) -> Mapping[str, str]:
    """Hash of the donor."""
    return {} if config.donor is None else {"donor": hash_folder(folder / config.donor)}


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Reading and writing the weights once; a few thousand rows are in memory at a time."""
    return Cost(seconds=3 + outlook.model_bytes / 300e6, memory=1_000_000_000, disk=outlook.model_bytes)


@stage("embed", Config, needs=("tokenizer",), siblings=False, check=check, inputs=inputs, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Make the rows of new tokens, input table and head each on its own, tied tables tied."""
    base, folder = context.sources["base"], context.folder / "model"
    start = Start(
        method=config.method,
        head_method=config.head_method,
        donor=None if config.donor is None else context.recipe_folder / config.donor,
        texts=_texts(context, config),
        seed=config.seed,
    )
    tables = embed(base, context.latest_folder("tokenizer"), folder, start, progress=context.progress)
    return StageResult(
        made=(Made("embed", "model", folder, "base"),),
        facts={
            "tied": find_tables(load_config(base)).head is None,
            "tables": {name: _facts(table) for name, table in tables.items()},
        },
    )


def _texts(context: StageContext, config: Config) -> list[str]:
    methods = (config.method, config.head_method or config.method)
    if not any("texts" in find_initialisation(method).needs for method in methods):
        return []
    return [*read_split(context.latest_folder("dataset"), "train", context.manifest.language)]


def _facts(table: Embedded) -> dict[str, str | float]:
    facts: dict[str, str | float] = {"method": table.method, "old_norm": table.old_norm}
    if len(table.norms):
        facts |= {"mean_norm": float(table.mean_norms.mean()), "new_norm": float(table.norms.mean())}
    return facts
