"""The map between two tokenizers that somebody else made."""

from __future__ import annotations

import copy
import json

import numpy as np
import pico
import pytest

from hubadapt.errors import ModelError
from hubadapt.tokenizer.between import map_between
from hubadapt.tokenizer.build import added, learn, unchanged
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import all_entries
from hubadapt.tokenizer.learn import Lesson
from hubadapt.vocab_map import Origin

STYLES = [*pico.BYTE_LEVEL_STYLES, "byte-fallback"]


def content_of(style: str) -> dict:
    return json.loads(pico.tokenizer_of(style).to_str())


def extended(content: dict, *, room: int) -> tuple[dict, object]:
    rows = max(all_entries(content).values()) + 1 + room
    words = count_words(pico.russian(), dialect_of(content, ("Cyrillic",)), ("Cyrillic",))
    additions = learn(unchanged(content, rows), words, Lesson(60, 2, allow=lambda entry: True))
    grown = added(unchanged(content, rows), additions, new_tokens=60, first_id=rows)
    return grown.content, grown.vocab_map()


@pytest.mark.parametrize("room", [0, 5])
@pytest.mark.parametrize("style", STYLES)
def test_of_an_extension_it_is_the_map_that_the_extension_made(style, room):
    old = content_of(style)
    new, ours = extended(old, room=room)
    found = map_between(old, new, old_rows=ours.old_size)
    np.testing.assert_array_equal(found.origins, ours.origins)
    np.testing.assert_array_equal(found.indptr, ours.indptr)
    np.testing.assert_array_equal(found.indices, ours.indices)
    assert found.moved_ids() is None


def test_entries_that_moved_keep_their_rows_by_content():
    old = content_of("gpt2")
    new = copy.deepcopy(old)
    order = sorted(old["model"]["vocab"], key=old["model"]["vocab"].__getitem__)
    specials = [token["content"] for token in old["added_tokens"]]
    new["model"]["vocab"] = {entry: place + len(specials) for place, entry in enumerate(order)}
    new["added_tokens"] = [{**token, "id": place} for place, token in enumerate(old["added_tokens"])]
    new["model"]["vocab"] = {entry: i for entry, i in new["model"]["vocab"].items() if entry not in specials}
    found = map_between(old, new, old_rows=len(all_entries(old)))
    assert (found.origins != Origin.COMPOSED).all()
    known = all_entries(old)
    for entry, index in all_entries(new).items():
        assert found.indices[found.indptr[index]] == known[entry]


def test_a_new_special_token_gets_no_row_from_pieces():
    old = content_of("gpt2")
    new = copy.deepcopy(old)
    first = max(all_entries(old).values()) + 1
    new["added_tokens"].append({**new["added_tokens"][0], "content": "<|tool|>", "id": first})
    found = map_between(old, new, old_rows=first)
    assert found.origins[first] == Origin.FRESH


def test_tokenizers_that_spell_text_differently_are_refused():
    with pytest.raises(ModelError, match="spell text differently"):
        map_between(content_of("gpt2"), content_of("byte-fallback"), old_rows=400)
