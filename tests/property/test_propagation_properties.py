"""LEP: what maps and assembled tables must be, whatever the tables hold, against plain dense float64 algebra.

The numbers (i) to (vii) are those of the list of properties in the method's notes.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import dense

from hubadapt.propagation.apply import PROJECTED, Adaptation, propagate_table, propagated_blocks
from hubadapt.propagation.choose import RIDGES, split_rows
from hubadapt.propagation.fit import fit_maps
from hubadapt.propagation.forms import LINEAR, Form, Transfer
from hubadapt.propagation.lanczos import largest_eigenvalue
from hubadapt.propagation.rows import composed, usable_rows
from hubadapt.propagation.solve import UndeterminedMapError, factorise, solve_propagation
from hubadapt.propagation.sums import Sums
from hubadapt.vocab_map import Origin, apply, from_pieces

WIDTH, OLD = 6, 90
NOTHING = np.empty(0, dtype=np.int64)
FORMS = [Transfer(form, 0.1 if form is Form.RIDGE else 0.0) for form in Form]
DTYPES = [torch.float64, torch.float32, torch.bfloat16]
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
    adapted[OLD:] += normal(seed + 1, *adapted[OLD:].shape).to(adapted.dtype)
    adapted[3] += 1.0
    return adapted


def least_squares(x: torch.Tensor, y: torch.Tensor, ridge: float = 0.0) -> torch.Tensor:
    """The map by a dense solver that squares nothing: the ridge is D more rows."""
    size = x.shape[1]
    pull = (ridge * float((x * x).sum()) / size) ** 0.5 * torch.eye(size, dtype=torch.float64)
    return torch.linalg.lstsq(torch.cat([x, pull]), torch.cat([y, pull]), driver="gelsy").solution


@given(seeds, maps(), st.sampled_from(FORMS), st.sampled_from(DTYPES))
def test_i_a_sibling_equal_to_the_base_gets_the_identity_and_the_adapted_table_bit_for_bit(
    seed, vocab_map, transfer, dtype
):
    base = normal(seed, OLD, WIDTH).to(dtype)
    adapted = moved(seed, vocab_map, base)
    result = propagate_table(base, base, adapted, vocab_map, service=NOTHING, transfer=transfer)
    assert torch.equal(result.solution.matrix, torch.eye(WIDTH, dtype=torch.float64))
    assert torch.equal(result.table, adapted)
    assert result.solution.residual in (0, None)
    assert (result.solution.shift, result.solution.distance) == (0, 0)


@given(seeds, maps(), st.sampled_from([Transfer(Form.OVERLAP), Transfer(Form.CONVERSION)]))
def test_ii_a_sibling_that_is_the_base_turned_gets_exactly_that_turn(seed, vocab_map, transfer):
    base, turn = normal(seed, OLD, WIDTH), normal(seed + 2, WIDTH, WIDTH)
    adapted = moved(seed, vocab_map, base)
    result = propagate_table(base, base @ turn, adapted, vocab_map, service=NOTHING, transfer=transfer)
    assert torch.allclose(result.solution.matrix, turn, atol=1e-10)
    assert torch.allclose(result.table, adapted @ turn, atol=1e-9)
    assert result.solution.residual < 1e-6


@given(seeds, st.sampled_from([Form.OVERLAP, Form.CONVERSION]))
def test_iii_with_the_same_vocabulary_it_is_least_squares_on_all_rows(seed, form):
    base, sibling = normal(seed, OLD, WIDTH), normal(seed + 3, OLD, WIDTH)
    vocab_map = from_pieces(OLD, [])
    result = propagate_table(base, sibling, base + 1, vocab_map, service=NOTHING, transfer=Transfer(form))
    assert torch.allclose(result.solution.matrix, least_squares(base, sibling), atol=1e-10)


@given(seeds, maps(), st.sampled_from([0.0, 1e-3, 1.0]))
def test_every_fitted_form_is_the_one_of_a_dense_solver(seed, vocab_map, ridge):
    base, sibling = normal(seed, OLD, WIDTH), normal(seed + 3, OLD, WIDTH)
    x, y = (torch.from_numpy(dense(vocab_map)) @ table for table in (base, sibling))
    rows = {Form.CONVERSION: slice(None), Form.RIDGE: slice(None), Form.OVERLAP: slice(OLD)}
    usable = usable_rows(vocab_map, np.arange(OLD))
    for form in LINEAR:
        (found,) = fit_maps(base, [sibling], vocab_map, usable, Transfer(form, ridge))
        here, there = x[rows[form]], y[rows[form]]
        expected = least_squares(here, there, ridge)
        assert torch.allclose(found.matrix, expected, atol=1e-10)
        assert found.rows == len(here)
        assert found.residual == pytest.approx(float((here @ expected - there).norm() / there.norm()))
        assert found.shift == pytest.approx(float((here - there).norm() / there.norm()))
        gram = here.T @ here
        pulled = gram + ridge * gram.trace() / WIDTH * torch.eye(WIDTH, dtype=torch.float64)
        assert found.condition == pytest.approx(float(torch.linalg.cond(pulled)))
        assert found.distance == pytest.approx(
            float((expected - torch.eye(WIDTH, dtype=torch.float64)).norm()) / WIDTH**0.5
        )


@given(seeds, maps())
def test_the_delta_form_moves_each_row_as_its_pieces_moved(seed, vocab_map):
    base, sibling = normal(seed, OLD, WIDTH), normal(seed + 3, OLD, WIDTH)
    adapted = moved(seed, vocab_map, base)
    result = propagate_table(base, sibling, adapted, vocab_map, service=NOTHING, transfer=Transfer(Form.DELTA))
    expected = adapted + torch.from_numpy(dense(vocab_map)) @ (sibling - base)
    assert torch.allclose(result.table, expected, atol=1e-12)
    assert result.solution.residual is None


@given(seeds, maps())
def test_the_swap_takes_the_rows_that_moved_from_the_adapted_table(seed, vocab_map):
    base, sibling = normal(seed, OLD, WIDTH), normal(seed + 3, OLD, WIDTH)
    adapted = moved(seed, vocab_map, base)
    result = propagate_table(base, sibling, adapted, vocab_map, service=NOTHING, transfer=Transfer(Form.SWAP))
    rows = [3, *range(OLD, vocab_map.new_size)]
    assert torch.equal(result.table[rows], adapted[rows])
    assert result.projected == len(rows)


@given(seeds, maps())
def test_iv_an_adapted_table_that_did_not_move_gives_the_sibling_with_the_residual_of_least_squares(seed, vocab_map):
    base, sibling = normal(seed, OLD, WIDTH), normal(seed + 3, OLD, WIDTH)
    result = propagate_table(base, sibling, apply(vocab_map, base), vocab_map, service=NOTHING)
    assert torch.equal(result.table[:OLD], sibling)
    assert (result.kept, result.projected) == (OLD, vocab_map.new_size - OLD)


@given(seeds, maps(), st.sets(st.integers(0, OLD - 1), max_size=4), st.sampled_from(FORMS))
def test_v_service_rows_and_rows_that_did_not_move_are_the_siblings_bit_for_bit(seed, vocab_map, service, transfer):
    base, sibling = normal(seed, OLD, WIDTH).float(), normal(seed + 3, OLD, WIDTH).bfloat16()
    adapted = moved(seed, vocab_map, base)
    ids = np.array(sorted(service), dtype=np.int64)
    result = propagate_table(base, sibling, adapted, vocab_map, service=ids, transfer=transfer)
    assert torch.equal(result.table[ids], sibling[ids])
    assert result.table.dtype == torch.bfloat16
    unmoved = [row for row in range(OLD) if row != 3]
    assert torch.equal(result.table[unmoved], sibling[unmoved])


def test_vii_fewer_rows_than_the_width_need_a_ridge_and_the_condition_is_told():
    few = [normal(1, WIDTH - 1, WIDTH)]
    with pytest.raises(UndeterminedMapError, match="5 rows cannot determine a map of 6 × 6 without a ridge"):
        solve_propagation(few, few)
    flat = [normal(1, 20, WIDTH)]
    flat[0][:, 0] = flat[0][:, 1]
    with pytest.raises(UndeterminedMapError, match="the rows do not determine the map: "):
        solve_propagation(flat, flat)
    solved = solve_propagation(few, few, ridge=1e-6)
    assert 1 < solved.condition < 1e14 and solved.rows == WIDTH - 1
    with pytest.raises(UndeterminedMapError, match="0 rows"):
        solve_propagation([], [])


@given(seeds, st.integers(1, 29))
def test_blocks_do_not_matter(seed, cut):
    x, y = normal(seed, 30, WIDTH), normal(seed + 1, 30, WIDTH)
    whole, parts = solve_propagation([x], [y]), solve_propagation([x[:cut], x[cut:]], [y[:cut], y[cut:]])
    assert torch.allclose(whole.matrix, parts.matrix, atol=1e-10)
    assert whole.rows == parts.rows == 30
    assert whole.residual == pytest.approx(parts.residual)


@given(seeds, maps(), st.sampled_from(FORMS), st.integers(2, 4))
def test_many_siblings_get_what_each_gets_alone(seed, vocab_map, transfer, count):
    base = normal(seed, OLD, WIDTH)
    siblings = [base + 0.1**place * normal(seed + place, OLD, WIDTH) for place in range(count)]
    usable = usable_rows(vocab_map, np.arange(OLD))
    together = fit_maps(base, siblings, vocab_map, usable, transfer)
    for sibling, found in zip(siblings, together, strict=True):
        (alone,) = fit_maps(base, [sibling], vocab_map, usable, transfer)
        assert torch.equal(alone.matrix, found.matrix)
        assert (alone.form, alone.residual, alone.held_out) == (found.form, found.residual, found.held_out)


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
    assert torch.allclose(result.table[OLD], adapted[OLD] @ turn, atol=1e-10)


@given(maps(), st.sets(st.integers(0, OLD - 1)))
def test_rows_are_usable_if_all_they_are_made_of_is_known(vocab_map, known):
    matrix = dense(vocab_map)
    unknown = [index for index in range(OLD) if index not in known]
    expected = [row for row in range(vocab_map.new_size) if matrix[row].any() and not matrix[row, unknown].any()]
    assert usable_rows(vocab_map, np.array(sorted(known), dtype=np.int64)).tolist() == expected


@given(seeds, maps(), st.sampled_from(DTYPES))
def test_rows_are_composed_as_the_dense_map_says_and_the_table_stays_as_it_was(seed, vocab_map, dtype):
    table = normal(seed, OLD, WIDTH).to(dtype)
    before = table.clone()
    ids = np.random.default_rng(seed).permutation(vocab_map.new_size)
    expected = torch.from_numpy(dense(vocab_map)) @ table.double()
    found = composed(vocab_map, table, ids)
    assert torch.allclose(found, expected[torch.from_numpy(ids)], atol=1e-14)
    found += 1
    assert torch.equal(table, before)
    assert composed(vocab_map, table, NOTHING).shape == (0, WIDTH)


@given(maps())
def test_what_a_form_is_judged_on_is_in_nothing_that_candidates_are_fitted_on(vocab_map):
    usable = usable_rows(vocab_map, np.arange(OLD))
    split = split_rows(vocab_map, usable)
    parts = (split.held_out, split.copied, split.composed, split.touched)
    assert sorted(np.concatenate(parts).tolist()) == usable.tolist()
    assert len(split.held_out) == OLD // 10
    matrix = dense(vocab_map)
    assert not matrix[split.composed][:, split.held_out].any() and not matrix[split.copied][:, split.held_out].any()
    assert matrix[split.touched][:, split.held_out].any(axis=1).all()


@given(seeds, maps(), st.sampled_from(["turned", "noise", "both"]))
def test_the_form_that_is_chosen_is_the_best_on_held_out_rows_and_as_if_it_had_been_asked_for(seed, vocab_map, kind):
    base = normal(seed, OLD, WIDTH)
    turn = torch.eye(WIDTH, dtype=torch.float64) + 0.3 * normal(seed + 2, WIDTH, WIDTH)
    sibling = base if kind == "noise" else base @ turn
    if kind != "turned":
        sibling = sibling + 0.3 * normal(seed + 3, OLD, WIDTH)
    usable = usable_rows(vocab_map, np.arange(OLD))
    (found,) = fit_maps(base, [sibling], vocab_map, usable, Transfer(Form.AUTO))
    assert list(found.held_out) == ["swap", "overlap", "conversion", *(f"ridge {ridge:g}" for ridge in RIDGES)]
    name = f"{found.form} {found.ridge:g}" if found.ridge else found.form
    assert found.held_out[name] == min(found.held_out.values())
    (asked,) = fit_maps(base, [sibling], vocab_map, usable, Transfer(Form(found.form), found.ridge))
    assert torch.allclose(found.matrix, asked.matrix, atol=1e-12)
    if kind == "turned":
        assert found.form in (Form.OVERLAP, Form.CONVERSION)


def test_a_choice_leaves_out_what_too_few_rows_cannot_determine():
    vocab_map, base = from_pieces(5, []), normal(1, 5, WIDTH)
    (found,) = fit_maps(base, [base + 0.1 * normal(2, 5, WIDTH)], vocab_map, np.arange(5), Transfer(Form.AUTO))
    assert list(found.held_out) == ["swap", *(f"ridge {ridge:g}" for ridge in RIDGES)]
    with pytest.raises(UndeterminedMapError, match="no row is shared"):
        fit_maps(base, [base], vocab_map, NOTHING, Transfer(Form.AUTO))


@given(seeds, st.integers(1, 60))
def test_the_largest_eigenvalue_is_found(seed, size):
    root = normal(seed, size, size)
    matrix = root @ root.T
    expected = float(torch.linalg.eigvalsh(matrix)[-1])
    assert largest_eigenvalue(lambda vector: matrix @ vector, size) == pytest.approx(expected, rel=1e-2)
    assert largest_eigenvalue(lambda vector: 2 * vector, size) == pytest.approx(2)


def test_the_condition_of_a_spread_out_spectrum_is_told_within_a_few_percent():
    size = 200
    turn, _ = torch.linalg.qr(normal(3, size, size))
    sums = Sums.zero(size, 0)
    sums.add(torch.diag(torch.logspace(0, -3, size, dtype=torch.float64)) @ turn, [])
    assert factorise(sums, 0.0).condition == pytest.approx(1e6, rel=0.03)


def test_rows_past_the_adapted_table_are_the_siblings_own_or_zero():
    base = normal(1, 4, WIDTH)
    sibling = normal(2, 6, WIDTH)
    (found,) = fit_maps(base, [sibling], from_pieces(4, []), np.arange(4), Transfer(Form.SWAP))
    own = np.array([0, 1, 2, 3, PROJECTED, 5])
    (block,) = propagated_blocks(Adaptation(base, base, from_pieces(4, []), np.arange(4)), sibling, own, found)
    assert torch.equal(block[[0, 1, 2, 3, 5]], sibling[[0, 1, 2, 3, 5]])
    assert not block[4].any()
