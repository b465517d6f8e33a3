from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, optimize

from lacuna.errors import ImageError
from lacuna.metrics import (
    DiscriminationRun,
    Frechet,
    Kernel,
    discrimination_scores,
    frechet_distance,
    kernel_distance,
)
from lacuna.metrics.discrimination import fit_linear_svm


def standardised(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Return rows whose sample mean is 0 and sample covariance the identity, exactly."""
    x = rng.normal(size=(n, d))
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T


def test_frechet_of_gaussians_in_closed_form(rng: np.random.Generator) -> None:
    x = standardised(rng, 50, 4)
    a, b = np.array([1.0, 2.0, 3.0, 0.5]), np.array([2.0, 2.0, 1.0, 1.5])
    shift = np.array([0.0, 1.0, 0.0, -2.0])
    expected = np.square(shift).sum() + np.square(a - b).sum()
    assert frechet_distance(x * a, x * b + shift) == pytest.approx(expected, abs=1e-9)


def test_frechet_is_the_formula_with_scipys_matrix_root(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(30, 6)) @ rng.normal(size=(6, 6)) + 0.3
    a, b = np.cov(x.T), np.cov(y.T)
    root = np.real(linalg.sqrtm(a @ b))
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_fewer_rows_than_columns_is_finite(rng: np.random.Generator) -> None:
    x = rng.normal(size=(5, 20))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-5)


def test_frechet_of_few_rows_is_that_of_many(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(9, 12)), 1.5 * rng.normal(size=(7, 12)) + 0.2
    running = Frechet()  # always by the covariances
    running.update(first=x, second=y)
    assert frechet_distance(x, y) == pytest.approx(running.compute(), rel=1e-6)


def test_batches_and_merging_change_nothing(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(21, 3)), rng.normal(size=(17, 3)) * 2
    for cls, whole in ((Frechet, frechet_distance), (Kernel, kernel_distance)):
        one, two = cls(), cls()
        one.update(first=x[:5], second=y[:9])
        two.update(first=x[5:])
        two.update(second=y[9:])
        one.merge(two)
        assert one.compute() == pytest.approx(whole(x, y), rel=1e-9)
        with pytest.raises(ImageError):
            cls().compute()


def test_kernel_distance_of_gaussians_in_closed_form(rng: np.random.Generator) -> None:
    """One column: E(xy + 1)³ = E x³ E y³ + 3 E x² E y² + 3 E x E y + 1, with the moments of Gaussians."""

    def moments(mean: float, sd: float) -> tuple[float, float, float]:
        return mean, mean**2 + sd**2, mean**3 + 3 * mean * sd**2

    def kernel(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
        return a[2] * b[2] + 3 * a[1] * b[1] + 3 * a[0] * b[0] + 1

    p, q = moments(0.0, 1.0), moments(0.5, 0.8)
    expected = kernel(p, p) + kernel(q, q) - 2 * kernel(p, q)
    draws = [kernel_distance(rng.normal(0, 1, (200, 1)), rng.normal(0.5, 0.8, (200, 1))) for _ in range(100)]
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws) - expected) < 4 * error
    assert error < expected / 8  # else the line above could not fail


def test_kernel_distance_by_hand() -> None:
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    within = 1.0 + (1 * 2 + 1) ** 3
    across = (1 + 1 + (1 + 1) ** 3 + (2 + 1) ** 3) / 4
    assert kernel_distance(x, y) == within - 2 * across


def test_fills_and_their_own_originals_are_not_compared(rng: np.random.Generator) -> None:
    """Rows in pairs: the plain estimate of equal distributions is below 0, the other right."""
    names = [str(i) for i in range(6)]
    plain, apart = [], []
    for _ in range(300):
        x = rng.normal(size=(6, 3))
        y = (x + 0.1 * rng.normal(size=x.shape)) / 1.01**0.5
        plain.append(kernel_distance(y, x))
        apart.append(kernel_distance(y, x, pictures=(names, names)))
    assert np.mean(plain) < -0.2
    assert abs(np.mean(apart)) < 4 * np.std(apart) / 300**0.5
    x = rng.normal(size=(6, 3))
    assert kernel_distance(x, x, pictures=(names, names)) == pytest.approx(0, abs=1e-9)
    other = [f"other {i}" for i in range(6)]
    assert kernel_distance(x, y, pictures=(names, other)) == kernel_distance(x, y)
    for bad in (names[:5], ["0"] * 6):
        with pytest.raises(ImageError, match="pictures"):
            kernel_distance(x, x, pictures=(bad, names))


def test_kernel_subsets_average_to_the_whole(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 1
    drawn = kernel_distance(x, y, subset=30, subsets=200, seed=3)
    assert drawn == kernel_distance(x, y, subset=30, subsets=200, seed=3)
    assert drawn == pytest.approx(kernel_distance(x, y), rel=0.1)
    with pytest.raises(ImageError, match="subsets of 61"):
        kernel_distance(x, y, subset=61)


def test_the_classifier_is_the_minimum_that_scipy_finds(rng: np.random.Generator) -> None:
    x = rng.normal(size=(60, 3))
    sign = np.where(x[:, 0] + rng.normal(size=60) > 0, 1.0, -1.0)

    def loss(w: np.ndarray) -> float:
        return w @ w / 2 + np.square(np.maximum(0, 1 - sign * (x @ w[:-1] + w[-1]))).sum()

    found = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(fit_linear_svm(x, sign), found.x, atol=1e-5)


def test_discrimination_at_its_ends(rng: np.random.Generator) -> None:
    x = rng.normal(size=(400, 4))
    apart = discrimination_scores(x + 20, x)
    assert apart == (0, 0)
    alike = discrimination_scores(rng.normal(size=(400, 4)), x)
    assert alike.paired == pytest.approx(0.5, abs=0.12)
    assert alike.unpaired == pytest.approx(0.5, abs=0.12)
    run = DiscriminationRun()
    run.update(x[:100] + 1, x[:100])
    run.update(x[100:] + 1, x[100:])
    assert run.compute() == discrimination_scores(x + 1, x)


def test_equal_sets_are_never_told_apart(rng: np.random.Generator) -> None:
    x = rng.normal(size=(30, 4))
    scores = discrimination_scores(x, x)
    assert scores.paired == 0  # no fill looks *more* like a photograph than itself


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros((3, 2)), np.zeros((3, 1))),
        (np.full((3, 1), np.nan), np.zeros((3, 1))),
        (np.zeros((1, 2)), np.zeros((3, 2))),
    ],
)
def test_features_that_do_not_fit_are_refused(x: np.ndarray, y: np.ndarray) -> None:
    for figure in (frechet_distance, kernel_distance):
        with pytest.raises(ImageError):
            figure(x, y)
    with pytest.raises(ImageError):
        discrimination_scores(x, y)
