"""Stops a training run that would silently train the wrong thing.

A vocabulary must be adapted before a trainer is built: a callback that resizes tables leaves an untied head out of the
optimizer, and TRL has tokenized the data with the old vocabulary by then. The callback here only checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hubadapt.errors import ModelError

_SAMPLE = 2000


class VocabularyAdaptationCallback(TrainerCallback):  # type: ignore[misc]
    """Guards a `Trainer` or TRL trainer whose model has an adapted vocabulary.

    Give it to the constructor (`callbacks=[...]`): added later, transformers never calls its first check.

    Args:
        first_new_id: Id of the first new token.
        train_dataset: The tokenized training data, to check that new ids occur in it; with TRL pass
            `trainer.train_dataset` to `check_new_ids` instead, once it is tokenized.

    Raises:
        ModelError: From the trainer's constructor or `train()`, when a check fails.
    """

    def __init__(self, first_new_id: int, train_dataset: Iterable[Any] | None = None) -> None:
        self.first_new_id = first_new_id
        self.train_dataset = train_dataset

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Check tables and data before anything is spent."""
        check_tables(kwargs["model"], kwargs.get("processing_class"))
        if self.train_dataset is not None:
            check_new_ids((row["input_ids"] for row in self.train_dataset), self.first_new_id)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check that everything meant to learn is in the optimizer, and that decay cannot move frozen rows."""
        check_optimizer(kwargs["model"], kwargs["optimizer"])


def check_tables(model: Any, tokenizer: Any) -> None:
    """Check that the tables have a row for every id of the tokenizer, and as many rows as each other.

    Raises:
        ModelError: They do not.
    """
    if not hasattr(model, "get_input_embeddings") or tokenizer is None:
        return
    rows = model.get_input_embeddings().weight.shape[0]
    head = model.get_output_embeddings()
    largest = max(tokenizer.get_vocab().values())
    if largest >= rows:
        raise ModelError(
            f"the tokenizer gives ids up to {largest}, but the model's table has {rows} rows.",
            "Adapt the model before the trainer is built: hubadapt.embed(model_folder, tokenizer_folder, out)",
        )
    if head is not None and head.weight.shape[0] != rows:
        raise ModelError(
            f"the input table has {rows} rows, the head {head.weight.shape[0]}.",
            "Adapt both tables before the trainer is built: hubadapt.embed(model_folder, tokenizer_folder, out)",
        )


def check_new_ids(sequences: Iterable[Sequence[int]], first_new_id: int) -> None:
    """Check that new ids occur in the first 2,000 rows of tokenized data.

    Raises:
        ModelError: None does, so the data were tokenized with the old vocabulary.
    """
    if not any(max(ids, default=0) >= first_new_id for ids in islice(sequences, _SAMPLE)):
        raise ModelError(
            f"no id from {first_new_id} on occurs in the training data: it was tokenized with the old vocabulary.",
            "Build the trainer with the extended tokenizer as `processing_class`, or tokenize the data again.",
        )


def check_optimizer(model: Any, optimizer: Any) -> None:
    """Check that every parameter meant to learn is in the optimizer.

    Raises:
        ModelError: One is missing and would never change.
    """
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in held:
            raise ModelError(
                f"{name} is meant to learn but is not in the optimizer.",
                "Adapt the model before the trainer is built, and do not pass an older optimizer.",
            )
