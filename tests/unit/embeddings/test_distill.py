"""Distillation: the old model makes of new tokens what it makes of old ones, and nothing but new rows changes."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pico
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from hubadapt.checkpoint import find_tables, load_config, read_tensor
from hubadapt.embeddings.snippets import cut, draw_snippets
from hubadapt.errors import CorpusError, RecipeError
from hubadapt.evaluation.bits_per_byte import bits_per_byte
from hubadapt.model import load_model, load_tokenizer
from hubadapt.surgery.embed import Start, embed
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap

TEXTS = pico.russian(100)
MODELS = [
    ("llama", True, torch.bfloat16),
    ("llama", False, torch.float32),
    ("gemma2", True, torch.float32),
    ("gpt_neox", False, torch.bfloat16),
]


def method(steps: int = 30, **options: float) -> str:
    settings = {"steps": steps, "batch": 4, "length": 32, "layer": 0.5, **options}
    return f"distill({', '.join(f'{name}={value}' for name, value in settings.items())})"


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: f"{model[0]}-{'tied' if model[1] else 'untied'}")
def model(request, tmp_path_factory):
    """A pico base, a tokenizer of 60 more tokens, and the model that distillation makes of them."""
    architecture, tied, dtype = request.param
    folder = tmp_path_factory.mktemp("distill")
    base = pico.write_model(folder / "base", architecture=architecture, tied=tied, dtype=dtype)
    pico.write_extended(base, folder / "tokenizer", new_tokens=60)
    embed(base, folder / "tokenizer", folder / "out", Start(method(), texts=TEXTS))
    return folder


@pytest.fixture(scope="module")
def untied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distill")
    base = pico.write_model(folder / "base", tied=False)
    pico.write_extended(base, folder / "tokenizer", new_tokens=60)
    return folder


def made(folder, start):
    """The new rows of each table."""
    embed(folder / "base", folder / "tokenizer", folder / "made", start)
    new = VocabMap.load(folder / "tokenizer" / VOCAB_MAP_NAME).rows_of(Origin.COMPOSED)
    names = find_tables(load_config(folder / "made")).names
    return [read_tensor(folder / "made", name)[torch.from_numpy(new)] for name in names]


def test_old_rows_keep_every_bit_and_new_ones_are_learnt(model):
    pieces = VocabMap.load(model / "tokenizer" / VOCAB_MAP_NAME)
    for name in find_tables(load_config(model / "base")).names:
        old, new = read_tensor(model / "base", name), read_tensor(model / "out", name)
        assert new.dtype == old.dtype and new.isfinite().all()
        assert torch.equal(new[: len(old)], old) and len(new) == pieces.new_size


def test_text_that_was_not_seen_takes_fewer_bits_than_with_the_rows_it_began_with(model, tmp_path):
    embed(model / "base", model / "tokenizer", tmp_path / "start", Start("scaled"))
    unseen = pico.russian(20, seed=9)
    before, after = (
        bits_per_byte(load_model(folder), load_tokenizer(folder), unseen)
        for folder in (tmp_path / "start", model / "out")
    )
    assert after.value < before.value - 0.02


@torch.no_grad()
def distance(folder, adapted) -> float:
    """Mean squared distance after the first layer between both models, where both have read the same characters."""
    texts = pico.russian(10, seed=9)
    states = []
    for place in (folder / "base", adapted):
        encoder, model = Tokenizer.from_file(str(place / "tokenizer.json")), load_model(place)
        read = {}
        for text in texts:
            encoding = encoder.encode(text, add_special_tokens=False)
            hidden = model(torch.tensor([encoding.ids]), output_hidden_states=True).hidden_states[1][0]
            read |= {(text, end): state for (_, end), state in zip(encoding.offsets, hidden, strict=True)}
        states.append(read)
    common = states[0].keys() & states[1].keys()
    return float(np.mean([(states[0][key] - states[1][key]).square().mean().item() for key in common]))


def test_an_input_table_learns_the_hidden_states_of_the_old_tokenization(untied, tmp_path):
    for name in ("scaled", method(layer=1)):
        embed(untied / "base", untied / "tokenizer", tmp_path / name[:6], Start(name, "mean", texts=TEXTS))
    assert distance(untied, tmp_path / "distil") < 0.8 * distance(untied, tmp_path / "scaled")


def test_the_same_seed_gives_the_same_rows_and_another_one_others(untied):
    first, again, other = (made(untied, Start(method(3), texts=TEXTS, seed=seed)) for seed in (0, 0, 1))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(first, other, strict=True))


def test_a_token_that_the_texts_lack_gets_what_all_share_and_nothing_of_its_own(untied):
    text = "река дом река дом сад зима"
    encoder = Tokenizer.from_file(str(untied / "tokenizer" / "tokenizer.json"))
    new = VocabMap.load(untied / "tokenizer" / VOCAB_MAP_NAME).rows_of(Origin.COMPOSED)
    seen = torch.from_numpy(np.isin(new, encoder.encode(text).ids))
    assert seen.any() and not seen.all()
    starts = made(untied, Start("scaled"))
    for rows, start in zip(made(untied, Start(method(4, map_rate=0), texts=[text] * 9)), starts, strict=True):
        torch.testing.assert_close(rows[~seen], start[~seen])
        assert ((rows[seen] - start[seen]).abs() > 1e-4).any(dim=1).all()
    for rows, start in zip(made(untied, Start(method(4), texts=[text] * 9)), starts, strict=True):
        assert ((rows - start).abs() > 1e-4).any(dim=1).all()


def test_texts_without_a_new_token_are_refused(untied):
    with pytest.raises(CorpusError, match="the texts hold none of the 60 new tokens"):
        made(untied, Start(method(), texts=pico.english(5)))


@pytest.mark.parametrize("layer", [3, 1.6, 0, -0.5])
def test_a_layer_that_the_model_lacks_is_refused(untied, layer):
    with pytest.raises(RecipeError, match=f"distill is {layer}, but the model has 2 layers"):
        made(untied, Start(method(layer=layer), texts=TEXTS))


def test_every_step_is_shown(untied, tmp_path):
    shown = []

    @contextmanager
    def bar(description, total):
        yield lambda count: shown.append((description, total, count))

    start = Start(method(3), "mean", texts=TEXTS)
    embed(untied / "base", untied / "tokenizer", tmp_path / "out", start, progress=bar)
    assert [event for event in shown if "distilling" in event[0]] == [("distilling new rows", 3, 1)] * 3


def encoders(folder):
    return tuple(Tokenizer.from_file(str(folder / name / "tokenizer.json")) for name in ("base", "tokenizer"))


words = st.lists(st.sampled_from([*" ".join(pico.russian(5)).split(), "ƒêй", "🙂", "the", "\n", "҉"]), max_size=40)


@given(words, st.integers(2, 12))
def test_snippets_have_read_the_same_characters_where_they_say_so(untied, chosen, length):
    old_encoder, new_encoder = encoders(untied)
    text = " ".join(chosen)
    rest = text
    for snippet in cut(text, (old_encoder, new_encoder), length):
        assert len(snippet.new) <= length
        assert snippet.new_ends[-1] == len(snippet.new) - 1 and snippet.old_ends[-1] == len(snippet.old) - 1
        assert (np.diff(snippet.new_ends) > 0).all() and (np.diff(snippet.old_ends) > 0).all()
        for old_end, new_end in zip(snippet.old_ends, snippet.new_ends, strict=True):
            read = old_encoder.decode(snippet.old[: old_end + 1].tolist())
            assert read == new_encoder.decode(snippet.new[: new_end + 1].tolist()) and "\ufffd" not in read
        assert read in rest
        rest = rest[rest.index(read) + len(read) :]


def test_snippets_come_in_an_order_of_the_seed_and_hold_each_character_once(untied):
    texts = [" ".join(pico.russian(40, seed=seed)) for seed in range(4)]
    drawn = [
        [tuple(snippet.new) for snippet in draw_snippets(texts, encoders(untied), length=16, seed=seed)]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(drawn[0]) == sorted(drawn[2])
    total = sum(len(encoders(untied)[1].encode(text).ids) for text in texts)
    assert 0.9 * total < sum(map(len, drawn[0])) <= total
