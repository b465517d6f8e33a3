"""What all detectors share: their input, regions, sensitivity, and what they return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lacuna import detect
from lacuna.detect import DETECTORS, Detection
from lacuna.detect.detection import between, region_mask
from lacuna.detect.hysteresis import connected_above
from lacuna.errors import ImageError, MaskError, OptionError

NAMES = sorted(DETECTORS)


@pytest.fixture
def plain(rng: np.random.Generator) -> np.ndarray:
    rows = np.linspace(0.3, 0.6, 70, dtype=np.float32)[:, None, None]
    return np.broadcast_to(rows, (70, 90, 3)) + rng.normal(0, 0.005, (70, 90, 3)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_picture_has_nothing(name: str, plain: np.ndarray) -> None:
    before = plain.copy()
    found = DETECTORS[name](plain)
    assert isinstance(found, Detection)
    assert found.mask.shape == found.confidence.shape == (70, 90)
    assert found.mask.dtype == np.bool_
    assert found.confidence.dtype == np.float32
    assert 0 <= found.confidence.min() <= found.confidence.max() <= 1
    assert not found.mask.any()
    assert found.share == found.pieces == 0
    np.testing.assert_array_equal(plain, before)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 1), (2, 3, 3), (7, 5, 1), (33, 17, 3)])
def test_odd_sizes(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    image = rng.random(shape, dtype=np.float32)
    image.flags.writeable = False
    assert DETECTORS[name](image).mask.shape == shape[:2]


@pytest.mark.parametrize("name", NAMES)
def test_the_region_limits_what_is_found(name: str, rng: np.random.Generator) -> None:
    image = rng.random((60, 80, 3), dtype=np.float32)
    inside = np.zeros((60, 80), dtype=bool)
    inside[10:30, 20:50] = True
    for region in ((10, 20, 30, 50), inside):
        found = DETECTORS[name](image, sensitivity=1.0, region=region)
        assert not found.mask[~inside].any()
        assert not found.confidence[~inside].any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sensitivity", [-0.1, 1.01, float("nan"), True, "high", None])
def test_a_sensitivity_is_from_0_to_1(name: str, sensitivity: Any, plain: np.ndarray) -> None:
    with pytest.raises(OptionError, match="from 0"):
        DETECTORS[name](plain, sensitivity=sensitivity)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 5), np.float32),
        np.zeros((5, 5, 3), np.float64),
        np.zeros((5, 5, 2), np.float32),
        np.zeros((0, 5, 3), np.float32),
        np.full((5, 5, 3), np.nan, np.float32),
        None,
    ],
    ids=["2d", "float64", "two channels", "empty", "nan", "none"],
)
def test_only_canon_is_taken(name: str, image: Any) -> None:
    with pytest.raises(ImageError):
        DETECTORS[name](image)


@pytest.mark.parametrize(
    "region",
    [
        np.zeros((70, 90), bool),
        np.ones((7, 9), bool),
        np.ones((70, 90), np.uint8),
        (70, 0, 80, 10),
        (5, 5, 5, 9),
        (1, 2, 3),
    ],
    ids=["empty", "other size", "not bool", "outside", "no area", "three numbers"],
)
def test_a_region_that_cannot_be_used(region: Any, plain: np.ndarray) -> None:
    with pytest.raises(MaskError):
        detect.find_borders(plain, region=region)


def test_a_box_may_reach_beyond_the_picture() -> None:
    inside = region_mask((-5, -5, 2, 1), (4, 4))
    assert inside is not None
    assert inside.sum() == 2


def test_thresholds_fall_with_sensitivity() -> None:
    levels = [between(s, 0.9, 0.5, 0.1) for s in np.linspace(0, 1, 11)]
    assert levels == sorted(levels, reverse=True)
    assert levels[5] == pytest.approx(0.5)


def test_hysteresis_drops_the_small_and_the_unsure() -> None:
    values = np.zeros((5, 12), np.float32)
    values[1, 1:6] = 0.5
    values[1, 5] = 0.9
    values[3, 1:4] = 0.5
    values[3, 9] = 0.9
    found = connected_above(values, 0.4, 0.8, least=2)
    assert found[1, 1:6].all()
    assert found.sum() == 5
