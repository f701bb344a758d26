"""Gates on a tokenizer as others load it, by transformers and SentencePiece, and the stage that asks all of them."""

from __future__ import annotations

import io
import json
import shutil
import sys
from dataclasses import replace

import pico
import pytest
from sentencepiece import SentencePieceTrainer
from trials import CYRILLIC, TEXTS, ask, extension_of, write_pair

from hubadapt.card import model_card
from hubadapt.errors import ModelError
from hubadapt.lineage import Names
from hubadapt.model import copy_tokenizer
from hubadapt.tokenizer.gates import GATES, Trial
from hubadapt.tokenizer.sentencepiece_model import keep_in_step
from hubadapt.tokenizer.sources import write_source

BY_CODE = {"tokenizer_class": "Qwen2Tokenizer"}
"""A class that transformers 5 builds from code, whatever pre-tokenizer the file holds."""


@pytest.fixture(params=["gpt2", "llama3", "byte-fallback"])
def pair(request, tmp_path):
    """Folders of a base and of its extension, and what was changed."""
    return write_pair(tmp_path, request.param)


@pytest.fixture
def llama(tmp_path):
    return write_pair(tmp_path, "llama3")


def trial_of(pair) -> Trial:
    return Trial.of_folders(*pair, scripts=CYRILLIC, target=TEXTS)


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def test_a_sound_extension_loads_and_chats_as_the_base_does(pair):
    trial = trial_of(pair)
    for name in ("loading", "chat"):
        gate = ask(name, trial)
        assert gate.tried and not gate.failed and not gate.reported, gate


def test_a_class_that_gives_other_ids_than_the_file_fails(llama):
    base, new, _ = llama
    rewrite(new / "tokenizer_config.json", **BY_CODE)
    assert ask("loading", trial_of(llama)).failed
    rewrite(base / "tokenizer_config.json", **BY_CODE)
    gate = ask("loading", trial_of(llama))
    assert gate.failed == 0 and gate.reported


@pytest.mark.parametrize("role", ["eos_token", "pad_token"])
def test_another_token_in_a_special_role_fails(llama, role):
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        rewrite(llama[1] / name, **{role: pico.SPECIALS[1]})
    assert ask("loading", trial_of(llama)).failures == (role,)


def test_a_special_role_that_only_the_class_of_the_base_fills_is_reported(llama):
    rewrite(llama[0] / "tokenizer_config.json", **BY_CODE)
    assert "pad_token" not in (llama[0] / "tokenizer_config.json").read_text("utf-8")
    gate = ask("loading", replace(trial_of(llama), target=()))
    assert "pad_token" not in gate.failures and gate.reported


def test_a_special_role_that_is_gone_fails(llama):
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        rewrite(llama[1] / name, eos_token=None)
    assert ask("loading", trial_of(llama)).failures == ("eos_token",)


