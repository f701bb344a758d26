"""What property tests draw from."""

from __future__ import annotations

import unicodedata

import numpy as np
import regex
from hypothesis import strategies as st

from hubadapt.vocab_map import VocabMap, from_pieces

CYRILLIC = regex.compile(r"\p{Script=Cyrillic}")


def assigned(character: str) -> bool:
    return unicodedata.category(character) not in ("Cn", "Cs", "Co")


any_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
russian_text = st.text(st.sampled_from("абвгдежзийклмнопрстуфхцчшщъыьэюяё АБВ.,!?-—«»0123\n"), max_size=60)
mixed_text = st.lists(st.one_of(any_text, russian_text), max_size=4).map("".join)
other_text = any_text.map(lambda text: "".join(char for char in text if assigned(char) and not CYRILLIC.match(char)))


@st.composite
def vocab_maps(draw: st.DrawFn, *, max_old: int = 20, max_new: int = 20) -> VocabMap:
    """Maps of extended vocabularies, some rows without pieces."""
    old = draw(st.integers(1, max_old))
    pieces = draw(st.lists(st.lists(st.integers(0, old - 1), max_size=5), max_size=max_new))
    return from_pieces(old, pieces)


def dense(vocab_map: VocabMap) -> np.ndarray:
    """The map as a full matrix, V_new × V_old, built one entry at a time."""
    matrix = np.zeros((vocab_map.new_size, vocab_map.old_size))
    for row in range(vocab_map.new_size):
        for entry in range(vocab_map.indptr[row], vocab_map.indptr[row + 1]):
            matrix[row, vocab_map.indices[entry]] += vocab_map.weights[entry]
    return matrix
