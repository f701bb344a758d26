"""Rows of the old tokens that stand where a new one does in a corpus."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import numpy as np
import pico
import pytest
import sentencepieces
import torch
from tokenizers import Tokenizer

from hubadapt.checkpoint import find_tables, load_config, read_tensor
from hubadapt.embeddings import Givens, find_initialisation
from hubadapt.surgery.embed import Start, embed
from hubadapt.tokenizer.build import added, learn, unchanged
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of, spellings
from hubadapt.tokenizer.families import all_entries, read_tokenizer_json
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.replace import replace
from hubadapt.vocab_map import Origin, apply

TEXTS = ["\n".join(pico.russian(60, seed=8)), *pico.russian(60, seed=9)]


def givens_of(content: dict, vocabulary, texts: list[str]) -> Givens:
    old = Tokenizer.from_str(json.dumps(content))
    pieces = vocabulary.vocab_map()
    table = torch.randn(pieces.old_size, 6, generator=torch.Generator().manual_seed(1))
    return Givens(
        pieces, table, "tied", spellings(content, pieces.old_size), texts=texts, encoders=(old, vocabulary.tokenizer)
    )


def extended(content: dict, new_tokens: int = 60):
    dialect = dialect_of(content, ("Cyrillic",))
    rows = max(all_entries(content).values()) + 3
    start = unchanged(content, rows)
    words = count_words(pico.russian(), dialect, ("Cyrillic",))
    learnt = learn(start, words, Lesson(new_tokens, 2, lambda entry: True))
    return added(start, learnt, new_tokens=new_tokens, first_id=rows)


def replaced(content: dict):
    rows = max(all_entries(content).values()) + 1
    return replace(content, [*pico.russian(), *pico.english(30)], size=420, old_rows=rows)


def reference(givens: Givens) -> dict[int, dict[int, float]]:
    """Weights of each row that occurs, one line and one token at a time."""
    lengths = [
        [len(data) for data in spellings(json.loads(encoder.to_str()), encoder.get_vocab_size() + 99)]
        for encoder in givens.encoders
    ]
    seen: dict[int, Counter] = defaultdict(Counter)
    for line in (line for text in givens.texts for line in text.splitlines()):
        old, new = (encoder.encode(line, add_special_tokens=False).ids for encoder in givens.encoders)
        ends = [0]
        for index in old:
            ends.append(ends[-1] + lengths[0][index])
        at = 0
        for index in new:
            begin, at = at, at + lengths[1][index]
            if begin in ends and at in ends and givens.pieces.origins[index] == Origin.COMPOSED:
                seen[index][tuple(old[ends.index(begin) : ends.index(at)])] += 1
    rows: dict[int, dict[int, float]] = {}
    for index, sequences in seen.items():
        row: Counter = Counter()
        for sequence, count in sequences.items():
            for piece in sequence:
                row[piece] += count / sum(sequences.values()) / len(sequence)
        rows[index] = dict(row)
    return rows


def weights_of(rows, index: int) -> dict[int, float]:
    entries = slice(rows.indptr[index], rows.indptr[index + 1])
    return dict(zip(rows.indices[entries].tolist(), rows.weights[entries].tolist(), strict=True))


@pytest.mark.parametrize("style", pico.BYTE_LEVEL_STYLES)
def test_after_an_extension_it_is_the_mean_of_the_pieces(style):
    content = json.loads(pico.byte_level_tokenizer(style).to_str())
    givens = givens_of(content, extended(content), TEXTS)
    rows = find_initialisation("align")(givens)
    torch.testing.assert_close(apply(rows, givens.table), apply(givens.pieces, givens.table))
    assert len(reference(givens)) > 30


@pytest.mark.parametrize("style", ["gpt2", "llama3", "byte-fallback"])
def test_after_a_replacement_it_is_the_old_tokens_in_the_place_of_the_new_one(style):
    content = json.loads(pico.tokenizer_of(style).to_str())
    givens = givens_of(content, replaced(content), TEXTS)
    rows = find_initialisation("align")(givens)
    expected = reference(givens)
    assert expected
    for index in givens.pieces.rows_of(Origin.COMPOSED):
        if index in expected:
            assert weights_of(rows, index) == pytest.approx(expected[index])
        else:
            np.testing.assert_array_equal(
                apply(rows, givens.table)[index].numpy(), apply(givens.pieces, givens.table)[index].numpy()
            )


@pytest.mark.parametrize("kind", sentencepieces.KINDS)
def test_every_sentencepiece_family_has_it(kind, tmp_path):
    content = read_tokenizer_json(sentencepieces.write_folder(tmp_path / "base", kind))
    givens = givens_of(content, extended(content), TEXTS)
    rows = find_initialisation("align")(givens)
    new, old = apply(rows, givens.table), apply(givens.pieces, givens.table)
    copied = givens.pieces.rows_of(Origin.COPIED)
    assert torch.equal(new[copied], old[copied])
    np.testing.assert_array_equal(rows.origins, givens.pieces.origins)


def test_tokens_that_never_occur_keep_the_mean_and_a_factor_scales_composed_rows_alone():
    content = json.loads(pico.byte_level_tokenizer().to_str())
    givens = givens_of(content, extended(content), ["nothing of the kind"])
    rows = find_initialisation("align(by=0.5)")(givens)
    mean, new = apply(givens.pieces, givens.table), apply(rows, givens.table)
    composed = givens.pieces.rows_of(Origin.COMPOSED)
    torch.testing.assert_close(new[composed], 0.5 * mean[composed])
    assert torch.equal(new[: givens.pieces.old_size], givens.table)


def test_a_line_with_a_character_that_one_tokenizer_lacks_is_left_out(tmp_path):
    content = read_tokenizer_json(sentencepieces.write_folder(tmp_path / "base", "unigram"))
    vocabulary = extended(content)
    lacking = [
        text for text in pico.russian(200, seed=5) if 0 in Tokenizer.from_str(json.dumps(content)).encode(text).ids
    ]
    assert lacking
    givens = givens_of(content, vocabulary, lacking)
    rows = find_initialisation("align")(givens)
    torch.testing.assert_close(apply(rows, givens.table), apply(givens.pieces, givens.table))


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_surgery_gives_it_what_it_needs(tied, tmp_path):
    base = pico.write_model(tmp_path / "base", tied=tied, spare_rows=3)
    tokenizer = pico.write_extended(base, tmp_path / "tokenizer", new_tokens=40)
    embed(base, tokenizer, tmp_path / "mean", Start(method="mean"))
    embed(base, tokenizer, tmp_path / "out", Start(method="align", texts=TEXTS))
    for name in find_tables(load_config(base)).names:
        torch.testing.assert_close(read_tensor(tmp_path / "out", name), read_tensor(tmp_path / "mean", name))
