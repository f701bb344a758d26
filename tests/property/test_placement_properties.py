"""Tokens of a sibling's own: whatever ids they had and the new vocabulary took, none is lost, shared or renamed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from hubadapt.propagation.apply import PROJECTED
from hubadapt.surgery.placement import Vocabularies, added_tokens, place
from hubadapt.surgery.sibling_tokenizer import sibling_content
from hubadapt.tokenizer.byte_level import byte_to_char
from hubadapt.tokenizer.families import all_entries
from hubadapt.vocab_map import Origin, from_pieces

WORDS = 8
BYTES = list(byte_to_char().values())
FOLDER = Path("sibling")


def token(content: str, index: int) -> dict[str, object]:
    return {
        "id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
        "special": True,
    }  # fmt: skip


def tokenizer(added: dict[str, int], new: dict[str, int] | None = None) -> dict[str, object]:
    """A byte-level BPE of the bytes, added tokens and, where it has new ones, entries of their own for all of these."""
    vocab = {entry: index for index, entry in enumerate(BYTES)} | (dict(added) | new if new else {})
    return {
        "version": "1.0", "normalizer": None, "post_processor": None, "decoder": None,
        "truncation": None, "padding": None,
        "added_tokens": [token(content, index) for content, index in added.items()],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocab, "merges": [["a", entry[1]] for entry in new or ()]},
    }  # fmt: skip


@st.composite
def families(draw):
    """A base, its adapted form and a sibling: tokenizers, map, and rows of the sibling."""
    service = draw(st.integers(0, 3))
    base_added = {f"<s{number}>": 256 + number for number in range(service)}
    base_rows = 256 + service + draw(st.integers(0, 4))
    # New tokens begin where the base's rows end, or later, to leave room for siblings.
    room = draw(st.integers(0, 6))
    letters = "bcdefghi"[: draw(st.integers(1, 8))]
    new = {f"a{letter}": base_rows + room + number for number, letter in enumerate(letters)}
    pieces = [[] for _ in range(room)] + [[BYTES.index("a"), BYTES.index(letter)] for letter in letters]
    kept = draw(st.lists(st.booleans(), min_size=service, max_size=service))
    mine = {name: index for (name, index), stays in zip(base_added.items(), kept, strict=True) if stays}
    renamed = {f"<r{index}>": index for name, index in base_added.items() if name not in mine and draw(st.booleans())}
    free = [index for index in range(256 + service, base_rows + 9)]
    own = {f"<o{index}>": index for index in draw(st.lists(st.sampled_from(free), unique=True, max_size=5))}
    sibling = mine | renamed | own
    rows = max(
        [base_rows - draw(st.integers(0, base_rows - 256 - service)), *(index + 1 for index in sibling.values())]
    )
    rows += draw(st.integers(0, 3))
    vocabularies = Vocabularies(tokenizer(base_added), tokenizer(base_added, new), from_pieces(base_rows, pieces))
    # Added tokens with gaps between their ids only load where the vocabulary has them too.
    content = tokenizer(sibling)
    content["model"]["vocab"] |= sibling
    return vocabularies, content, rows


@given(families())
def test_every_token_of_a_sibling_keeps_its_text_and_row_and_no_id_has_two_meanings(family):
    vocabularies, sibling, rows = family
    placement = place(vocabularies, sibling, rows, FOLDER)
    content = sibling_content(vocabularies, sibling, placement, FOLDER)
    before, learnt = added_tokens(sibling), all_entries(vocabularies.adapted)
    assert added_tokens(content) == dict(placement.added)
    assert placement.added.keys() == before.keys()
    entries = all_entries(content)
    assert len(set(entries.values())) == len(entries)
    assert max(entries.values()) < len(placement.own)
    for name, index in before.items():
        assert placement.own[placement.added[name]] == index
    for name, index in learnt.items():
        if name not in added_tokens(vocabularies.base):
            assert entries[name] == index
    assert set(entries) == {*before, *(name for name in learnt if name not in added_tokens(vocabularies.base))}


@given(families())
def test_the_tokenizer_that_is_written_has_these_ids_when_it_is_loaded(family):
    vocabularies, sibling, rows = family
    placement = place(vocabularies, sibling, rows, FOLDER)
    content = sibling_content(vocabularies, sibling, placement, FOLDER)
    loaded = Tokenizer.from_str(json.dumps(content))
    for name, index in placement.added.items():
        assert loaded.token_to_id(name) == index
        assert loaded.encode(f"ab{name}cd").ids[-3:-2] == [index]
    assert loaded.encode("ab").ids == Tokenizer.from_str(json.dumps(vocabularies.adapted)).encode("ab").ids


@given(families())
def test_ids_that_the_new_vocabulary_left_free_stay_and_all_rows_there_are_the_siblings(family):
    vocabularies, sibling, rows = family
    vocab_map = vocabularies.vocab_map
    placement = place(vocabularies, sibling, rows, FOLDER)
    free = np.flatnonzero(vocab_map.origins == Origin.FRESH)
    for index in free[free < rows]:
        assert placement.own[index] == index
    for name, index in added_tokens(sibling).items():
        if index < vocab_map.old_size or index in free or index >= vocab_map.new_size:
            assert placement.added[name] == index
        else:
            assert placement.added[name] >= vocab_map.new_size
    taken = placement.own[placement.own != PROJECTED]
    assert len(set(taken.tolist())) == len(taken) and taken.max(initial=0) < rows
    moved = {index for name, index in added_tokens(sibling).items() if placement.added[name] != index}
    assert placement.appended == len(moved) and (placement.moved_ids is None) == (not moved)
