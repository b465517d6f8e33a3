"""The consensus of several fills: what is taken from it, what is not, and when there is none."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.exemplar import consensus
from lacuna.exemplar.consensus import Consensus, agree, lean


def hole_of(shape: tuple[int, int], top: int, left: int, side: int) -> np.ndarray:
    hole = np.zeros(shape, bool)
    hole[top : top + side, left : left + side] = True
    return hole


@pytest.fixture
def stones(rng: np.random.Generator) -> np.ndarray:
    """Bright and dark patches of 8 pixels with grain on them, (96, 128, 3)."""
    blocks = rng.random((12, 16, 1), np.float32).repeat(8, axis=0).repeat(8, axis=1)
    grain = rng.normal(0, 0.05, (96, 128, 3)).astype(np.float32)
    return np.clip(0.2 + 0.6 * blocks + grain, 0, 1)


def test_broad_shapes_are_taken_and_fine_ones_are_not() -> None:
    hole = hole_of((96, 96), 16, 16, 64)
    fill = np.full((96, 96, 1), 0.4, np.float32)
    fine = fill + 0.2 * (np.indices((96, 96)).sum(axis=0) % 2)[..., None].astype(np.float32)
    small = hole[::2, ::2]
    brighter = Consensus(np.full((48, 48, 1), 0.6, np.float32), small, 3)
    out = lean(fill, hole, brighter)
    share = consensus.SHARE * 3 / 4
    assert out[48, 48, 0] == pytest.approx(0.4 + share * 0.2, abs=1e-3)
    assert np.array_equal(out[~hole], fill[~hole])
    # The checks stay as they are: half the size does not show them, and only their mean is lifted.
    out = lean(fine, hole, brighter)
    assert np.ptp(out[40:56, 40:56]) == pytest.approx(0.2, abs=1e-3)


def test_the_rim_meets_the_known_pixels() -> None:
    hole = hole_of((96, 96), 16, 16, 64)
    fill = np.full((96, 96, 1), 0.4, np.float32)
    out = lean(fill, hole, Consensus(np.full((48, 48, 1), 1.0, np.float32), hole[::2, ::2], 3))
    middle = out[48, 48, 0] - 0.4
    assert out[48, 16, 0] - 0.4 < 0.6 * middle


def test_it_is_nearer_to_the_truth(stones: np.ndarray) -> None:
    from lacuna.exemplar import fill_patches

    hole = hole_of(stones.shape[:2], 30, 40, 36)
    alone, leaning = [], []
    for seed in range(4):
        fill = fill_patches(stones, hole, seed=seed)
        found = agree(stones, hole, count=3, seed=seed)
        assert found is not None
        alone.append(np.square(fill - stones)[hole].mean())
        leaning.append(np.square(lean(fill, hole, found) - stones)[hole].mean())
    assert np.mean(leaning) < 0.9 * np.mean(alone)


def test_seeds_decide_it_and_nothing_under_the_hole_does(stones: np.ndarray) -> None:
    hole = hole_of(stones.shape[:2], 30, 40, 36)
    first, again, other = (agree(stones, hole, count=2, seed=seed) for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    assert np.array_equal(first.mean, again.mean)
    assert not np.array_equal(first.mean, other.mean)
    stones[hole] = 1.0
    blind = agree(stones, hole, count=2, seed=0)
    assert blind is not None
    assert np.array_equal(first.mean, blind.mean)


def test_sources_bind_the_further_fills(stones: np.ndarray) -> None:
    stones[:, 64:] = 0.9
    hole = hole_of(stones.shape[:2], 30, 20, 36)
    sources = np.zeros_like(hole)
    sources[:, 64:] = True
    bound = agree(stones, hole, count=1, sources=sources)
    assert bound is not None
    assert bound.mean[bound.hole].std() < 0.1  # without: as uneven as the stones, 0.2


@pytest.mark.parametrize(("side", "count"), [(36, 0), (6, 3)], ids=["none wanted", "too thin"])
def test_there_is_none(stones: np.ndarray, side: int, count: int) -> None:
    assert agree(stones, hole_of(stones.shape[:2], 30, 40, side), count=count) is None


def test_large_holes_are_filled_small(stones: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    hole = hole_of(stones.shape[:2], 10, 20, 70)
    monkeypatch.setattr(consensus, "MOST", 400)
    found = agree(stones, hole, count=1)
    assert found is not None
    assert 300 < np.count_nonzero(found.hole) < 480
    assert lean(stones, hole, found).shape == stones.shape
