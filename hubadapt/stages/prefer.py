"""Stage `prefer`: preference tuning on pairs of answers, by DPO, KTO or SimPO."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hubadapt.corpus.file_source import FileSource, read_sources, source_problems
from hubadapt.corpus.files import file_hashes
from hubadapt.corpus.preferences import Preference, read_preferences, without_length_bias
from hubadapt.corpus.tally import tally
from hubadapt.errors import CorpusError, ModelError, UserError
from hubadapt.model import load_model, load_tokenizer, save_trained
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.training.loss_curve import draw_losses


class Config(StageConfig):
    """Parameters of the prefer stage."""

    sources: tuple[FileSource, ...] = Field(min_length=1, description="Each with `path` and perhaps `license`")
    model: str = Field("base", description="Whose newest form is tuned: base, or a sibling's name")
    method: Literal["dpo", "kto", "simpo"] = Field(
        "dpo", description="Which loss: DPO, KTO (pairs taken apart) or SimPO"
    )
    beta: float = Field(0.1, gt=0, description="Strength of the preference; SimPO wants some 2.5, KTO 0.15")
    steps: int = Field(100, gt=0, description="Optimizer steps")
    batch_size: int = Field(4, gt=0, description="Pairs, or for KTO answers, in a step")
    max_length: int = Field(1024, gt=1, description="Tokens of prompt and answer at the most; the rest is cut off")
    learning_rate: float = Field(1e-5, gt=0, description="Peak learning rate")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay")
    warmup_steps: int = Field(4, ge=0, description="Steps of linear warm-up")
    rank: int | None = Field(
        64, gt=0, description="Rank of LoRA on attention and MLP, merged in at the end; null trains all weights"
    )
    alpha: int = Field(16, gt=0, description="LoRA's scale times its rank")
    longest_ratio: float = Field(
        1.5, gt=1, description="Pairs whose chosen answer is more than so many times as long mostly stay out"
    )
    keep_longer: float = Field(0.3, ge=0, le=1, description="Share of those that stay in")
    seed: int = Field(0, ge=0, description="Decides the order of pairs, which long ones stay, and where LoRA begins")
    save_every: int = Field(50, gt=0, description="Steps between checkpoints that an interrupted run resumes from")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Every problem of the pairs, and whether there is such a model; licences are noted."""
    yield from outlook.unknown_model("prefer", config.model)
    yield from source_problems(config.sources, outlook.recipe_folder, read_preferences, outlook.texts)


def inputs(config: Config, folder: Path) -> Mapping[str, str]:
    """Hash of each file."""
    return file_hashes([source.path for source in config.sources], folder)


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Both answers through the model and its reference, and back: 16 operations a parameter and token."""
    tokens = config.steps * config.batch_size * config.max_length // 2
    copies = 5 if config.rank is None else 2
    return Cost(
        seconds=20 + 16 * tokens * outlook.parameters / (0.6 * outlook.flops),
        memory=copies * 4 * outlook.parameters + 2 * config.batch_size * config.max_length * 2_000_000,
        disk=outlook.model_bytes,
    )


@stage("prefer", Config, needs=("embed",), check=check, inputs=inputs, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Tune a model to preferences through TRL: DPO, KTO or SimPO."""
    from hubadapt.training.prefer import Preferring, prefer

    source = context.latest_folder("model", of=config.model)
    model, tokenizer = load_model(source), load_tokenizer(source)
    if not tokenizer.chat_template:
        raise ModelError(
            f"the model {config.model} has no chat template to write answers by.",
            "Name a sibling that has one under `model:`, or give the base one: tokenizer.chat_template = ...",
        )
    pairs, facts = _pairs(context, config)
    shared = {name: getattr(config, name) for name in Preferring.__dataclass_fields__}
    with context.progress("tuning to preferences", config.steps) as advance:
        checkpoints = context.folder / "checkpoints"
        model, losses = prefer(model, tokenizer, pairs, Preferring(**shared), folder=checkpoints, advance=advance)
    folder, log = context.folder / "model", context.folder / "training"
    save_trained(model, source, folder)
    shutil.rmtree(context.folder / "checkpoints", ignore_errors=True)
    draw_losses(losses, log / "loss.png")
    name = "prefer" if config.model == "base" else f"prefer-{config.model}"
    made = (Made(name, "model", folder, config.model), Made("preferred", "report", log, config.model))
    return StageResult(made=made, facts=facts | {"losses": losses})


def _pairs(context: StageContext, config: Config) -> tuple[list[Preference], dict[str, Any]]:
    """The pairs that are learnt from, in random order, and what is told of them."""
    found = list(read_sources(config.sources, context.recipe_folder, read_preferences, context.progress))
    kept = without_length_bias(found, config.longest_ratio, config.keep_longer, config.seed)
    if not kept:
        raise CorpusError(
            f"of all {len(found)} pairs the chosen answer is more than {config.longest_ratio} times as long.",
            "Raise `longest_ratio` or `keep_longer` of the stage prefer.",
        )
    random.Random(config.seed).shuffle(kept)
    table = tally((pair.source, pair.license, _characters(pair)) for pair in kept)
    return kept, {"sources": table, "pairs": len(kept), "left_out": len(found) - len(kept)}


def _characters(pair: Preference) -> int:
    return sum(map(len, (pair.chosen, pair.rejected, *(message["content"] for message in pair.prompt))))
