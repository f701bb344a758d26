"""Stage `continue`: continued pre-training of all weights, with English replayed and the model held to its source."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from hubadapt.corpus.dataset import read_split
from hubadapt.errors import RecipeError, UserError
from hubadapt.model import load_model, load_tokenizer, save_trained
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.training.loss_curve import draw_losses
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap


class Config(StageConfig):
    """Parameters of the continue stage."""

    steps: int = Field(200, gt=0, description="Optimizer steps")
    batch_size: int = Field(4, gt=0, description="Blocks in a step")
    block_size: int = Field(128, gt=1, description="Tokens in a block")
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay")
    final_share: float = Field(0.1, ge=0, le=1, description="Share of the peak at which the cosine schedule ends")
    warmup_steps: int = Field(8, ge=0, description="Steps of linear warm-up")
    replay: float = Field(0.25, ge=0, lt=1, description="Share of the blocks that are English")
    anchor: Literal["none", "l2", "kl"] = Field(
        "none",
        description="What holds the model: squared distance from where it began (l2), or what the source model says of "
        "replayed English (kl, which loads that too)",
    )
    anchor_weight: float = Field(1.0, gt=0, description="Factor on the anchor's term of the loss")
    mix_back: float = Field(
        0.0, ge=0, lt=1, description="Share of the way back that weights but the new rows go after training"
    )
    seed: int = Field(0, ge=0, description="Decides the order of documents")
    save_every: int = Field(20, gt=0, description="Steps between checkpoints that an interrupted run resumes from")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether there is English to replay, and to hold the model by."""
    corpus = outlook.configs.get("corpus")
    english = any(source.language == "en" for source in getattr(corpus, "sources", ()))
    if config.replay and not (english and "en" in (outlook.language, *getattr(corpus, "also_split", ()))):
        yield RecipeError(
            f"stage continue: a share of {config.replay} of what is read shall be English, but the corpus keeps none "
            "to train on.",
            "Add a source with `language: en` and `also_split: [en]` to the stage corpus, or set `replay: 0`.",
        )
    if config.anchor == "kl" and not config.replay:
        yield RecipeError(
            "stage continue: `anchor: kl` compares with the source model on replayed English, of which there is none.",
            "Set `replay: 0.25`, or `anchor: l2`.",
        )


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Forward and backward, 6 operations a parameter and token; weights, gradients and two moments in float32."""
    tokens = config.steps * config.batch_size * config.block_size
    copies = 4 + (config.anchor != "none") + (config.mix_back > 0)
    return Cost(
        seconds=15 + 6 * tokens * outlook.parameters / (0.6 * outlook.flops),
        memory=copies * 4 * outlook.parameters + config.batch_size * config.block_size * 2_000_000,
        disk=outlook.model_bytes,
    )


@stage("continue", Config, needs=("embed",), siblings=False, check=check, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Train all weights on the corpus with English replayed, through transformers' Trainer."""
    source = context.latest_folder("model")
    pieces = VocabMap.load(context.latest_folder("tokenizer") / VOCAB_MAP_NAME)
    if config.anchor != "none" and pieces.moved_ids() is not None:
        raise RecipeError(
            "stage continue: an anchor needs the old ids, which the stage tokenizer moved.", "Set `anchor: none`."
        )
    first_new = int(pieces.rows_of(Origin.COPIED).max()) + 1
    model, facts = _train(source, first_new, context, config)
    folder, log = context.folder / "model", context.folder / "training"
    save_trained(model, source, folder)
    shutil.rmtree(context.folder / "checkpoints", ignore_errors=True)
    draw_losses(facts["losses"], log / "loss.png")
    made = (Made("continue", "model", folder, "base"), Made("continued", "report", log, "base"))
    return StageResult(made=made, facts=facts)


def _train(source: Path, first_new: int, context: StageContext, config: Config) -> tuple[Any, dict[str, Any]]:
    import torch

    from hubadapt.training.continued import Continued, distance, mix_back
    from hubadapt.training.loop import Schedule, train

    blocks = _blocks(source, context, config)
    model = load_model(source)
    learner = Continued(model, _anchor(model, first_new, context, config), config.anchor_weight)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    shared = {name: getattr(config, name) for name in Schedule.__dataclass_fields__}
    with context.progress("training all weights", config.steps) as advance:
        losses = train(
            learner, blocks, optimizer, Schedule(**shared),
            first_new=first_new, folder=context.folder / "checkpoints", advance=advance,
        )  # fmt: skip
    model, before = model.cpu(), load_model(source)
    mix_back(model, before, config.mix_back, first_new)
    return model, {
        "tokens": int(blocks.size),
        "share_of_new_tokens": float((blocks >= first_new).mean()),
        "trained_parameters": sum(value.numel() for value in learner.state_dict().values()),
        "distance": distance(model, before, first_new),
        "losses": losses,
    }


def _blocks(source: Path, context: StageContext, config: Config) -> np.ndarray:
    """Blocks of the target language with those of English spread evenly among them, shape (n, T)."""
    from hubadapt.evaluation.bits_per_byte import document_token
    from hubadapt.training.packing import pack

    dataset, tokenizer = context.latest_folder("dataset"), load_tokenizer(source)
    count = config.steps * config.batch_size
    english = np.diff(np.floor(np.arange(count + 1) * config.replay)) > 0
    blocks = np.empty((count, config.block_size), dtype=np.int64)
    with context.progress("packing", count) as advance:
        for language, chosen in ((context.manifest.language, ~english), ("en", english)):
            if chosen.any():
                texts = read_split(dataset, "train", language)
                shape = (int(chosen.sum()), config.block_size)
                first = document_token(tokenizer)
                blocks[chosen] = pack(texts, tokenizer, first=first, shape=shape, seed=config.seed, advance=advance)
    return blocks


def _anchor(model: Any, first_new: int, context: StageContext, config: Config) -> Any:
    from hubadapt.training.anchors import AgreeOnOldText, PullToStart

    if config.anchor == "none":
        return None
    return (
        PullToStart(model, first_new)
        if config.anchor == "l2"
        else AgreeOnOldText(load_model(context.sources["base"]), first_new)
    )
