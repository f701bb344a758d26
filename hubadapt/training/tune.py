"""Instruction tuning by TRL's `SFTTrainer`, on ids whose labels are made already; resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hubadapt.errors import ModelError
from hubadapt.training.loop import Advance, finish


@dataclass(frozen=True)
class Tuning:
    """How a model is tuned.

    Attributes:
        steps: Optimizer steps.
        batch_size: Conversations in a step.
        learning_rate: Peak rate.
        weight_decay: AdamW's weight decay.
        warmup_steps: Steps of linear warm-up.
        save_every: Steps between checkpoints.
        seed: Order of the conversations, and the start of an adapter.
        rank: Of LoRA on attention and MLP, merged in afterwards; None to train all weights.
        alpha: LoRA's scale, times its rank.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    save_every: int
    seed: int
    rank: int | None
    alpha: int


def tune(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Mapping[str, list[int]]],
    tuning: Tuning,
    *,
    folder: Path,
    advance: Callable[[int], object],
) -> tuple[Any, list[dict[str, float]]]:
    """Tune a model; goes on from the newest complete checkpoint in `folder`, with equal results.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        rows: `input_ids` and `labels` of each conversation.
        tuning: How.
        folder: Where checkpoints go.
        advance: Called with the number of steps just done.

    Returns:
        The tuned model, an adapter merged in, and the mean loss a learnt token with its step.

    Raises:
        ModelError: The loss is no number any more.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    trainer = SFTTrainer(
        model=model,
        # Labels are made already; padding is never learnt and never attended to.
        args=SFTConfig(max_length=None, pad_token=padding(tokenizer), **arguments(folder, tuning)),
        train_dataset=Dataset.from_list([dict(row) for row in rows]),
        processing_class=tokenizer,
        callbacks=[Advance(advance)],
        peft_config=lora(tuning),
    )
    return finished(trainer, tuning, folder)


def arguments(folder: Path, tuning: Tuning) -> dict[str, Any]:
    """What `tuning` says in the words of `TrainingArguments`, of which every configuration of TRL is one."""
    return {
        "output_dir": str(folder),
        "max_steps": tuning.steps,
        "per_device_train_batch_size": tuning.batch_size,
        "learning_rate": tuning.learning_rate,
        "weight_decay": tuning.weight_decay,
        "warmup_steps": tuning.warmup_steps,
        "lr_scheduler_type": "cosine",
        "save_steps": tuning.save_every,
        "save_total_limit": 1,
        "logging_steps": max(tuning.steps // 50, 1),
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "seed": tuning.seed,
        "data_seed": tuning.seed,
        "report_to": "none",
        "disable_tqdm": True,
        "bf16": False,
        "activation_checkpointing": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def padding(tokenizer: Any) -> str:
    """The token that batches are filled up with.

    Raises:
        ModelError: The tokenizer has neither a padding token nor an end of text.
    """
    token = tokenizer.pad_token or tokenizer.eos_token
    if token is None:
        raise ModelError(
            "the tokenizer has neither a padding token nor an EOS token.",
            'Name one in tokenizer_config.json: "eos_token".',
        )
    return str(token)


def lora(tuning: Tuning) -> Any:
    """The adapter that is trained; None where all weights are."""
    from peft import LoraConfig

    if tuning.rank is None:
        return None
    return LoraConfig(r=tuning.rank, lora_alpha=tuning.alpha, target_modules="all-linear", task_type="CAUSAL_LM")


def finished(trainer: Any, tuning: Tuning, folder: Path) -> tuple[Any, list[dict[str, float]]]:
    """Train, from the newest complete checkpoint in `folder` on.

    Returns:
        The model, an adapter merged in, and the mean loss with its step.

    Raises:
        ModelError: The loss is no number any more.
    """
    losses = finish(trainer, folder)
    tuned = trainer.model if tuning.rank is None else trainer.model.merge_and_unload()
    return tuned.cpu(), losses
