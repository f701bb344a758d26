"""Preference tuning by TRL's trainers: DPO, KTO, SimPO; resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubadapt.corpus.preferences import Preference
from hubadapt.errors import ModelError
from hubadapt.training.loop import Advance
from hubadapt.training.tune import Tuning, arguments, finished, lora, padding


@dataclass(frozen=True)
class Preferring(Tuning):
    """How a model learns what is preferred.

    Attributes:
        method: One of `METHODS`.
        beta: Strength of the preference: the inverse of how far answers may move from the reference.
        max_length: Tokens of prompt and answer at the most.
    """

    method: str
    beta: float
    max_length: int


def prefer(
    model: Any,
    tokenizer: Any,
    pairs: Sequence[Preference],
    preferring: Preferring,
    *,
    folder: Path,
    advance: Callable[[int], object],
) -> tuple[Any, list[dict[str, float]]]:
    """Tune a model to preferences; goes on from the newest complete checkpoint in `folder`, with equal results.

    The reference of DPO and KTO is the model as it was.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer, with a chat template.
        pairs: The preferences.
        preferring: How.
        folder: Where checkpoints go.
        advance: Called with the number of steps just done.

    Returns:
        The tuned model, an adapter merged in, and the mean loss with its step.

    Raises:
        ModelError: The loss is no number any more, or this TRL has no such trainer.
    """
    tokenizer.pad_token = padding(tokenizer)
    trainer = METHODS[preferring.method](model, tokenizer, pairs, preferring, folder)
    trainer.add_callback(Advance(advance))
    return finished(trainer, preferring, folder)


def _dpo(model: Any, tokenizer: Any, pairs: Sequence[Preference], preferring: Preferring, folder: Path) -> Any:
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(beta=preferring.beta, **_arguments(preferring, folder))
    return DPOTrainer(model, args=config, **_given(tokenizer, _paired(pairs), preferring))


def _kto(model: Any, tokenizer: Any, pairs: Sequence[Preference], preferring: Preferring, folder: Path) -> Any:
    from trl import KTOConfig, KTOTrainer

    config = KTOConfig(beta=preferring.beta, **_arguments(preferring, folder))
    return KTOTrainer(model, args=config, **_given(tokenizer, _unpaired(pairs), preferring))


def _simpo(model: Any, tokenizer: Any, pairs: Sequence[Preference], preferring: Preferring, folder: Path) -> Any:
    try:
        from trl.experimental.cpo import CPOConfig, CPOTrainer
    except ImportError as error:
        raise ModelError("this TRL has no SimPO any more.", "Use another `method`: dpo or kto.") from error
    config = CPOConfig(loss_type="simpo", cpo_alpha=0.0, beta=preferring.beta, **_arguments(preferring, folder))
    return CPOTrainer(model, args=config, **_given(tokenizer, _paired(pairs), preferring))


METHODS = {"dpo": _dpo, "kto": _kto, "simpo": _simpo}
"""Trainers by name: arXiv 2305.18290, 2402.01306, 2405.14734."""


def _arguments(preferring: Preferring, folder: Path) -> dict[str, Any]:
    return {"max_length": preferring.max_length, **arguments(folder, preferring)}


def _given(tokenizer: Any, rows: list[dict[str, Any]], preferring: Preferring) -> dict[str, Any]:
    from datasets import Dataset

    return {
        "train_dataset": Dataset.from_list(rows), "processing_class": tokenizer, "peft_config": lora(preferring),
    }  # fmt: skip


def _paired(pairs: Sequence[Preference]) -> list[dict[str, Any]]:
    return [
        {"prompt": _messages(pair), "chosen": _said(pair.chosen), "rejected": _said(pair.rejected)} for pair in pairs
    ]


def _unpaired(pairs: Sequence[Preference]) -> list[dict[str, Any]]:
    return [
        {"prompt": _messages(pair), "completion": _said(answer), "label": good}
        for pair in pairs
        for answer, good in ((pair.chosen, True), (pair.rejected, False))
    ]


def _messages(pair: Preference) -> list[dict[str, str]]:
    return [dict(message) for message in pair.prompt]


def _said(answer: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer}]
