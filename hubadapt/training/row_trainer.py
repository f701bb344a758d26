"""Trains new rows: each row's own part and the maps that all share, each with its own rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hubadapt.training.loop import Schedule, train
from hubadapt.training.rows import RowTraining


@dataclass(frozen=True)
class RowSchedule(Schedule):
    """How rows are trained.

    Attributes:
        learning_rate: Peak rate of each row's own part.
        map_learning_rate: Peak rate of the maps that all new rows share.
        own_epsilon: AdamW's ε for the own parts: gradients well below it, as rare tokens get, move a row in proportion.
        beta2: AdamW's second-moment decay.
    """

    learning_rate: float
    map_learning_rate: float
    own_epsilon: float
    beta2: float


def train_rows(
    learner: RowTraining,
    blocks: np.ndarray,
    schedule: RowSchedule,
    *,
    first_new: int,
    folder: Path,
    advance: Callable[[int], object],
) -> list[dict[str, float]]:
    """Train rows; arguments, result and errors are those of `hubadapt.training.loop.train`."""
    return train(
        learner, blocks, _optimizer(learner, schedule), schedule, first_new=first_new, folder=folder, advance=advance
    )


def _optimizer(learner: RowTraining, schedule: RowSchedule) -> torch.optim.Optimizer:
    own = [parameter for name, parameter in learner.named_parameters() if name.endswith(".own")]
    maps = [parameter for name, parameter in learner.named_parameters() if name.endswith(".maps")]
    groups = [
        {"params": own, "lr": schedule.learning_rate, "eps": schedule.own_epsilon},
        {"params": maps, "lr": schedule.map_learning_rate},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, schedule.beta2), weight_decay=0.0)
