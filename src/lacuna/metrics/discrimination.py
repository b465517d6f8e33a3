"""P-IDS and U-IDS: how well a linear classifier tells fills from photographs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from lacuna.errors import ImageError
from lacuna.metrics._inputs import Doubles, check_features
from lacuna.metrics.distributions import Features

STEPS = 100
TOLERANCE = 1e-10


class Discrimination(NamedTuple):
    """Shares between 0 and 1; more is better.

    Parameters
    ----------
    paired : P-IDS, how often a fill looks more like a photograph than its own original does; 0.5 at best.
    unpaired : U-IDS, how often the classifier is wrong; 0.5 at best.
    """

    paired: float
    unpaired: float


def discrimination_scores(fakes: Features, reals: Features) -> Discrimination:
    """Return P-IDS and U-IDS of fills and their originals.

    Parameters
    ----------
    fakes, reals : (N, D), row i of both is the same picture. With N not far above D the classifier separates
        anything and both scores are 0: the paper's sets have tens of thousands of rows.

    Raises
    ------
    ImageError : other shapes, sets of different length, or values that are not finite.

    Notes
    -----
    The classifier is the linear support vector machine with squared hinge loss, C = 1 and the bias among the
    weights, which is what the authors' program trains; here by Newton's method, which needs no randomness.

    References
    ----------
    .. [1] Zhao et al., Large Scale Image Completion via Co-Modulated Generative Adversarial Networks, ICLR
       2021, arXiv:2103.10428, section 4.
    """
    check_features(fakes, reals, 1)
    if len(fakes) != len(reals):
        raise ImageError(f"{len(fakes)} fills and {len(reals)} originals; they must be pairs")
    x = np.concatenate([fakes, reals]).astype(np.float64)
    sign = np.repeat([-1.0, 1.0], len(fakes))
    weights = fit_linear_svm(x, sign)
    score = x @ weights[:-1] + weights[-1]
    fake, real = score[: len(fakes)], score[len(fakes) :]
    # As in the authors' program: wrong are fakes above 0 and originals below it.
    return Discrimination(float((fake > real).mean()), float(((fake > 0).mean() + (real < 0).mean()) / 2))


@dataclass
class DiscriminationRun:
    """`discrimination_scores` in batches; all features are kept."""

    _fakes: list[Features] = field(default_factory=list, repr=False)
    _reals: list[Features] = field(default_factory=list, repr=False)

    def update(self, fakes: Features, reals: Features) -> None:
        """Add pairs of rows ``(N, D)``."""
        self._fakes.append(fakes)
        self._reals.append(reals)

    def compute(self) -> Discrimination:
        """Return the scores of what was seen so far.

        Raises
        ------
        ImageError : nothing was seen.
        """
        if not self._fakes:
            raise ImageError("no pair of features was given")
        return discrimination_scores(np.concatenate(self._fakes), np.concatenate(self._reals))


def fit_linear_svm(x: Doubles, sign: Doubles, *, c: float = 1.0) -> Doubles:
    """Return weights and bias that minimise ``½|w|² + C Σ max(0, 1 - y (w·x + b))²``, the bias within ``w``.

    Parameters
    ----------
    x : (N, D).
    sign : (N,), -1 or 1.

    Returns
    -------
    (D + 1,), the bias last.

    References
    ----------
    .. [1] Keerthi & DeCoste, A Modified Finite Newton Method for Fast Solution of Large Scale Linear SVMs,
       JMLR 6, 2005.
    """
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        inside = sign * (x @ weights) < 1
        rows = x[inside]
        gradient: Doubles = weights + 2 * c * rows.T @ (rows @ weights - sign[inside])
        if np.abs(gradient).max() <= TOLERANCE * max(1.0, 2 * c * len(x)):
            break
        hessian = np.eye(x.shape[1]) + 2 * c * rows.T @ rows
        step: Doubles = np.asarray(np.linalg.solve(hessian, -gradient), dtype=np.float64)
        weights = weights + _length(x, sign, c, weights, step, float(gradient @ step)) * step
    return weights


def _length(x: Doubles, sign: Doubles, c: float, weights: Doubles, step: Doubles, slope: float) -> float:
    """Halve the step until it goes down enough (Armijo)."""

    def loss(w: Doubles) -> float:
        return float(w @ w / 2 + c * np.square(np.maximum(0, 1 - sign * (x @ w))).sum())

    length, start = 1.0, loss(weights)
    while length > 1e-6 and loss(weights + length * step) > start + 1e-4 * length * slope:
        length /= 2
    return length
