"""Stage `propagate`: carries the learnt vocabulary into siblings of the base by LEP, without any instruction data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from hubadapt.errors import ModelError, RecipeError, UserError
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.surgery.kinship import require_akin, require_architecture, require_same_ids
from hubadapt.surgery.propagate import Lep, propagate
from hubadapt.vocab_map import VOCAB_MAP_NAME


class Config(StageConfig):
    """Parameters of the propagate stage."""

    form: Literal["swap", "overlap", "conversion", "ridge", "delta", "auto"] = Field(
        "conversion",
        description="What new rows are: those of the adapted base (swap), those through a map (overlap, conversion, "
        "ridge), moved as their pieces were (delta), or the best of all but delta on rows held out (auto)",
    )
    ridge: float = Field(0.0, ge=0, description="Pull of a fitted map towards the identity: 0 is none, large is swap")
    body_scale: float = Field(
        1.0, ge=0, description="Where the adapted base is a LoRA adapter: factor on its change to the body"
    )


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether there is a sibling to carry the vocabulary into, and each is a tune of the base."""
    try:
        _ = _lep(config).transfer
    except UserError as error:
        yield RecipeError(f"stage propagate: {error.problem}", error.hint)
    if outlook.siblings == 0:
        yield RecipeError(
            "the stage propagate has nowhere to carry the vocabulary: the recipe names no sibling.",
            "Add `siblings: {instruct: MODEL}` to the recipe, or remove the stage.",
        )
    for name, folder in outlook.folders.items():
        if name != "base" and "base" in outlook.folders:
            try:
                _check_sibling(outlook.folders["base"], folder)
            except ModelError as error:
                yield error


def _check_sibling(base: Path, sibling: Path) -> None:
    tables = require_architecture(base, sibling, "sibling")
    require_same_ids(base, sibling)
    # Of models that are named by a Hub id only configuration and tokenizer are there yet.
    if all(any(folder.glob("*.safetensors")) for folder in (base, sibling)):
        require_akin(base, sibling, tables)


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Sums over all rows once and for each sibling, in float64, which is half as fast; one model written for each."""
    square = outlook.hidden_size**2
    pass_over_table = 4 * outlook.table_rows * square / outlook.flops
    return Cost(
        seconds=2 * (1 + 2 * outlook.siblings) * pass_over_table + outlook.siblings * (3 + outlook.model_bytes / 300e6),
        memory=min(8 * square * (4 + 3 * outlook.siblings), 8 * square * 7 + 3 * 2**29) + 700_000_000,
        disk=outlook.siblings * outlook.model_bytes,
    )


@stage("propagate", Config, needs=("embed",), check=check, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Carry the adapted base's rows into every sibling by LEP: each keeps its body and its own tokens."""
    siblings = {name: folder for name, folder in context.sources.items() if name != "base"}
    lep = _lep(config, vocab_map=context.latest_folder("tokenizer") / VOCAB_MAP_NAME)
    adapted = context.latest_folder("model")
    done = propagate(context.sources["base"], adapted, siblings, context.folder, lep, progress=context.progress)
    return StageResult(
        made=tuple(Made(f"propagate-{name}", "model", context.folder / name, name) for name in done),
        facts={name: found.facts() for name, found in done.items()},
    )


def _lep(config: Config, vocab_map: Path | None = None) -> Lep:
    return Lep(form=config.form, ridge=config.ridge, body_scale=config.body_scale, vocab_map=vocab_map)
