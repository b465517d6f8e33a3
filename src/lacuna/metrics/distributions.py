"""Distances between sets of pictures, over features of any net.

The names FID and KID belong to one net (the Inception v3 of their papers, with its weights and its resizing).
Over other features the figures here are as sound, but they compare with nothing printed elsewhere: say which
features they are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError
from lacuna.metrics._inputs import Doubles, check_features

Features = NDArray[np.floating]


class Moments(NamedTuple):
    """Sums over feature vectors, which add up over batches and processes."""

    rows: int
    total: Doubles
    products: Doubles


def frechet_distance(first: Features, second: Features) -> float:
    """Return the squared Fréchet distance of two Gaussians fitted to features; 0 = alike.

    Parameters
    ----------
    first, second : (N, D) and (M, D), one row per picture, two or more. With N below D the covariance is
        singular and the distance is biased upwards; published FIDs use tens of thousands of pictures.

    Raises
    ------
    ImageError : other shapes, or values that are not finite.

    References
    ----------
    .. [1] Heusel et al., GANs Trained by a Two Time-Scale Update Rule …, NeurIPS 2017, eq. 6.
    .. [2] Dowson & Landau, The Fréchet Distance between Multivariate Normal Distributions, 1982.

    Examples
    --------
    >>> square = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=float)
    >>> round(frechet_distance(square, square + [3, 4]), 9)
    25.0
    """
    check_features(first, second, 2)
    if max(len(first), len(second)) < first.shape[1]:
        return _frechet_of_few(first, second)
    return _frechet_compute(_moments_update(first), _moments_update(second))


def kernel_distance(
    first: Features,
    second: Features,
    *,
    subset: int | None = None,
    subsets: int = 100,
    seed: int = 0,
    pictures: tuple[Sequence[str], Sequence[str]] | None = None,
) -> float:
    """Return the squared maximum mean discrepancy under the cubic kernel ``(x·y / D + 1)³``; about 0 = alike.

    Parameters
    ----------
    first, second : (N, D) and (M, D), one row per picture, two or more. Unbiased, so that small sets may be
        used and the figure may be negative.
    subset : None takes all rows once. A number averages over ``subsets`` random draws of so many rows of
        each, without replacement, as the paper does for large sets.
    seed : of the draws.
    pictures : which picture each row is of, (N,) and (M,). Rows of one picture are then never compared with
        one another. Needed where fills meet their own originals: they are alike however good the method,
        which would pull the figure of a small set far below 0. None: every row is a picture of its own.

    Raises
    ------
    ImageError : other shapes, values that are not finite, a subset that is larger than a set, or rows that
        are all of one picture.

    References
    ----------
    .. [1] Bińkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs, ICLR 2018, arXiv:1801.01401.
    """
    check_features(first, second, 2)
    rows = _numbered(len(first), len(second), pictures)
    if subset is None:
        return _kernel_compute(first, second, *rows)
    if not 2 <= subset <= min(len(first), len(second)):
        raise ImageError(f"subsets of {subset} rows from sets of {len(first)} and {len(second)}")
    generator = np.random.Generator(np.random.PCG64(seed))
    draws = []
    for _ in range(subsets):
        a, b = (generator.choice(len(x), subset, replace=False) for x in (first, second))
        draws.append(_kernel_compute(first[a], second[b], rows[0][a], rows[1][b]))
    return float(np.mean(draws))


@dataclass
class Frechet:
    """`frechet_distance` in batches; the memory needed does not grow with the number of pictures.

    Examples
    --------
    >>> square = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=float)
    >>> running = Frechet()
    >>> running.update(first=square[:2], second=square)
    >>> running.update(first=square[2:])
    >>> round(running.compute(), 9)
    0.0
    """

    _first: Moments | None = field(default=None, repr=False)
    _second: Moments | None = field(default=None, repr=False)

    def update(self, *, first: Features | None = None, second: Features | None = None) -> None:
        """Add rows ``(N, D)`` to either set."""
        if first is not None:
            self._first = _added(self._first, _moments_update(first))
        if second is not None:
            self._second = _added(self._second, _moments_update(second))

    def merge(self, other: Frechet) -> None:
        """Add what another one has seen."""
        self._first = _added(self._first, other._first)
        self._second = _added(self._second, other._second)

    def compute(self) -> float:
        """Return the distance of what was seen so far.

        Raises
        ------
        ImageError : fewer than two rows on either side.
        """
        if self._first is None or self._second is None or min(self._first.rows, self._second.rows) < 2:
            raise ImageError("two rows of features or more are needed on each side")
        return _frechet_compute(self._first, self._second)


@dataclass
class Kernel:
    """`kernel_distance` in batches; all features are kept, since the figure needs every pair."""

    _first: list[Features] = field(default_factory=list, repr=False)
    _second: list[Features] = field(default_factory=list, repr=False)

    def update(self, *, first: Features | None = None, second: Features | None = None) -> None:
        """Add rows ``(N, D)`` to either set."""
        self._first += [] if first is None else [first]
        self._second += [] if second is None else [second]

    def merge(self, other: Kernel) -> None:
        """Add what another one has seen."""
        self._first += other._first
        self._second += other._second

    def compute(self) -> float:
        """Return the distance of what was seen so far.

        Raises
        ------
        ImageError : fewer than two rows on either side.
        """
        if not self._first or not self._second:
            raise ImageError("two rows of features or more are needed on each side")
        return kernel_distance(np.concatenate(self._first), np.concatenate(self._second))


def _moments_update(features: Features) -> Moments:
    x = features.astype(np.float64)
    return Moments(len(x), x.sum(axis=0), x.T @ x)


def _added(a: Moments | None, b: Moments | None) -> Moments | None:
    if a is None or b is None:
        return b if a is None else a
    return Moments(a.rows + b.rows, a.total + b.total, a.products + b.products)


def _gaussian(moments: Moments) -> tuple[Doubles, Doubles]:
    mean = moments.total / moments.rows
    covariance = (moments.products - moments.rows * np.outer(mean, mean)) / (moments.rows - 1)
    return mean, covariance


def _frechet_compute(first: Moments, second: Moments) -> float:
    """Return the distance; the trace of √(AB) is that of the symmetric √(√A B √A), found without scipy."""
    (mean_a, a), (mean_b, b) = _gaussian(first), _gaussian(second)
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    return float(np.square(mean_a - mean_b).sum() + np.trace(a) + np.trace(b) - 2 * cross)


def _frechet_of_few(first: Features, second: Features) -> float:
    """Return the distance where there are fewer rows than columns, without a matrix of columns × columns.

    With centred rows A and B the covariances are AᵀA and BᵀB, and the trace of √(AᵀA BᵀB) is the sum of the
    singular values of A Bᵀ.
    """
    means = [x.astype(np.float64).mean(axis=0) for x in (first, second)]
    a, b = ((x - mean) / np.sqrt(len(x) - 1) for x, mean in zip((first, second), means, strict=True))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(np.square(means[0] - means[1]).sum() + np.square(a).sum() + np.square(b).sum() - 2 * cross)


def _numbered(
    n: int, m: int, pictures: tuple[Sequence[str], Sequence[str]] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for the picture of each row."""
    if pictures is None:
        return np.arange(n), np.arange(n, n + m)
    if (len(pictures[0]), len(pictures[1])) != (n, m):
        raise ImageError(f"{len(pictures[0])} and {len(pictures[1])} pictures for {n} and {m} rows")
    numbers = {name: i for i, name in enumerate(dict.fromkeys([*pictures[0], *pictures[1]]))}
    a, b = (np.array([numbers[name] for name in names], dtype=np.int64) for names in pictures)
    return a, b


def _kernel_compute(
    first: Features, second: Features, of_first: NDArray[np.int64], of_second: NDArray[np.int64]
) -> float:
    """Return the mean kernel within the sets less twice that across, over rows of different pictures."""
    means = []
    sides = [(first.astype(np.float64), of_first), (second.astype(np.float64), of_second)]
    for (x, i), (y, j) in ((sides[0], sides[0]), (sides[1], sides[1]), (sides[0], sides[1])):
        apart = i[:, None] != j
        if not apart.any():
            raise ImageError("all rows of a set are of one picture; two pictures or more are needed")
        means.append(((x @ y.T / x.shape[1] + 1) ** 3)[apart].mean())
    return float(means[0] + means[1] - 2 * means[2])
