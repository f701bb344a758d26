"""Gates of a Unigram: its pieces and scores; the card speaks of merges nowhere."""

from __future__ import annotations

import copy
import json

import pico
import pytest
import sentencepieces
from trials import ask

from hubadapt.card import model_card
from hubadapt.lineage import Names
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.gates import GATES, Trial, try_gates


@pytest.fixture(scope="module", params=["unigram", "unigram with bytes"])
def trial(request, tmp_path_factory) -> Trial:
    base = sentencepieces.write_folder(tmp_path_factory.mktemp("base"), request.param)
    content = json.loads((base / "tokenizer.json").read_text("utf-8"))
    rows = max(all_entries(content).values()) + 1
    vocabulary = sentencepieces.learnt(content, pico.russian()).first(content, 40, first_id=rows, old_rows=rows)
    return Trial(content, vocabulary.content, vocabulary.copied, vocabulary.tokens, sentencepieces.CYRILLIC)


def damaged(trial: Trial, damage) -> Trial:
    content = copy.deepcopy(trial.new_content)
    damage(content["model"]["vocab"], len(trial.copied))
    return Trial(trial.old_content, content, trial.copied, trial.tokens, trial.scripts)


def test_a_sound_extension_passes_and_merges_are_not_asked(trial):
    gate = ask("scores", trial)
    assert gate.tried == len(trial.old_content["model"]["vocab"]) + len(trial.tokens)
    assert not gate.failed and not gate.reported
    assert [one.name for one in try_gates(trial, gates={"merges": GATES["merges"]})] == []


def test_an_old_score_that_changed_fails(trial):
    def raise_one(vocab, first):
        vocab[first - 2][1] += 0.5

    gate = ask("scores", damaged(trial, raise_one))
    assert gate.failed >= 1 and gate.failures[0] == trial.old_content["model"]["vocab"][-2][0]


def test_a_new_piece_that_is_never_taken_fails(trial):
    longest = max(trial.tokens, key=len)

    def sink(vocab, first):
        vocab[first + trial.tokens.index(longest)][1] = -1e6

    gate = ask("scores", damaged(trial, sink))
    assert gate.failed == 1 and gate.failures == (longest,)


def test_a_card_of_a_unigram_speaks_of_pieces_and_never_of_merges(tmp_path):
    base = sentencepieces.write_model(tmp_path / "base", "unigram")
    workshop = pico.Workshop.build(tmp_path / "work", base=base)
    workshop.content["stages"] = workshop.content["stages"][:3]
    workshop.write()
    workshop.run()
    manifest = workshop.manifest
    embedded = next(made for made in manifest.artifacts() if made.name == "embed")
    card = model_card(manifest, embedded, Names(manifest, "me"))
    assert "80 pieces, learnt on the corpus" in card
    assert "| scores | old pieces keep their scores, every new one is written as itself |" in card
    assert "| tokens | every piece encodes to itself |" in card
    assert "merge" not in card.partition("## Recipe")[0]
