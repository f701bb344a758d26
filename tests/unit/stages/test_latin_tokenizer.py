"""The stage `tokenizer` for a language that shares its script with English."""

from __future__ import annotations

import re

import pico
import pytest
from tokenizers import Tokenizer

from hubadapt.card import model_card
from hubadapt.corpus.english import read_english
from hubadapt.errors import CorpusError
from hubadapt.lineage import Names


def prepared(folder, *, english: list[str], new_tokens: int = 30) -> pico.Workshop:
    """A recipe for French that ends with new rows."""
    workshop = pico.Workshop.build(folder, without=("pretrain", "evaluate", "sample"))
    pico.write_jsonl(folder / "fr.jsonl", pico.french(300))
    pico.write_jsonl(folder / "en.jsonl", english, together=1)
    workshop.content["language"] = "fr"
    workshop.stage("corpus")["sources"][0] |= {"path": "fr.jsonl", "language": "fr"}
    workshop.stage("tokenizer")["new_tokens"] = new_tokens
    workshop.write()
    return workshop


@pytest.fixture(scope="module")
def adapted(tmp_path_factory) -> pico.Workshop:
    # French among the English, as in novels: some of it may change.
    english = [*pico.english(6000, seed=3), *pico.french(24, seed=11)]
    workshop = prepared(tmp_path_factory.mktemp("latin") / "fr", english=english)
    workshop.run()
    return workshop


def facts_of(workshop):
    return next(record.facts for record in workshop.manifest.stages if record.kind == "tokenizer")


def both(workshop) -> list[Tokenizer]:
    folders = (workshop.folder / "base", workshop.out / "1-tokenizer" / "tokenizer")
    return [Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in folders]


def test_of_english_that_was_not_protected_one_line_in_a_hundred_changes_at_the_most(adapted):
    protected, judged = read_english(adapted.out / "0-corpus" / "dataset")
    found, (old, new) = facts_of(adapted)["english"], both(adapted)
    lines = [line for text in judged for line in text.splitlines() if line.strip()]
    changed = sum(old.encode(line).ids != new.encode(line).ids for line in lines)
    assert (found["lines"], found["lines_changed"]) == (len(lines), changed)
    assert changed <= len(lines) / 100
    assert (found["protected"], found["judged"]) == (len(protected), len(judged))
    assert not {*protected} & {*judged}


def test_the_gate_counts_what_was_not_protected(adapted):
    facts = facts_of(adapted)
    gate = next(gate for gate in facts["gates"] if gate["name"] == "english")
    assert gate["failed"] == 0 and gate["tried"] > facts["english"]["lines"]
    assert gate["reported"] == facts["english"]["lines_changed"]


def test_the_card_says_what_protection_costs(adapted):
    made = next(made for made in adapted.manifest.artifacts() if made.name == "embed")
    card = " ".join(model_card(adapted.manifest, made, Names(adapted.manifest, "me")).split())
    facts = facts_of(adapted)
    price, gained = facts["english"], facts["characters_per_token"]["new"]["value"]
    assert gained < price["unprotected"]["value"]
    assert re.search(rf"characters per token went from [\d.]+ ± [\d.]+ to {gained:.3g} ", card)
    assert f"tokens that ignore it write {price['unprotected']['value']:.3g} ± " in card
    assert re.search(rf"[\d.]+ % of {price['lines']:,} lines and [\d.]+ % of {price['passages']:,} passages", card)


def test_a_language_in_a_script_of_its_own_has_no_price(workshop):
    workshop.content["stages"] = workshop.content["stages"][:2]
    workshop.write()
    workshop.run()
    assert "english" not in facts_of(workshop)


def test_more_tokens_than_english_leaves_room_for_are_refused(tmp_path):
    workshop = prepared(tmp_path / "fr", english=pico.english(400, seed=3), new_tokens=400)
    with pytest.raises(CorpusError, match="occurrences or more and with English left as it is"):
        workshop.run()


def test_english_to_protect_and_to_judge_by_must_be_there(tmp_path):
    workshop = prepared(tmp_path / "fr", english=pico.english(1))
    with pytest.raises(CorpusError, match="'fr' shares its script with English, of which the corpus holds no two"):
        workshop.run()
