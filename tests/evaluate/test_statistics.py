from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lacuna.evaluate.statistics import EXACT_UP_TO, bootstrap, holm, sign_flip_test


def test_the_bootstrap_of_many_values_is_the_normal_interval(rng: np.random.Generator) -> None:
    values = rng.normal(3, 2, 400)
    mean, low, high = bootstrap(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert mean == pytest.approx(values.mean())
    assert (low, high) == (pytest.approx(mean - half, abs=0.03), pytest.approx(mean + half, abs=0.03))


def test_holes_of_one_picture_are_resampled_together(rng: np.random.Generator) -> None:
    pictures = rng.normal(size=40)
    values, groups = np.repeat(pictures, 5), [f"{i:02d}" for i in range(40) for _ in range(5)]
    alone = bootstrap(pictures)
    together = bootstrap(values, groups=groups)
    assert list(together) == pytest.approx(list(alone))
    assert bootstrap(values).high - bootstrap(values).low < 0.6 * (alone.high - alone.low)


@pytest.mark.parametrize("n", [6, EXACT_UP_TO, 40])
def test_the_sign_flip_test_is_scipys(rng: np.random.Generator, n: int) -> None:
    differences = rng.normal(0.4, 1, n)
    theirs = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=20_000, rng=1
    )
    assert sign_flip_test(differences) == pytest.approx(theirs.pvalue, abs=1e-9 if n < 14 else 0.015)


def test_the_test_holds_its_level_and_finds_what_is_there(rng: np.random.Generator) -> None:
    null = [sign_flip_test(rng.normal(size=12)) for _ in range(300)]
    assert np.mean(np.array(null) <= 0.05) == pytest.approx(0.05, abs=0.035)
    assert sign_flip_test(rng.normal(1, 1, 40)) < 0.001


def test_groups_flip_together() -> None:
    differences, groups = np.ones(8), list("aabbccdd")
    assert sign_flip_test(differences, groups=groups) == 2 / 2**4
    assert sign_flip_test(differences) == 2 / 2**8


def test_holm_keeps_order_and_stops_at_one() -> None:
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
