"""Initialisations against plain dense references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import all_givens, dense

from hubadapt.embeddings import Givens, Rows, find_initialisation, initialisations
from hubadapt.vocab_map import Origin, VocabMap, apply_blocks, compose_blocks, from_pieces

FREE = sorted(name for name, method in initialisations().items() if not method.needs)
WEIGHTED = ("mean", "first", "last", "position", "position(rate=-0.5)", "length")


def table_of(givens: Givens, rows: Rows) -> torch.Tensor:
    """The new table, as surgery writes it."""
    if isinstance(rows, VocabMap):
        return torch.cat([torch.zeros(0, givens.table.shape[1]), *apply_blocks(rows, givens.table)])
    return torch.cat([torch.zeros(0, givens.table.shape[1]), *apply_blocks(givens.pieces, givens.table, learnt=rows)])


def composed(givens: Givens, rows: Rows) -> np.ndarray:
    """The new rows, before they are cast, float64."""
    new = givens.pieces.rows_of(Origin.COMPOSED)
    blocks = compose_blocks(rows, givens.table, new) if isinstance(rows, VocabMap) else [rows]
    return torch.cat([torch.zeros(0, givens.table.shape[1]), *blocks]).double().numpy()


def pieces_of(givens: Givens) -> list[list[int]]:
    pieces = givens.pieces
    return [
        pieces.indices[pieces.indptr[row] : pieces.indptr[row + 1]].tolist() for row in pieces.rows_of(Origin.COMPOSED)
    ]


def reference(givens: Givens, weight_of) -> np.ndarray:
    """Σ wᵢ e(pᵢ) / Σ wᵢ, one token at a time; `weight_of` takes place, number of pieces and spelling."""
    old = givens.table.double().numpy()
    rows = []
    for pieces in pieces_of(givens):
        weights = [weight_of(i, len(pieces), givens.spellings[piece]) for i, piece in enumerate(pieces)]
        rows.append(sum(w * old[piece] for w, piece in zip(weights, pieces, strict=True)) / sum(weights))
    return np.array(rows).reshape(len(rows), old.shape[1])


def characters(spelling: bytes) -> int:
    text = spelling.decode("utf-8", errors="replace")
    return max(1, len(spelling) if "\ufffd" in text and "\ufffd".encode() not in spelling else len(text))


@given(all_givens(), st.sampled_from(FREE))
def test_only_composed_rows_differ(givens, name):
    rows = find_initialisation(name)(givens)
    new, pieces = table_of(givens, rows), givens.pieces
    copied = pieces.rows_of(Origin.COPIED)
    assert new.shape == (pieces.new_size, givens.table.shape[1])
    assert torch.equal(new[copied].to(givens.table.dtype), givens.table[pieces.indices[pieces.indptr[copied]]])
    assert not new[pieces.rows_of(Origin.FRESH)].any()
    assert torch.isfinite(new).all()
    if isinstance(rows, VocabMap):
        np.testing.assert_array_equal(rows.origins, pieces.origins)
        assert rows.weights.dtype == np.float64


@given(all_givens(), st.sampled_from(FREE))
def test_the_same_givens_give_the_same_rows(givens, name):
    first, second = find_initialisation(name)(givens), find_initialisation(name)(givens)
    assert torch.equal(table_of(givens, first), table_of(givens, second))


@given(all_givens(), st.floats(-3, 3))
def test_weighted_means_are_those_of_their_formulas(givens, rate):
    formulas = {
        "mean": lambda place, count, spelling: 1,
        "first": lambda place, count, spelling: place == 0,
        "last": lambda place, count, spelling: place == count - 1,
        f"position(rate={rate})": lambda place, count, spelling: math.exp(rate * place),
        "length": lambda place, count, spelling: characters(spelling),
    }
    for name, formula in formulas.items():
        expected = reference(givens, formula)
        np.testing.assert_allclose(composed(givens, find_initialisation(name)(givens)), expected, rtol=1e-4, atol=1e-5)


@given(all_givens(), st.sampled_from(WEIGHTED))
def test_the_weights_of_a_mean_sum_to_one(givens, name):
    sums = dense(find_initialisation(name)(givens)).sum(axis=1)
    np.testing.assert_allclose(sums[givens.pieces.origins != Origin.FRESH], 1.0)


@given(all_givens(), st.sampled_from(["scaled", "first", "last", "position", "length"]), st.floats(0.1, 3))
def test_a_factor_scales_composed_rows_alone(givens, name, by):
    plain, scaled = (dense(find_initialisation(f"{name}(by={factor})")(givens)) for factor in (1.0, by))
    new = givens.pieces.origins == Origin.COMPOSED
    np.testing.assert_allclose(scaled[new], by * plain[new])
    np.testing.assert_array_equal(scaled[~new], plain[~new])


@given(all_givens())
def test_a_rate_of_zero_is_the_plain_mean(givens):
    np.testing.assert_allclose(find_initialisation("position(rate=0)")(givens).weights, givens.pieces.weights)


@given(all_givens(), st.sampled_from([-1000.0, 1000.0]))
def test_a_steep_rate_takes_one_end(givens, rate):
    end = find_initialisation("last" if rate > 0 else "first")(givens)
    np.testing.assert_allclose(find_initialisation(f"position(rate={rate})")(givens).weights, end.weights)


@given(all_givens())
def test_calibrated_rows_point_where_the_mean_points_and_have_one_length(givens):
    mean, rows = (composed(givens, find_initialisation(name)(givens)) for name in ("mean", "calibrated"))
    norms = np.linalg.norm(givens.table.double().numpy(), axis=1)
    spelled = [norm for norm, spelling in zip(norms, givens.spellings, strict=True) if spelling]
    floor = np.quantile(spelled, 0.01) if spelled else 0
    used = sorted({piece for pieces in pieces_of(givens) for piece in pieces})
    trained = [norms[piece] for piece in used if norms[piece] >= floor - 1e-9] or [norms[piece] for piece in used]
    for before, after in zip(mean, rows, strict=True):
        if np.linalg.norm(before) > 1e-3:
            expected = before / np.linalg.norm(before) * np.median(trained)
            np.testing.assert_allclose(after, expected, rtol=2e-3, atol=1e-4)


@given(all_givens())
def test_asymmetric_is_length_weighted_in_heads_and_calibrated_elsewhere(givens):
    rule = find_initialisation("length" if givens.role == "head" else "calibrated")(givens)
    np.testing.assert_array_equal(find_initialisation("asymmetric")(givens).weights, rule.weights)


@pytest.mark.parametrize("name", ["gaussian(scale=1)", "random"])
def test_drawn_rows_differ_by_seed_and_by_table(name):
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    givens = [
        Givens(from_pieces(9, [[0], [1]]), table, role, [b"a"] * 9, seed=seed)
        for role in ("input", "head", "tied")
        for seed in (0, 1, 2)
    ]
    drawn = [find_initialisation(name)(each) for each in givens]
    assert not any(torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


@pytest.mark.parametrize("spelled", [True, False])
def test_gaussian_rows_have_the_mean_and_the_covariance_of_rows_that_stand_for_text(spelled):
    mixing = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    table = torch.randn(5000, 5, generator=torch.Generator().manual_seed(2)) @ mixing + 3
    table[4000:] = 100  # padding
    text = 4000 if spelled else 0
    givens = Givens(from_pieces(5000, [[0]] * 50_000), table, "tied", [b"a"] * text + [b""] * (5000 - text))
    rows = find_initialisation("gaussian(scale=1)")(givens).double()
    known = (table[:text] if spelled else table).double()
    torch.testing.assert_close(rows.mean(dim=0), known.mean(dim=0), rtol=0.03, atol=0.05)
    torch.testing.assert_close(rows.T.cov(), known.T.cov(), rtol=0.05, atol=0.1)
    close = find_initialisation("gaussian")(givens)
    torch.testing.assert_close(close, known.mean(dim=0).float().expand_as(close), rtol=1e-3, atol=1e-2)


def test_random_rows_have_the_spread_they_are_given():
    givens = Givens(from_pieces(2, [[0]] * 20_000), torch.ones(2, 8), "input", [b"a", b"b"])
    rows = find_initialisation("random(std=0.5)")(givens)
    assert abs(rows.mean()) < 0.01
    assert abs(rows.std() - 0.5) < 0.01
