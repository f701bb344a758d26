"""Orthogonal matching pursuit, and the initialisation that uses it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hubadapt.embeddings import Donor, Givens, find_initialisation, pursuit
from hubadapt.embeddings.pursuit import pursue
from hubadapt.errors import ModelError, RecipeError
from hubadapt.vocab_map import Origin, apply, compose_blocks, from_pieces


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive(target: np.ndarray, atoms: np.ndarray, k: int) -> tuple[list[int], np.ndarray]:
    """The definition, one target at a time, in float64."""
    chosen: list[int] = []
    residual = target
    for _ in range(k):
        scores = np.abs(atoms @ residual)
        scores[chosen] = -1
        chosen.append(int(scores.argmax()))
        weights = np.linalg.lstsq(atoms[chosen].T, target, rcond=None)[0]
        residual = target - weights @ atoms[chosen]
    return chosen, weights


@pytest.fixture
def givens() -> Givens:
    """Thirty old tokens, of which a donor of another width knows twenty; four new ones, of which it knows three."""
    old_ids = [*range(20), *[-1] * 10]
    donor = Donor(normal(60, 12, seed=1), ids=[*old_ids, 50, -1, 51, 52], old_ids=old_ids)
    pieces = from_pieces(30, [[1, 2], [3], [], [4, 5, 6]])
    return Givens(pieces, normal(30, 8, seed=2), "tied", [b"a"] * 30, donor=donor)


@pytest.mark.parametrize("shared", [0.0, 3.0], ids=["centred", "off centre"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pursuit_is_the_naive_one_with_thousands_of_atoms(dtype, shared):
    atoms = (normal(3000, 40, seed=3) + shared * normal(40, seed=4)).to(dtype)
    targets = (normal(20, 40, seed=5) + shared * normal(40, seed=4)).to(dtype)
    chosen, weights = pursue(targets, atoms, 16)
    for target, ours, numbers in zip(targets.double().numpy(), chosen.tolist(), weights.numpy(), strict=True):
        expected, their_numbers = naive(target, atoms.double().numpy(), 16)
        assert ours == expected
        np.testing.assert_allclose(numbers, their_numbers, atol=1e-4)


@pytest.mark.parametrize("short", [True, False], ids=["bfloat16", "float32"])
def test_the_same_atoms_are_chosen_however_they_are_scored(short, monkeypatch):
    atoms, targets = normal(1500, 24, seed=6), normal(9, 24, seed=7)
    usual = pursue(targets, atoms, 12)
    times = iter([0.0, 1.0] if short else [1.0, 0.0])
    monkeypatch.setattr(pursuit, "_seconds", lambda rows: next(times))
    assert torch.equal(pursue(targets, atoms, 12)[0], usual[0])
    monkeypatch.setattr(pursuit, "_seconds", lambda rows: 0.0)
    monkeypatch.setattr(pursuit, "_SAFETY", 1e9)
    searched = pursue(targets, atoms, 12)
    assert torch.equal(searched[0], usual[0])
    torch.testing.assert_close(searched[1], usual[1])


def test_targets_in_several_batches_are_those_in_one(monkeypatch):
    atoms, targets = normal(300, 16, seed=8), normal(23, 16, seed=9)
    together = pursue(targets, atoms, 6)
    monkeypatch.setattr(pursuit, "_BATCH", 5)
    apart = pursue(targets, atoms, 6)
    assert torch.equal(apart[0], together[0])
    torch.testing.assert_close(apart[1], together[1], rtol=1e-5, atol=1e-6)


def test_a_combination_of_few_atoms_is_found_again():
    atoms = normal(400, 128, seed=10)
    parts = torch.stack([torch.randperm(400, generator=torch.Generator().manual_seed(i))[:4] for i in range(30)])
    numbers = normal(30, 4, seed=11).sign() * (1 + normal(30, 4, seed=12).abs())
    chosen, weights = pursue(torch.einsum("nk,nkd->nd", numbers, atoms[parts]), atoms, 9)
    for found, found_numbers, part, own in zip(chosen, weights, parts, numbers, strict=True):
        assert {*found[:4].tolist()} == {*part.tolist()}
        assert dict(zip(found[:4].tolist(), found_numbers.tolist(), strict=False)) == pytest.approx(
            dict(zip(part.tolist(), own.tolist(), strict=True)), abs=1e-4
        )
        assert len({*found.tolist()}) == 9
        assert found_numbers[4:].abs().max() < 1e-5


def test_fewer_atoms_than_k_are_refused():
    with pytest.raises(ValueError, match="3 atoms are fewer than k = 4"):
        pursue(normal(1, 2), normal(3, 2), 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_new_rows_are_the_donors_combinations_of_the_old_ones(givens, dtype):
    givens = replace(givens, table=givens.table.to(dtype))
    rows = find_initialisation("omp(k=5)")(givens)
    donor, old = givens.donor.table.double().numpy(), givens.table.double().numpy()
    for row, donor_id in ((30, 50), (33, 52)):
        chosen, weights = naive(donor[donor_id], donor[:20], 5)
        (made,) = compose_blocks(rows, givens.table, np.array([row]))
        np.testing.assert_allclose(made[0].numpy(), weights @ old[chosen], rtol=1e-4, atol=1e-4)
    new = apply(rows, givens.table)
    assert torch.equal(new[:30], givens.table)
    assert torch.equal(new[31], givens.table[3])  # the donor has no such token: the mean of its pieces
    assert not new[32].any()  # no pieces
    assert np.diff(rows.indptr)[[30, 31, 33]].tolist() == [5, 1, 5]
    np.testing.assert_array_equal(rows.origins, givens.pieces.origins)


def test_a_donor_row_of_zeros_tells_nothing(givens):
    givens.donor.table[50] = 0
    rows = find_initialisation("omp(k=5)")(givens)
    assert torch.equal(apply(rows, givens.table)[30], givens.table[[1, 2]].mean(dim=0))


def test_nothing_new_is_nothing_to_do(givens):
    pieces = from_pieces(30, [])
    rows = find_initialisation("omp")(replace(givens, pieces=pieces))
    assert not len(rows.rows_of(Origin.COMPOSED))


def test_donors_that_cannot_serve_are_refused(givens):
    with pytest.raises(ModelError, match=r"the donor has 20 tokens of the old vocabulary, but omp\(k=21\) combines 21"):
        find_initialisation("omp(k=21)")(givens)
    with pytest.raises(RecipeError, match="cannot combine 0 rows"):
        find_initialisation("omp(k=0)")(givens)
    stranger = replace(givens.donor, ids=[-1] * 34)
    with pytest.raises(ModelError, match="the donor has none of the 3 new tokens"):
        find_initialisation("omp")(replace(givens, donor=stranger))
