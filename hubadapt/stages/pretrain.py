"""Stage `pretrain`: learns the new rows on target-language text, everything else frozen."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import Field

from hubadapt.checkpoint import NewTensor, find_tables, load_config, read_tensor, write_with_tables
from hubadapt.corpus.dataset import read_split
from hubadapt.model import copy_tokenizer, load_model, load_tokenizer
from hubadapt.portable import make_portable
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.training.loss_curve import draw_losses
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap


class Config(StageConfig):
    """Parameters of the pretrain stage."""

    steps: int = Field(200, gt=0, description="Optimizer steps")
    batch_size: int = Field(4, gt=0, description="Blocks in a step")
    block_size: int = Field(128, gt=1, description="Tokens in a block")
    learning_rate: float = Field(1e-2, gt=0, description="Peak learning rate of each new row's own part")
    map_learning_rate: float = Field(
        1.5e-4, ge=0, description="Peak rate of the maps shared by all new rows; 0 leaves them out"
    )
    own_epsilon: float = Field(1e-3, gt=0, description="AdamW's epsilon for the own parts")
    final_share: float = Field(0.05, ge=0, le=1, description="Share of the peak at which the cosine schedule ends")
    warmup_steps: int = Field(8, ge=0, description="Steps of linear warm-up")
    beta2: float = Field(0.999, gt=0, lt=1, description="AdamW's second-moment decay")
    min_new_share: float = Field(0.0, ge=0, lt=1, description="Blocks with a smaller share of new tokens are left out")
    seed: int = Field(0, ge=0, description="Decides the order of documents")
    save_every: int = Field(20, gt=0, description="Steps between checkpoints that an interrupted run resumes from")


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Forward and backward through the frozen body: 4 operations a parameter and token; the softmax is a small part."""
    tokens = config.steps * config.batch_size * config.block_size
    body = outlook.parameters - outlook.table_rows * outlook.hidden_size
    return Cost(
        seconds=15 + 4 * tokens * body / (0.6 * outlook.flops),
        memory=2 * outlook.model_bytes + config.batch_size * config.block_size * 2_000_000,
        disk=outlook.model_bytes,
    )


@stage("pretrain", Config, needs=("embed",), siblings=False, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Train the new rows alone on the corpus, through transformers' Trainer."""
    source = context.latest_folder("model")
    pieces = VocabMap.load(context.latest_folder("tokenizer") / VOCAB_MAP_NAME)
    texts = read_split(context.latest_folder("dataset"), "train", context.manifest.language)
    first_new = int(pieces.rows_of(Origin.COPIED).max()) + 1
    learner, facts = _train(source, texts, pieces, first_new, context, config)
    folder = context.folder / "model"
    _write(source, folder, learner, first_new)
    shutil.rmtree(context.folder / "checkpoints", ignore_errors=True)
    log = context.folder / "training"
    draw_losses(facts["losses"], log / "loss.png")
    made = (Made("pretrain", "model", folder, "base"), Made("training", "report", log, "base"))
    return StageResult(made=made, facts=facts)


def _train(
    source: Path, texts: list[str], pieces: VocabMap, first_new: int, context: StageContext, config: Config
) -> tuple[Any, dict[str, Any]]:
    from hubadapt.evaluation.bits_per_byte import document_token
    from hubadapt.training.packing import pack
    from hubadapt.training.row_trainer import RowSchedule, train_rows
    from hubadapt.training.rows import RowTraining

    schedule = RowSchedule(**config.model_dump(exclude={"block_size", "min_new_share"}))
    tokenizer = load_tokenizer(source)
    shape = (config.steps * config.batch_size, config.block_size)

    def worth(block: list[int]) -> bool:
        return sum(index >= first_new for index in block) >= config.min_new_share * len(block)

    with context.progress("packing", shape[0]) as advance:
        first = document_token(tokenizer)
        blocks = pack(texts, tokenizer, first=first, shape=shape, seed=config.seed, worth=worth, advance=advance)
    learner = RowTraining(load_model(source), pieces, first_new, blocks[blocks < first_new])
    with context.progress("training new rows", config.steps) as advance:
        folder = context.folder / "checkpoints"
        losses = train_rows(learner, blocks, schedule, first_new=first_new, folder=folder, advance=advance)
    return learner, {
        "tokens": int(blocks.size),
        "share_of_new_tokens": float((blocks >= first_new).mean()),
        "trained_parameters": sum(value.numel() for value in learner.state_dict().values()),
        "losses": losses,
    }


def _write(source: Path, folder: Path, learner: Any, first_new: int) -> None:
    names = find_tables(load_config(source)).names
    tables = {name: read_tensor(source, name) for name in names}
    for table, rows in zip(tables.values(), learner.trained_rows(), strict=True):
        table[first_new:] = rows.to(table.dtype)
    made = {name: NewTensor.of(table) for name, table in tables.items()}
    write_with_tables(source, folder, made, config_changes={})
    copy_tokenizer(source, folder)
    make_portable(folder)
