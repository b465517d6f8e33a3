"""Intervals and tests over pictures: the bootstrap, the paired sign-flip test, and Holm's correction.

All random numbers are PCG64 with a fixed seed, so that a report does not change when it is made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
EXACT_UP_TO = 13
"""Pairs whose 2ⁿ sign patterns are all tried; more are drawn at random."""

Doubles = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap(
    values: NDArray[np.floating],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a mean and its 95 % percentile interval over resampled pictures.

    Parameters
    ----------
    values : (N,), one per case: a figure, or the paired difference of two methods. One value or more.
    groups : the picture of each case. Given, whole pictures are resampled, since the holes of one picture are
        no independent observations.

    References
    ----------
    .. [1] Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> bootstrap(np.array([2.0, 2.0, 2.0]))
    Interval(mean=2.0, low=2.0, high=2.0)
    """
    sums, counts = _grouped(np.asarray(values, dtype=np.float64), groups)
    generator = np.random.Generator(np.random.PCG64(seed))
    picks = generator.integers(0, len(sums), size=(resamples, len(sums)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def sign_flip_test(
    differences: NDArray[np.floating],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """Return the p-value (two-sided) of the paired permutation test for a mean of 0.

    If two methods are alike, each picture's difference may as well have the other sign. All sign patterns
    are tried for `EXACT_UP_TO` pictures or fewer, else so many are drawn.

    Parameters
    ----------
    differences : (N,), one per case. One value or more.
    groups : the picture of each case; the signs of its cases flip together.

    References
    ----------
    .. [1] Fisher, The Design of Experiments, 1935, section 21.
    .. [2] Phipson & Smyth, Permutation P-values Should Never Be Zero, 2010 (the added one).

    Examples
    --------
    >>> sign_flip_test(np.array([1.0, 1.0, 1.0]))
    0.25
    """
    sums, _ = _grouped(np.asarray(differences, dtype=np.float64), groups)
    n, seen = len(sums), abs(float(sums.sum()))
    # Sums in another order round differently; a pattern as extreme as the one seen must count.
    bound = seen * (1 - 1e-12)
    if n <= EXACT_UP_TO:
        patterns = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(patterns @ sums) >= bound).mean())
    generator = np.random.Generator(np.random.PCG64(seed))
    signs = 1 - 2 * generator.integers(0, 2, size=(resamples, n), dtype=np.int8)
    extreme = int((np.abs(signs.astype(np.float64) @ sums) >= bound).sum())
    return (extreme + 1) / (resamples + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number: any false alarm among them has the level's chance.

    References
    ----------
    .. [1] Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted


def _grouped(values: Doubles, groups: Sequence[str] | None) -> tuple[Doubles, Doubles]:
    """Return the sum and the number of values of each group."""
    if groups is None:
        return values, np.ones(len(values))
    _, which = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(which, weights=values).astype(np.float64)
    return sums, np.bincount(which).astype(np.float64)
