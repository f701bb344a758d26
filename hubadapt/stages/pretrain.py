"""Stage `pretrain`: learns the new rows on target-language text, everything else frozen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from hubadapt.checkpoint import find_tables, load_config, read_tensor, write_with_tables
from hubadapt.corpus.dataset import read_split
from hubadapt.model import copy_tokenizer, load_model, load_tokenizer
from hubadapt.portable import make_portable
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap


class Config(StageConfig):
    """Parameters of the pretrain stage."""

    steps: int = Field(100, gt=0, description="Optimizer steps")
    batch_size: int = Field(4, gt=0, description="Blocks in a step")
    block_size: int = Field(256, gt=1, description="Tokens in a block")
    learning_rate: float = Field(5e-3, gt=0, description="Peak learning rate of the new rows")
    final_share: float = Field(0.1, ge=0, le=1, description="Share of the peak at which the cosine schedule ends")
    warmup_steps: int = Field(5, ge=0, description="Steps of linear warm-up")
    beta2: float = Field(0.99, gt=0, lt=1, description="AdamW's second-moment decay")
    seed: int = Field(0, ge=0, description="Decides the order of documents")
    save_every: int = Field(10, gt=0, description="Steps between checkpoints that an interrupted run resumes from")


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Forward and backward through the frozen body: 4 operations a parameter and token, 2 more for the head."""
    tokens = config.steps * config.batch_size * config.block_size
    operations = tokens * (4 * outlook.parameters + 2 * outlook.table_rows * outlook.hidden_size)
    logits = config.batch_size * config.block_size * outlook.table_rows * 4
    return Cost(
        seconds=15 + operations / (0.55 * outlook.flops),
        memory=3 * outlook.model_bytes + 6 * logits,
        disk=outlook.model_bytes,
    )


@stage("pretrain", Config, needs=("embed",), estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Train the new rows alone on the corpus, through transformers' Trainer."""
    source = context.latest_folder("model")
    pieces = VocabMap.load(context.latest_folder("tokenizer") / VOCAB_MAP_NAME)
    first_new = int(pieces.rows_of(Origin.COPIED).max()) + 1
    texts = read_split(context.latest_folder("dataset"), "train", context.manifest.language)
    learner, facts = _train(source, texts, first_new, pieces.new_size - first_new, context, config)
    folder = context.folder / "model"
    _write(source, folder, learner, first_new)
    shutil.rmtree(context.folder / "checkpoints", ignore_errors=True)
    return StageResult(made=(Made("pretrain", "model", folder, "base"),), facts=facts)


def _train(
    source: Path, texts: list[str], first_new: int, n_new: int, context: StageContext, config: Config
) -> tuple[Any, dict[str, Any]]:
    from transformers import Trainer
    from transformers.trainer_callback import PrinterCallback, ProgressCallback
    from transformers.trainer_utils import get_last_checkpoint, set_seed

    from hubadapt.evaluation.bits_per_byte import document_token
    from hubadapt.training.guards import VocabularyAdaptationCallback
    from hubadapt.training.packing import pack
    from hubadapt.training.rows import RowTraining

    set_seed(config.seed)
    tokenizer = load_tokenizer(source)
    with context.progress("packing", config.steps * config.batch_size) as advance:
        blocks = pack(
            texts,
            tokenizer,
            first=document_token(tokenizer),
            block_size=config.block_size,
            blocks=config.steps * config.batch_size,
            seed=config.seed,
            advance=advance,
        )
    data = [{"input_ids": block, "labels": block} for block in blocks]
    learner = RowTraining(load_model(source), n_new)
    checkpoints = context.folder / "checkpoints"
    with context.progress("training new rows", config.steps) as advance:
        trainer = Trainer(
            model=learner,
            args=_arguments(checkpoints, config),
            train_dataset=data,
            data_collator=_collate,
            callbacks=[VocabularyAdaptationCallback(first_new, data), _advancing(advance)],
        )
        for callback in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(callback)
        last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
        trainer.train(resume_from_checkpoint=last)
    losses = [{"step": entry["step"], "loss": entry["loss"]} for entry in trainer.state.log_history if "loss" in entry]
    new_share = float((blocks >= first_new).mean())
    return learner, {
        "tokens": int(blocks.size),
        "share_of_new_tokens": new_share,
        "trained_parameters": sum(rows.numel() for rows in learner.trained_rows().values()),
        "losses": losses,
    }


def _arguments(folder: Path, config: Config) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": config.final_share},
        warmup_steps=config.warmup_steps,
        weight_decay=0.0,
        adam_beta2=config.beta2,
        max_grad_norm=1.0,
        seed=config.seed,
        data_seed=config.seed,
        save_steps=config.save_every,
        save_total_limit=1,
        logging_steps=max(config.steps // 50, 1),
        logging_first_step=True,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",
    )


def _collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np
    import torch

    ids = torch.from_numpy(np.stack([row["input_ids"] for row in rows]))
    return {"input_ids": ids, "labels": ids}


def _advancing(advance: Callable[[int], object]) -> Any:
    from transformers import TrainerCallback

    class Advance(TrainerCallback):  # type: ignore[misc]
        shown = 0

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            advance(state.global_step - self.shown)
            self.shown = state.global_step

    return Advance()


def _write(source: Path, folder: Path, learner: Any, first_new: int) -> None:
    tables = find_tables(load_config(source))
    trained = learner.trained_rows()
    new_tables = {}
    for name, rows in zip(tables.names, (trained["rows"], trained.get("head_rows")), strict=False):
        table = read_tensor(source, name)
        table[first_new:] = rows.to(table.dtype)
        new_tables[name] = table
    write_with_tables(source, folder, new_tables, config_changes={})
    copy_tokenizer(source, folder)
    make_portable(folder)
