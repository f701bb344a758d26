"""One loop for everything that learns: transformers' Trainer over packed blocks in their order, resumable."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from hubadapt.errors import ModelError
from hubadapt.training.guards import VocabularyAdaptationCallback
from hubadapt.training.learner import Learner


@dataclass(frozen=True)
class Schedule:
    """How long and in what steps something learns.

    Attributes:
        steps: Optimizer steps.
        batch_size: Blocks in a step.
        final_share: Share of the peak learning rate at which the cosine schedule ends.
        warmup_steps: Steps of linear warm-up.
        save_every: Steps between checkpoints.
        seed: Seed of the trainer.
    """

    steps: int
    batch_size: int
    final_share: float
    warmup_steps: int
    save_every: int
    seed: int


def train(
    learner: Learner,
    blocks: np.ndarray,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    first_new: int,
    folder: Path,
    advance: Callable[[int], object],
) -> list[dict[str, float]]:
    """Train in the order of the blocks; goes on from the newest complete checkpoint in `folder`, with equal results.

    Args:
        learner: What to train, in place.
        blocks: Packed ids, shape (steps · batch_size, T).
        optimizer: With what is to learn.
        schedule: How long.
        first_new: Id of the first new token, for the guards.
        folder: Where checkpoints go.
        advance: Called with the number of steps just done.

    Returns:
        Mean loss a token with its step, some fifty over the run.

    Raises:
        ModelError: A guard found that the run would train the wrong thing, or the loss diverged.
    """
    data = [{"input_ids": block, "labels": block} for block in blocks]
    trainer = Trainer(
        model=learner,
        args=_arguments(folder, schedule),
        train_dataset=data,
        data_collator=_collate,
        callbacks=[VocabularyAdaptationCallback(first_new, data), Advance(advance)],
        optimizers=(optimizer, None),
    )
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    return finish(trainer, folder)


def finish(trainer: Trainer, folder: Path) -> list[dict[str, float]]:
    """Train, from the newest complete checkpoint in `folder` on, and stop where the loss is no number any more.

    Returns:
        Mean loss with its step.

    Raises:
        ModelError: The loss diverged.
    """
    trainer.add_callback(_Divergence())
    trainer.train(resume_from_checkpoint=last_complete(folder))
    return [{"step": entry["step"], "loss": entry["loss"]} for entry in trainer.state.log_history if "loss" in entry]


def _arguments(folder: Path, schedule: Schedule) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.batch_size,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": schedule.final_share},
        warmup_steps=schedule.warmup_steps,
        max_grad_norm=1.0,
        seed=schedule.seed,
        data_seed=schedule.seed,
        save_steps=schedule.save_every,
        save_total_limit=1,
        logging_steps=max(schedule.steps // 50, 1),
        logging_first_step=True,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        train_sampling_strategy="sequential",
    )


def last_complete(checkpoints: Path) -> str | None:
    """The newest checkpoint in a folder to resume from; those cut off while they were written are removed."""
    complete = {}
    for folder in checkpoints.glob("checkpoint-*"):
        try:
            # The trainer writes its state last, so that a checkpoint with a readable one has everything else too.
            complete[json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]] = folder
        except (OSError, ValueError):
            shutil.rmtree(folder)
    return str(complete[max(complete)]) if complete else None


def _collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    ids = torch.from_numpy(np.stack([row["input_ids"] for row in rows]))
    return {"input_ids": ids, "labels": ids}


class Advance(TrainerCallback):  # type: ignore[misc]
    """Moves a progress bar, also over the steps that a checkpoint has done already.

    Args:
        advance: Called with the number of steps just done.
    """

    def __init__(self, advance: Callable[[int], object]) -> None:
        self.advance = advance
        self.shown = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move on."""
        self.advance(state.global_step - self.shown)
        self.shown = state.global_step


class _Divergence(TrainerCallback):  # type: ignore[misc]
    """Ends a training whose loss is no number; the mean over all steps, logged last, tells of those between logs."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Stop."""
        for name in ("loss", "train_loss"):
            loss = (logs or {}).get(name, 0.0)
            if not math.isfinite(loss):
                raise ModelError(
                    f"training diverged: the loss is {loss} at step {state.global_step}.",
                    "Lower the learning rates of the stage.",
                )
