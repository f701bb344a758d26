"""A training whose loss is no number any more ends in two lines, and no model is made of it."""

from __future__ import annotations

import json

import pico
import pytest

from hubadapt.model import load_tokenizer

HUGE = {"steps": 6, "batch_size": 2, "learning_rate": 1e30, "warmup_steps": 0}
SAID = {"role": "user", "content": "Вопрос"}, {"role": "assistant", "content": "Ответ."}
STAGES = {
    "pretrain": {"block_size": 32, "map_learning_rate": 1e30},
    "continue": {"block_size": 32, "replay": 0},
    "finetune": {"sources": [{"path": "rows.jsonl", "license": "mit"}], "model": "instruct"},
    "prefer": {"sources": [{"path": "rows.jsonl", "license": "mit"}], "model": "instruct"},
}


@pytest.mark.parametrize("kind", STAGES)
def test_it_is_told_and_leaves_no_model(tmp_path, cli, kind):
    workshop = pico.Workshop.build(tmp_path / "work", sibling=True, without=("pretrain", "evaluate", "sample"))
    stop = load_tokenizer(workshop.folder / "sibling").convert_tokens_to_ids("<|im_end|>")
    config = workshop.folder / "sibling" / "generation_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"eos_token_id": stop}), "utf-8")
    row = {"messages": SAID, "prompt": "Вопрос", "chosen": "Да.", "rejected": "Нет."}
    (workshop.folder / "rows.jsonl").write_text((json.dumps(row, ensure_ascii=False) + "\n") * 4, "utf-8")
    workshop.content["stages"].append({kind: HUGE | STAGES[kind]})
    workshop.write()
    outcome = cli("run", workshop.recipe)
    assert outcome.code == 1
    problem, hint = outcome.err.splitlines()[-2:]
    assert problem.startswith("training diverged: the loss is ") and " at step " in problem
    assert hint == "Lower the learning rates of the stage."
    assert kind not in [record.kind for record in workshop.manifest.stages]
