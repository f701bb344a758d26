"""Ratios of sums over texts, such as characters per token, with their standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ratio:
    """One sum over another, over texts.

    Attributes:
        value: The ratio of the sums.
        stderr: Its standard error over texts; 0 for a single text, which says nothing about others.
        n: Number of texts.
    """

    value: float
    stderr: float
    n: int


def ratio_of_sums(numerators: Sequence[float] | np.ndarray, denominators: Sequence[float] | np.ndarray) -> Ratio:
    """Divide the sum of some quantity over texts by the sum of another, so that long texts count for more.

    Args:
        numerators: The first quantity, a number for each text, at least one.
        denominators: The second, of the same texts in the same order; their sum is not 0.

    Returns:
        The ratio, its standard error by linearisation over texts, and the number of texts.

    Source:
        Cochran 1977, Sampling Techniques, chapter 6, for a population much larger than the sample.
    """
    above = np.asarray(numerators, dtype=np.float64)
    below = np.asarray(denominators, dtype=np.float64)
    value = above.sum() / below.sum()
    n = len(above)
    residuals = above - value * below
    stderr = np.sqrt((residuals**2).sum() * n / max(n - 1, 1)) / below.sum()
    return Ratio(float(value), float(stderr), n)
