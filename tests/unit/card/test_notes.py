"""What owners add to cards: words as they are, metadata beside ours and never in their place."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.card import model_card
from hubadapt.card.metadata import card_problems
from hubadapt.card.notes import split_notes
from hubadapt.errors import CardError
from hubadapt.front_matter import read_front_matter
from hubadapt.lineage import Names

OWN = (
    "---\nthumbnail: https://x.org/a.png\ntags: [kazakh, chat]\nextra_gated_prompt: 'Who: are you?'\n---\n\nMy words.\n"
)


def card(finished, notes: str, language: str = "en") -> str:
    manifest = finished.manifest
    made = next(made for made in manifest.artifacts() if made.name == "pretrain")
    return model_card(manifest, made, Names(manifest, "me"), notes=notes, language=language)


@given(st.text())
def test_notes_without_metadata_are_words_as_they_are(text):
    if not text.lstrip("\ufeff").startswith("---"):
        assert split_notes(text) == ({}, text)


def test_metadata_of_the_owner_stand_beside_ours(finished):
    text = card(finished, OWN)
    ours, front = read_front_matter(card(finished, "My words.\n")), read_front_matter(text)
    assert front == ours | {
        "thumbnail": "https://x.org/a.png",
        "extra_gated_prompt": "Who: are you?",
        "tags": [*ours["tags"], "kazakh", "chat"],
    }
    assert "## Notes\n\nMy words.\n" in text and "---\nthumbnail" not in text
    assert card_problems(text, "model") == []
    assert "thumbnail" not in card(finished, OWN, "ru") and "My words." in card(finished, OWN, "ru")


@pytest.mark.parametrize("key", ["license", "base_model", "model-index", "language", "datasets"])
def test_what_the_card_computes_cannot_be_set(finished, key):
    notes = f"---\n{yaml.safe_dump({key: 'mine'})}---\nMore.\n"
    with pytest.raises(CardError) as caught:
        card(finished, notes)
    assert str(caught.value) == (
        f"the notes set {key}, which the card computes from the run.\nLeave it out of notes.md; the recipe decides it."
    )


def test_metadata_that_cannot_be_read_are_named_as_the_notes(finished):
    with pytest.raises(CardError, match="the front matter of the notes line 2 cannot be read"):
        card(finished, "---\na: [\n---\n")


def test_a_push_checks_the_owners_metadata_against_the_hubs_lists(cli, finished_copy):
    (finished_copy.out / "notes.md").write_text("---\nmetrics: 3\n---\n", "utf-8")
    outcome = cli("push", finished_copy.out, "--to", "me", "--dry-run")
    assert outcome.code == 1
    assert outcome.err.startswith("the card of me/pico-ru-embed says metrics: 3, which is no list of words.\n")
