"""The stage `finetune`: answers are learnt, files load as before, licences and order of conversations are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pico
import pytest
from safetensors.torch import load_file

from hubadapt.card import model_card
from hubadapt.corpus.conversations import read_conversations
from hubadapt.lineage import Names, parents
from hubadapt.model import load_model, load_tokenizer
from hubadapt.runner import InterruptedRunError

SMALL = {"steps": 4, "batch_size": 2, "max_length": 96, "learning_rate": 0.01, "warmup_steps": 0, "save_every": 2}


def conversations(count: int = 12) -> list[dict]:
    return [
        {"messages": [{"role": "user", "content": f"Вопрос {n}"}, {"role": "assistant", "content": text}]}
        for n, text in enumerate(pico.russian(count, seed=9))
    ]


def write_rows(path: Path, rows: list) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def prepared(folder: Path, **more) -> pico.Workshop:
    """A run with a sibling whose generation stops at the end of a turn, and its tuning."""
    workshop = pico.Workshop.build(folder, sibling=True, without=("pretrain", "evaluate", "sample"))
    config = workshop.folder / "sibling" / "generation_config.json"
    stop = load_tokenizer(workshop.folder / "sibling").convert_tokens_to_ids("<|im_end|>")
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"eos_token_id": [0, stop]}), "utf-8")
    write_rows(workshop.folder / "chats.jsonl", conversations())
    sources = [{"path": "chats.jsonl", "license": "cc-by-4.0"}]
    workshop.content["stages"].append({"finetune": {**SMALL, "sources": sources, "model": "instruct", **more}})
    workshop.content["license_decisions"] = {"cc-by-4.0": "Attribution is given in the card."}
    workshop.write()
    return workshop


def folder_of(workshop: pico.Workshop, name: str) -> Path:
    return next(workshop.out / made.folder for made in workshop.manifest.artifacts() if made.name == name)


@pytest.fixture(scope="module", params=[2, None], ids=["lora", "all weights"])
def done(request, tmp_path_factory):
    workshop = prepared(tmp_path_factory.mktemp("tuned") / "work", rank=request.param)
    workshop.run()
    return workshop


def test_weights_change_and_keep_names_types_and_shapes(done):
    before, after = (
        load_file(folder_of(done, name) / "model.safetensors") for name in ("propagate-instruct", "finetune-instruct")
    )
    assert {name: (each.shape, each.dtype) for name, each in before.items()} == {
        name: (each.shape, each.dtype) for name, each in after.items()
    }
    changed = {name for name, each in before.items() if not each.equal(after[name])}
    assert any("q_proj" in name for name in changed)
    assert ("model.embed_tokens.weight" in changed) == (done.stage("finetune")["rank"] is None)


def test_the_result_loads_with_the_vocabulary_and_stops_it_had(done):
    folders = [folder_of(done, name) for name in ("propagate-instruct", "finetune-instruct")]
    texts = [*pico.russian(5), *pico.english(5)]
    first, second = ([load_tokenizer(folder)(text)["input_ids"] for text in texts] for folder in folders)
    assert first == second
    stops = [load_model(folder).generation_config.eos_token_id for folder in folders]
    assert stops[0] == stops[1] and len(stops[0]) == 2


def test_the_record_counts_what_was_read_and_what_was_learnt(done):
    facts = next(record.facts for record in done.manifest.stages if record.kind == "finetune")
    assert facts["conversations"] == 12 and facts["too_long"] == 0
    assert 0 < facts["learnt_tokens"] < facts["tokens"]
    assert facts["sources"][0] | {"train_characters": 0} == {
        "source": "chats.jsonl", "license": "cc-by-4.0", "train_documents": 12, "train_characters": 0,
    }  # fmt: skip


def test_licences_of_conversations_are_links_of_the_chain_and_the_card_tells_of_them(done):
    link = next(link for link in done.manifest.licences if "chats.jsonl" in link.names)
    assert (link.role, link.license) == ("trained on", "cc-by-4.0")
    made = next(made for made in done.manifest.artifacts() if made.name == "finetune-instruct")
    assert parents(done.manifest, made) == ("propagate-instruct", "embed")
    card = model_card(done.manifest, made, Names(done.manifest, "me"))
    assert "| chats.jsonl | cc-by-4.0 | 12 |" in card
    assert "Only rows of the embedding tables" not in card and "A LoRA adapter of" not in card
    earlier = next(made for made in done.manifest.artifacts() if made.name == "propagate-instruct")
    assert "Only rows of the embedding tables" in model_card(done.manifest, earlier, Names(done.manifest, "me"))


def test_an_interrupted_tuning_ends_in_the_same_weights(done, tmp_path):
    cut = prepared(tmp_path / "cut", rank=done.stage("finetune")["rank"])
    with pico.stopped_after(3), pytest.raises(InterruptedRunError):
        cut.run()
    cut.run()
    assert [made.files for made in cut.manifest.artifacts()] == [made.files for made in done.manifest.artifacts()]


def test_sagas_bots_are_assistants(tmp_path):
    rows = conversations(2)
    bots = [
        {"messages": [each | {"role": each["role"].replace("assistant", "bot")} for each in row["messages"]]}
        for row in rows
    ]
    write_rows(tmp_path / "a.jsonl", rows)
    write_rows(tmp_path / "b.jsonl", bots)
    one, other = (
        [each.messages for each in read_conversations(tmp_path / f"{name}.jsonl", license="mit")] for name in "ab"
    )
    assert one == other


TURN = {"role": "user", "content": "А?"}
REPLY = {"role": "assistant", "content": "Б."}


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "chats.jsonl line 1 holds no conversation: `messages` is empty"),
        ([TURN], "chats.jsonl line 1 ends with the user"),
        ([REPLY, TURN], "chats.jsonl line 1 is out of order: assistant, user"),
        ([TURN, TURN, REPLY], "chats.jsonl line 1 is out of order: user, user, assistant"),
        ([TURN, {"role": "assistant", "content": "  "}], "chats.jsonl line 1, message 2 of the assistant is empty"),
        ([TURN, {"role": "tool", "content": "x"}], "chats.jsonl line 1, message 2 has the role 'tool'"),
    ],
)
def test_a_conversation_that_cannot_be_learnt_is_told_before_anything_runs(tmp_path, cli, messages, problem):
    workshop = prepared(tmp_path / "work")
    write_rows(workshop.folder / "chats.jsonl", [{"messages": messages}])
    outcome = cli("check", workshop.recipe)
    assert outcome.code == 1 and problem in outcome.err
    assert not workshop.out.exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model": "chat"}, "there is no model 'chat'"),
        ({"max_length": 2}, "all 12 conversations are longer than 2 tokens"),
    ],
)
def test_what_leaves_nothing_to_tune_is_an_error(tmp_path, cli, change, problem):
    outcome = cli("run", prepared(tmp_path / "work", **change).recipe)
    assert outcome.code == 1 and problem in outcome.err
