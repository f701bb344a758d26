"""The demo's sibling: a short, real fine-tune of the base on questions about Python."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hubadapt.model import copy_tokenizer, load_model, load_tokenizer
from hubadapt.portable import make_portable
from hubadapt.types import Progress

_STEPS = 12
_BATCH = 4
_SEED = 0


def make_sibling(base: Path, folder: Path, dialogues: list[list[dict[str, str]]], progress: Progress) -> None:
    """Fine-tune every weight of the base on dialogues with TRL, and write the result to `folder`, whole or not at all.

    Args:
        base: Folder of the base model.
        folder: Where the sibling goes; a finished folder is left alone.
        dialogues: Conversations of one question and one answer.
        progress: Opens a progress bar.
    """
    if folder.is_dir():
        return
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model = _tune(base, dialogues, partial / "trainer", progress)
    shutil.rmtree(partial / "trainer", ignore_errors=True)
    model.save_pretrained(partial)
    copy_tokenizer(base, partial)
    # A tune has its base's licence; the texts it is tuned on, Python's own documentation, ask for no other.
    shutil.copyfile(base / "README.md", partial / "README.md")
    make_portable(partial)
    partial.replace(folder)


def _tune(base: Path, dialogues: list[list[dict[str, str]]], work: Path, progress: Progress) -> Any:
    from datasets import Dataset, disable_progress_bars
    from transformers import TrainerCallback
    from transformers.trainer_callback import PrinterCallback, ProgressCallback
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    chosen = dialogues[:: max(len(dialogues) // (_STEPS * _BATCH), 1)][: _STEPS * _BATCH]
    rows = Dataset.from_list([{"prompt": messages[:1], "completion": messages[1:]} for messages in chosen])
    arguments = SFTConfig(
        output_dir=str(work),
        max_steps=_STEPS,
        per_device_train_batch_size=_BATCH,
        learning_rate=5e-5,
        max_length=192,
        lr_scheduler_type="cosine",
        warmup_steps=2,
        seed=_SEED,
        data_seed=_SEED,
        bf16=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        activation_checkpointing=False,
    )
    with progress("fine-tuning the sibling", _STEPS) as advance:

        class Advance(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                advance(1)

        trainer = SFTTrainer(
            model=load_model(base),
            args=arguments,
            train_dataset=rows,
            processing_class=load_tokenizer(base),
            callbacks=[Advance()],
        )
        for callback in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(callback)
        trainer.train()
    return trainer.model