def test_a_special_token_that_only_the_configuration_names_must_stay(llama):
    base, _, _ = llama
    ghost = {
        "content": "<|ghost|>",
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
    rewrite(
        base / "tokenizer_config.json", added_tokens_decoder={"900": ghost}, additional_special_tokens=["<|ghost|>"]
    )
    assert "<|ghost|>" in ask("loading", trial_of(llama)).failures


def test_a_tokenizer_that_cannot_be_loaded_fails(llama):
    (llama[1] / "tokenizer_config.json").write_text("{", "utf-8")
    trial = trial_of(llama)
    assert ask("loading", trial).failures[0].startswith("cannot be loaded")
    assert ask("chat", trial).failed


def test_a_base_that_cannot_be_loaded_is_reported(llama):
    for folder in llama[:2]:
        (folder / "tokenizer_config.json").write_text("{", "utf-8")
    gate = ask("loading", trial_of(llama))
    assert (gate.failed, gate.reported) == (0, 1)


def test_a_chat_template_that_changed_or_is_gone_fails(pair):
    template = pair[1] / "chat_template.jinja"
    template.write_text(template.read_text("utf-8").replace("\n", " "), "utf-8")
    assert ask("chat", trial_of(pair)).failed
    template.unlink()
    assert ask("chat", trial_of(pair)).failures[0] == "user"


def test_a_dialogue_that_the_bases_template_refuses_is_reported(pair):
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system prompt') }}{% endif %}"
    for folder in pair[:2]:
        (folder / "chat_template.jinja").write_text(refusing + pico.CHAT_TEMPLATE, "utf-8")
    gate = ask("chat", trial_of(pair))
    assert (gate.failed, gate.reported) == (0, 2)


def test_there_is_nothing_to_say_about_a_base_without_a_chat_template(pair):
    (pair[0] / "chat_template.jinja").unlink()
    assert GATES["chat"](trial_of(pair)) is None


# SentencePiece


def train(path, texts):
    """A small SentencePiece BPE with byte fallback."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=340, model_type="bpe", byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    path.write_bytes(model.getvalue())


@pytest.fixture
def spelled(tmp_path):
    """A base made of a SentencePiece model and an extension whose model is in step."""
    train(tmp_path / "sp.model", pico.english())
    base, new = write_source(tmp_path / "sp.model", tmp_path / "base"), tmp_path / "new"
    vocabulary = extension_of(json.loads((base / "tokenizer.json").read_text("utf-8")))
    copy_tokenizer(base, new)
    (new / "tokenizer.json").write_text(json.dumps(vocabulary.content, ensure_ascii=False), "utf-8")
    assert keep_in_step(base, new, vocabulary) == {}
    return base, new, vocabulary


def test_a_model_in_step_gives_the_same_ids(spelled):
    gate = ask("sentencepiece", trial_of(spelled))
    assert gate.tried and not gate.failed and not gate.reported


def test_the_bases_own_model_beside_the_changed_tokenizer_fails(spelled):
    base, new, _ = spelled
    shutil.copyfile(base / "tokenizer.model", new / "tokenizer.model")
    assert ask("sentencepiece", trial_of(spelled)).failed


def test_a_model_that_the_base_does_not_agree_with_is_reported(spelled, tmp_path):
    train(tmp_path / "other.model", pico.russian())
    for folder in spelled[:2]:
        shutil.copyfile(tmp_path / "other.model", folder / "tokenizer.model")
    gate = ask("sentencepiece", trial_of(spelled))
    assert gate.failed == 0 and gate.reported


@pytest.mark.parametrize(("where", "failed"), [((1,), 1), ((0, 1), 0)])
def test_a_model_that_cannot_be_read_fails_unless_the_bases_is_no_better(spelled, where, failed):
    for place in where:
        (spelled[place] / "tokenizer.model").write_bytes(b"\x00nothing")
    assert ask("sentencepiece", trial_of(spelled)).failed == failed


def test_without_a_model_or_the_package_sentencepiece_is_not_asked(spelled, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert GATES["sentencepiece"](trial_of(spelled)) is None
    monkeypatch.undo()
    (spelled[1] / "tokenizer.model").unlink()
    assert GATES["sentencepiece"](trial_of(spelled)) is None
    assert "sentencepiece" in sys.modules


# The stage


def lose_the_chat_template(monkeypatch):
    def copy_without(source, target):
        copy_tokenizer(source, target)
        (target / "chat_template.jinja").unlink()

    monkeypatch.setattr("hubadapt.tokenizer.folder.copy_tokenizer", copy_without)


def only_the_tokenizer(workshop):
    workshop.content["stages"] = [
        item for item in workshop.content["stages"] if {*item} & {"corpus", "tokenizer", "embed"}
    ]
    return workshop


def test_a_failing_gate_stops_the_stage(workshop, monkeypatch):
    lose_the_chat_template(monkeypatch)
    only_the_tokenizer(workshop).write()
    with pytest.raises(ModelError) as stopped:
        workshop.run()
    problem, hint = str(stopped.value).splitlines()
    assert "'chat'" in problem and "'user'" in problem and "allow: [chat]" in hint


def test_a_failing_gate_that_is_allowed_is_recorded_and_told_in_the_card(workshop, monkeypatch):
    lose_the_chat_template(monkeypatch)
    only_the_tokenizer(workshop).stage("tokenizer")["allow"] = ["chat"]
    workshop.write()
    workshop.run()
    manifest = workshop.manifest
    gates = {gate["name"]: gate for gate in manifest.stages[1].facts["gates"]}
    assert gates["chat"]["failed"] == 6 and gates["chat"]["allowed"]
    assert all(gate["failed"] == 0 for name, gate in gates.items() if name != "chat")
    embedded = next(made for made in manifest.artifacts() if made.name == "embed")
    card = model_card(manifest, embedded, Names(manifest, "me"))
    assert "The gate chat failed and was allowed to: `user`" in card


def test_a_gate_that_does_not_exist_cannot_be_allowed(workshop, cli):
    workshop.stage("tokenizer")["allow"] = ["chats"]
    done = cli("check", workshop.write())
    assert done.code == 1
    assert "there is no gate 'chats' to allow" in done.err and "Did you mean 'chat'?" in done.err
