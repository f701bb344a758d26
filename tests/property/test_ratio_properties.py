"""Ratios of sums: what holds whatever the numbers are."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.ratio import ratio_of_sums

pairs = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 200)), min_size=2, max_size=30)


def columns(rows):
    return [above for above, _ in rows], [below for _, below in rows]


@given(rows=pairs)
def test_it_is_one_sum_over_the_other_and_lies_between_the_single_ratios(rows):
    above, below = columns(rows)
    ratio = ratio_of_sums(above, below)
    single = [a / b for a, b in rows]
    assert ratio.value == pytest.approx(sum(above) / sum(below)) and ratio.n == len(rows)
    assert min(single) - 1e-9 <= ratio.value <= max(single) + 1e-9


@given(values=st.lists(st.integers(0, 500), min_size=2, max_size=30), size=st.integers(1, 50))
def test_over_equal_denominators_it_is_a_mean_with_the_error_of_a_mean(values, size):
    ratio = ratio_of_sums(values, [size] * len(values))
    assert ratio.value == pytest.approx(statistics.fmean(values) / size)
    assert ratio.stderr == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)) / size, abs=1e-12)


@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=30), factor=st.floats(0.01, 100))
def test_equal_ratios_have_no_error(sizes, factor):
    ratio = ratio_of_sums([factor * size for size in sizes], sizes)
    assert ratio.value == pytest.approx(factor) and ratio.stderr == pytest.approx(0, abs=1e-9 * factor)


@given(rows=pairs, factor=st.floats(0.01, 100))
def test_value_and_error_scale_with_the_numerators(rows, factor):
    above, below = columns(rows)
    once, scaled = ratio_of_sums(above, below), ratio_of_sums([factor * a for a in above], below)
    assert scaled.value == pytest.approx(factor * once.value)
    assert scaled.stderr == pytest.approx(factor * once.stderr, abs=1e-9)


def test_an_example_by_hand():
    ratio = ratio_of_sums([1, 3], [1, 1])
    assert (ratio.value, ratio.stderr, ratio.n) == (2, pytest.approx(1), 2)
