"""What property tests draw from."""

from __future__ import annotations

import unicodedata

import numpy as np
import regex
import torch
from hypothesis import strategies as st

from hubadapt.embeddings import Givens, Role
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


@st.composite
def replaced_maps(draw: st.DrawFn, *, max_old: int = 20, max_new: int = 20) -> VocabMap:
    """Maps of vocabularies of which some old rows are gone and others moved, holes among them, some without pieces."""
    old = draw(st.integers(1, max_old))
    copied = draw(
        st.lists(st.integers(-1, old - 1), max_size=max_old, unique_by=lambda index: index if index >= 0 else object())
    )
    pieces = draw(st.lists(st.lists(st.integers(0, old - 1), max_size=5), max_size=max_new))
    return from_pieces(old, pieces, copied=copied)


spelling = st.one_of(st.text(min_size=1, max_size=5).map(str.encode), st.binary(max_size=4), st.just(b""))


@st.composite
def all_givens(draw: st.DrawFn, role: Role | None = None) -> Givens:
    """What an initialisation gets, without donor and texts: all dtypes and roles, vocabularies of both kinds."""
    pieces = draw(st.one_of(vocab_maps(), replaced_maps()))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    table = torch.randn(pieces.old_size, draw(st.integers(1, 8)), generator=generator)
    return Givens(
        pieces=pieces,
        table=table.to(draw(st.sampled_from([torch.float32, torch.float16, torch.bfloat16]))),
        role=role or draw(st.sampled_from(["input", "head", "tied"])),
        spellings=draw(st.lists(spelling, min_size=pieces.old_size, max_size=pieces.old_size)),
        seed=draw(st.integers(0, 9)),
    )


def dense(vocab_map: VocabMap) -> np.ndarray:
    """The map as a full matrix, V_new × V_old, built one entry at a time."""
    matrix = np.zeros((vocab_map.new_size, vocab_map.old_size))
    for row in range(vocab_map.new_size):
        for entry in range(vocab_map.indptr[row], vocab_map.indptr[row + 1]):
            matrix[row, vocab_map.indices[entry]] += vocab_map.weights[entry]
    return matrix
