"""Stage `finetune`: instruction tuning on conversations, of which only the answers are learnt."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from hubadapt.corpus.conversations import read_conversations
from hubadapt.corpus.file_source import FileSource, read_sources, source_problems
from hubadapt.corpus.files import file_hashes
from hubadapt.corpus.tally import tally
from hubadapt.errors import CorpusError, ModelError, UserError
from hubadapt.model import load_model, load_tokenizer, save_trained
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.training.loss_curve import draw_losses


class Config(StageConfig):
    """Parameters of the finetune stage."""

    sources: tuple[FileSource, ...] = Field(min_length=1, description="Each with `path` and perhaps `license`")
    model: str = Field("base", description="Whose newest form is tuned: base, or a sibling's name")
    steps: int = Field(200, gt=0, description="Optimizer steps")
    batch_size: int = Field(8, gt=0, description="Conversations in a step")
    max_length: int = Field(1024, gt=1, description="Tokens of a conversation at the most; longer ones are left out")
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay")
    warmup_steps: int = Field(8, ge=0, description="Steps of linear warm-up")
    rank: int | None = Field(
        32, gt=0, description="Rank of LoRA on attention and MLP, merged in at the end; null trains all weights"
    )
    alpha: int = Field(16, gt=0, description="LoRA's scale times its rank")
    seed: int = Field(0, ge=0, description="Decides the order of conversations, and where LoRA begins")
    save_every: int = Field(50, gt=0, description="Steps between checkpoints that an interrupted run resumes from")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Every problem of the conversations, and whether there is such a model; licences are noted."""
    yield from outlook.unknown_model("finetune", config.model)
    yield from source_problems(config.sources, outlook.recipe_folder, read_conversations, outlook.texts)


def inputs(config: Config, folder: Path) -> Mapping[str, str]:
    """Hash of each file."""
    return file_hashes([source.path for source in config.sources], folder)


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Forward and backward, 6 operations a parameter and token of conversations half as long as they may be."""
    tokens = config.steps * config.batch_size * config.max_length // 2
    copies = 4 if config.rank is None else 2
    return Cost(
        seconds=20 + 6 * tokens * outlook.parameters / (0.6 * outlook.flops),
        memory=copies * 4 * outlook.parameters + config.batch_size * config.max_length * 2_000_000,
        disk=outlook.model_bytes,
    )


@stage("finetune", Config, needs=("embed",), check=check, inputs=inputs, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Tune a model on conversations through TRL's SFTTrainer: on the answers alone, each up to its end."""
    from hubadapt.training.tune import Tuning, tune

    source = context.latest_folder("model", of=config.model)
    model, tokenizer = load_model(source), load_tokenizer(source)
    rows, facts = _rows(model, tokenizer, context, config)
    shared = {name: getattr(config, name) for name in Tuning.__dataclass_fields__}
    with context.progress("tuning", config.steps) as advance:
        checkpoints = context.folder / "checkpoints"
        model, losses = tune(model, tokenizer, rows, Tuning(**shared), folder=checkpoints, advance=advance)
    folder, log = context.folder / "model", context.folder / "training"
    save_trained(model, source, folder)
    shutil.rmtree(context.folder / "checkpoints", ignore_errors=True)
    draw_losses(losses, log / "loss.png")
    name = "finetune" if config.model == "base" else f"finetune-{config.model}"
    made = (Made(name, "model", folder, config.model), Made("finetuned", "report", log, config.model))
    return StageResult(made=made, facts=facts | {"losses": losses})


def _rows(
    model: Any, tokenizer: Any, context: StageContext, config: Config
) -> tuple[list[dict[str, list[int]]], dict[str, Any]]:
    """Ids and labels of the conversations that are not too long, in random order, and what is told of them."""
    from hubadapt.training.answers import answer_labels, stop_ids

    if not tokenizer.chat_template:
        raise ModelError(
            f"the model {config.model} has no chat template to write conversations by.",
            "Name a sibling that has one under `model:`, or give the base one: tokenizer.chat_template = ...",
        )
    stops, rows, read, too_long = stop_ids(model, tokenizer), [], [], 0
    for conversation in read_sources(config.sources, context.recipe_folder, read_conversations, context.progress):
        ids, labels = answer_labels(conversation.messages, tokenizer, stops)
        if len(ids) > config.max_length:
            too_long += 1
            continue
        rows.append({"input_ids": ids, "labels": labels})
        characters = sum(len(message["content"]) for message in conversation.messages)
        read.append((conversation.source, conversation.license, characters))
    if not rows:
        raise CorpusError(
            f"all {too_long} conversations are longer than {config.max_length} tokens.",
            "Raise `max_length` of the stage finetune.",
        )
    random.Random(config.seed).shuffle(rows)
    return rows, {
        "sources": tally(read),
        "conversations": len(rows),
        "too_long": too_long,
        "tokens": sum(len(row["input_ids"]) for row in rows),
        "learnt_tokens": sum(label >= 0 for row in rows for label in row["labels"]),
    }
