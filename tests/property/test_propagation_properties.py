"""LEP: what the least-squares map and the assembled table must be, whatever the tables hold.

The numbers (i) to (vii) are those of the list of properties in the method's notes.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import dense

from hubadapt.propagation.apply import propagate_table
from hubadapt.propagation.solve import solve_propagation
from hubadapt.vocab_map import Origin, apply, from_pieces

WIDTH, OLD = 6, 30
NOTHING = np.empty(0, dtype=np.int64)
seeds = st.integers(0, 10_000)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@st.composite
def maps(draw):
    """Maps of an extended vocabulary over OLD rows, every new row composed."""
    return from_pieces(OLD, draw(st.lists(st.lists(st.integers(0, OLD - 1), min_size=1, max_size=4), max_size=8)))


def moved(seed: int, vocab_map, base: torch.Tensor) -> torch.Tensor:
    """An adapted table: all rows of the base, the new ones and one old one learnt."""
    adapted = apply(vocab_map, base)
    adapted[OLD:] += normal(seed + 1, *adapted[OLD:].shape)
    adapted[3] += 1.0
    return adapted


@given(seeds, maps())
def test_i_a_sibling_equal_to_the_base_gets_the_identity_and_the_adapted_table(seed, vocab_map):
    base = normal(seed, OLD, WIDTH)
    adapted = moved(seed, vocab_map, base)
    result = propagate_table(base, base, adapted, vocab_map, service=NOTHING)
    assert torch.allclose(result.solution.matrix, torch.eye(WIDTH, dtype=torch.float64), atol=1e-10)
    assert torch.allclose(result.table, adapted, atol=1e-9)
    assert result.solution.residual < 1e-7 and result.solution.shift == 0


@given(seeds, maps())
def test_ii_a_sibling_that_is_the_base_turned_gets_exactly_that_turn(seed, vocab_map):
    base, turn = normal(seed, OLD, WIDTH), normal(seed + 2, WIDTH, WIDTH)
    adapted = moved(seed, vocab_map, base)
    result = propagate_table(base, base @ turn, adapted, vocab_map, service=NOTHING)
    # Rows are composed in float32 on their way to the sums.
    assert torch.allclose(result.solution.matrix, turn, atol=1e-5)
    assert torch.allclose(result.table, adapted @ turn, atol=1e-4)


@given(seeds)
def test_iii_with_the_same_vocabulary_it_is_least_squares_on_all_rows(seed):
    base, sibling = normal(seed, OLD, WIDTH), normal(seed + 3, OLD, WIDTH)
    result = propagate_table(base, sibling, base + 1, from_pieces(OLD, []), service=NOTHING)
    expected = torch.linalg.lstsq(base, sibling, driver="gelsy").solution
    assert torch.allclose(result.solution.matrix, expected, atol=1e-5)


@given(seeds, maps())
def test_iv_an_adapted_table_that_did_not_move_gives_the_sibling_with_the_residual_of_least_squares(seed, vocab_map):
    base, sibling = normal(seed, OLD, WIDTH), normal(seed + 3, OLD, WIDTH)
    matrix = torch.from_numpy(dense(vocab_map))
    result = propagate_table(base, sibling, apply(vocab_map, base), vocab_map, service=NOTHING)
    assert torch.equal(result.table[:OLD], sibling)
    x, y = matrix @ base, matrix @ sibling
    error = x @ torch.linalg.lstsq(x, y, driver="gelsy").solution - y
    assert result.solution.residual == pytest.approx(float(error.norm() / y.norm()), abs=1e-5)
    assert result.solution.shift == pytest.approx(float((x - y).norm() / y.norm()), abs=1e-5)
    assert (result.kept, result.projected) == (OLD, vocab_map.new_size - OLD)


@given(seeds, maps(), st.sets(st.integers(0, OLD - 1), max_size=4))
def test_v_service_rows_are_the_siblings_bit_for_bit(seed, vocab_map, service):
    base, sibling = normal(seed, OLD, WIDTH).float(), normal(seed + 3, OLD, WIDTH).bfloat16()
    adapted = moved(seed, vocab_map, base)
    ids = np.array(sorted(service), dtype=np.int64)
    result = propagate_table(base, sibling, adapted, vocab_map, service=ids)
    assert torch.equal(result.table[ids], sibling[ids])
    assert result.table.dtype == torch.bfloat16
    unmoved = [row for row in range(OLD) if row != 3]
    assert torch.equal(result.table[unmoved], sibling[unmoved])


def test_vii_fewer_rows_than_the_width_need_a_ridge_and_the_condition_is_told():
    few = [normal(1, WIDTH - 1, WIDTH)]
    with pytest.raises(ValueError, match="5 rows cannot determine a map of 6 × 6 without a ridge"):
        solve_propagation(few, few)
    flat = [normal(1, 20, WIDTH)]
    flat[0][:, 0] = flat[0][:, 1]
    with pytest.raises(ValueError, match="the rows do not determine the map: the condition number is"):
        solve_propagation(flat, flat)
    solved = solve_propagation(few, few, ridge=1e-6)
    assert 1 < solved.condition < 1e14 and solved.rows == WIDTH - 1
    with pytest.raises(ValueError, match="0 rows"):
        solve_propagation([], [])


@given(seeds, st.integers(1, 29))
def test_blocks_do_not_matter(seed, cut):
    x, y = normal(seed, OLD, WIDTH), normal(seed + 1, OLD, WIDTH)
    whole, parts = solve_propagation([x], [y]), solve_propagation([x[:cut], x[cut:]], [y[:cut], y[cut:]])
    assert torch.allclose(whole.matrix, parts.matrix, atol=1e-8)
    assert whole.rows == parts.rows == OLD
    assert whole.residual == pytest.approx(parts.residual, abs=1e-6)


@given(seeds)
def test_the_map_is_the_best_one(seed):
    x, y = normal(seed, OLD, WIDTH), normal(seed + 1, OLD, WIDTH)
    best = solve_propagation([x], [y])
    for other in (best.matrix + 0.01 * normal(seed + 2, WIDTH, WIDTH), torch.eye(WIDTH, dtype=torch.float64)):
        assert float((x @ other - y).norm() / y.norm()) >= best.residual - 1e-9
    assert best.residual <= best.shift + 1e-9


@given(seeds)
def test_a_huge_ridge_is_the_plain_swap_and_a_small_one_hardly_matters(seed):
    x, y = normal(seed, OLD, WIDTH), normal(seed + 1, OLD, WIDTH)
    identity = torch.eye(WIDTH, dtype=torch.float64)
    assert torch.allclose(solve_propagation([x], [y], ridge=1e9).matrix, identity, atol=1e-6)
    exact = solve_propagation([x], [y]).matrix
    assert torch.allclose(solve_propagation([x], [y], ridge=1e-9).matrix, exact, atol=1e-6)


@settings(max_examples=20)
@given(seeds, st.floats(0.01, 100))
def test_scaling_both_tables_changes_nothing(seed, factor):
    x, y = normal(seed, OLD, WIDTH), normal(seed + 1, OLD, WIDTH)
    for ridge in (0.0, 0.1):
        one, other = (
            solve_propagation([x], [y], ridge=ridge),
            solve_propagation([factor * x], [factor * y], ridge=ridge),
        )
        assert torch.allclose(one.matrix, other.matrix, atol=1e-7)


def test_blocks_and_tables_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="row blocks differ in shape"):
        solve_propagation([torch.zeros(3, 2)], [torch.zeros(2, 2)])
    with pytest.raises(ValueError, match="do not fit"):
        propagate_table(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 2), from_pieces(3, [[0]]), service=NOTHING)


def test_fresh_rows_take_no_part_in_the_fit_and_go_through_the_map():
    vocab_map = from_pieces(OLD, [[], [1, 2]])
    base, turn = normal(5, OLD, WIDTH), normal(6, WIDTH, WIDTH)
    adapted = moved(5, vocab_map, base)
    result = propagate_table(base, base @ turn, adapted, vocab_map, service=NOTHING)
    assert vocab_map.origins[OLD] == Origin.FRESH
    assert result.solution.rows == OLD + 1
    assert torch.allclose(result.table[OLD], adapted[OLD] @ turn, atol=1e-4)
