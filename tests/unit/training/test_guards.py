"""The guard stops a trainer that would silently train the wrong thing: Trainer and SFTTrainer, tied and untied."""

from __future__ import annotations

import pico
import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
from trl import SFTConfig, SFTTrainer

from hubadapt.errors import ModelError
from hubadapt.training.guards import VocabularyAdaptationCallback, check_new_ids, check_optimizer, check_tables

TEXTS = pico.russian(8)
ARGUMENTS = {
    "max_steps": 1,
    "per_device_train_batch_size": 2,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "use_cpu": True,
    "learning_rate": 1e-3,
}


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def folders(request, tmp_path_factory):
    """A base and its adapted form, with the id of the first new token."""
    workshop = pico.Workshop.build(
        tmp_path_factory.mktemp("guards") / "work", tied=request.param, without=("pretrain", "evaluate", "sample")
    )
    workshop.run()
    first = workshop.manifest.stages[1].facts["old_size"]
    return workshop.folder / "base", workshop.out / "2-embed" / "model", first


def model_of(folder):
    return AutoModelForCausalLM.from_pretrained(folder)


def tokenizer_of(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def tokenized(tokenizer):
    rows = [tokenizer(text, max_length=24, truncation=True, padding="max_length") for text in TEXTS]
    return [{"input_ids": row["input_ids"], "labels": row["input_ids"]} for row in rows]


def trainer_of(kind, model, tokenizer, callback, out, data=None):
    if kind is Trainer:
        arguments = TrainingArguments(output_dir=str(out), remove_unused_columns=False, **ARGUMENTS)
        return Trainer(
            model, arguments, train_dataset=data or tokenized(tokenizer), processing_class=tokenizer,
            callbacks=[callback] if callback else [],
        )  # fmt: skip
    arguments = SFTConfig(output_dir=str(out), max_length=24, dataset_num_proc=None, **ARGUMENTS)
    return SFTTrainer(
        model, args=arguments, train_dataset=Dataset.from_dict({"text": TEXTS}), processing_class=tokenizer,
        callbacks=[callback] if callback else [],
    )  # fmt: skip


both = pytest.mark.parametrize("kind", [Trainer, SFTTrainer], ids=["Trainer", "SFTTrainer"])


@both
def test_an_adapted_model_trains_and_its_new_rows_move(folders, tmp_path, kind):
    _, adapted, first = folders
    model, tokenizer = model_of(adapted), tokenizer_of(adapted)
    before = model.get_output_embeddings().weight[first:].detach().clone()
    trainer = trainer_of(kind, model, tokenizer, VocabularyAdaptationCallback(first), tmp_path)
    check_new_ids((row["input_ids"] for row in trainer.train_dataset), first)
    trainer.train()
    assert not torch.equal(before, trainer.model.get_output_embeddings().weight[first:].detach())


@both
def test_a_base_with_an_extended_tokenizer_is_stopped_at_construction(folders, tmp_path, kind):
    base, adapted, first = folders
    with pytest.raises(ModelError, match=f"but the model's table has {first} rows"):
        trainer_of(kind, model_of(base), tokenizer_of(adapted), VocabularyAdaptationCallback(first), tmp_path)


def test_data_tokenized_with_the_old_vocabulary_stop_a_trainer_at_construction(folders, tmp_path):
    base, adapted, first = folders
    data = tokenized(tokenizer_of(base))
    callback = VocabularyAdaptationCallback(first, data)
    with pytest.raises(ModelError, match=f"no id from {first} on occurs in the training data"):
        trainer_of(Trainer, model_of(adapted), tokenizer_of(adapted), callback, tmp_path, data)


def test_data_that_trl_tokenized_with_the_old_vocabulary_are_found(folders, tmp_path):
    base, adapted, first = folders
    trainer = trainer_of(SFTTrainer, model_of(adapted), tokenizer_of(base), None, tmp_path)
    with pytest.raises(ModelError, match="tokenized with the old vocabulary"):
        check_new_ids((row["input_ids"] for row in trainer.train_dataset), first)


def test_a_head_resized_once_training_begins_is_found_not_to_learn(folders, tmp_path):
    """Transformers would train on without a word: the new head of an untied model is in no optimizer."""
    base, _, first = folders
    model, tokenizer = model_of(base), tokenizer_of(base)
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    trainer = trainer_of(Trainer, model, tokenizer, None, tmp_path)
    trainer.create_optimizer()
    model.resize_token_embeddings(first + 8, mean_resizing=False)
    if tied:
        check_optimizer(model, trainer.optimizer)
    else:
        with pytest.raises(ModelError, match=r"lm_head\.weight is meant to learn but is not in the optimizer"):
            check_optimizer(model, trainer.optimizer)


def test_an_optimizer_made_for_another_model_stops_training(folders, tmp_path):
    _, adapted, first = folders
    model, tokenizer = model_of(adapted), tokenizer_of(adapted)
    stale = torch.optim.AdamW(model_of(adapted).parameters())
    arguments = TrainingArguments(output_dir=str(tmp_path), remove_unused_columns=False, **ARGUMENTS)
    trainer = Trainer(
        model, arguments, train_dataset=tokenized(tokenizer), processing_class=tokenizer, optimizers=(stale, None),
        callbacks=[VocabularyAdaptationCallback(first)],
    )  # fmt: skip
    with pytest.raises(ModelError, match="is not in the optimizer"):
        trainer.train()


def test_a_head_of_another_height_is_found(folders):
    _, adapted, _ = folders
    model = model_of(adapted)
    model.set_output_embeddings(torch.nn.Linear(32, 5, bias=False))
    with pytest.raises(ModelError, match="the head 5"):
        check_tables(model, tokenizer_of(adapted))


def test_frozen_parameters_may_be_outside_the_optimizer(folders):
    _, adapted, _ = folders
    model = model_of(adapted).requires_grad_(False)
    check_optimizer(model, torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))]))


def test_new_ids_are_looked_for_in_the_first_rows_only():
    seen = []

    def rows():
        for number in range(10_000):
            seen.append(number)
            yield [1, 2, 3]

    with pytest.raises(ModelError):
        check_new_ids(rows(), 5)
    assert len(seen) == 2000
    check_new_ids([[], [1], [5]], 5)
