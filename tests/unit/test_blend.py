from __future__ import annotations

import numpy as np
import pytest

from lacuna.blend import feather_weight, membrane


def square_hole(side: int = 40, margin: int = 10) -> np.ndarray:
    hole = np.zeros((side, side), dtype=bool)
    hole[margin:-margin, margin:-margin] = True
    return hole


@pytest.mark.parametrize("channels", [1, 3])
def test_a_constant_step_disappears(channels: int) -> None:
    hole = square_hole()
    image = np.full((40, 40, channels), 0.6, dtype=np.float32)
    out = membrane(image, image - 0.2, hole)
    assert out.dtype == np.float32
    assert out == pytest.approx(image, abs=1e-5)


def test_a_different_step_on_each_side_is_bridged() -> None:
    # The picture is a ramp and the fill is flat: what is added must be the ramp again.
    hole = square_hole()
    ramp = np.tile(np.linspace(0.2, 0.8, 40, dtype=np.float32), (40, 1))[..., None]
    out = membrane(ramp, np.full_like(ramp, 0.5), hole)
    assert np.abs(out - ramp)[hole].max() < 0.03


def test_a_perfect_fill_moves_by_less_than_the_slope_of_a_pixel() -> None:
    hole = square_hole()
    ramp = np.tile(np.linspace(0.2, 0.8, 40, dtype=np.float32), (40, 1))[..., None]
    slope = 0.6 / 39
    assert np.abs(membrane(ramp, ramp, hole) - ramp).max() < 1.01 * slope


def test_texture_keeps_its_contrast_and_loses_its_step(rng: np.random.Generator) -> None:
    hole = square_hole(80, 20)
    image = (0.5 + 0.1 * rng.standard_normal((80, 80, 1))).astype(np.float32)
    other = (0.4 + 0.1 * rng.standard_normal((80, 80, 1))).astype(np.float32)
    out = membrane(image, other, hole)
    assert abs(out[hole].mean() - 0.5) < 0.02
    assert out[hole].std() == pytest.approx(other[hole].std(), rel=0.1)


def test_only_the_hole_changes_and_only_the_hole_of_the_fill_is_read(rng: np.random.Generator) -> None:
    hole = square_hole()
    image = rng.random((40, 40, 3), dtype=np.float32)
    fill = np.full_like(image, np.nan)
    fill[hole] = 0.5
    before = image.copy(), fill.copy()
    for array in (image, fill, hole):
        array.flags.writeable = False
    out = membrane(image, fill, hole)
    assert np.array_equal(out[~hole], image[~hole])
    assert np.isfinite(out).all()
    assert np.array_equal(before[0], image)
    assert np.array_equal(before[1], fill, equal_nan=True)


def test_the_picture_border_is_free() -> None:
    hole = np.zeros((20, 30), dtype=bool)
    hole[:, 20:] = True  # the rim is the left side alone
    image = np.full((20, 30, 1), 0.5, dtype=np.float32)
    out = membrane(image, np.full_like(image, 0.7), hole)
    assert out[hole] == pytest.approx(0.5, abs=1e-4)


def test_values_stay_in_range() -> None:
    hole = square_hole()
    image = np.ones((40, 40, 1), dtype=np.float32)
    fill = np.full_like(image, 0.8)
    fill[20, 20] = 1.0
    assert membrane(image, fill, hole).max() == 1.0


def test_without_a_rim_the_fill_stays() -> None:
    fill = np.full((4, 5, 1), 0.25, dtype=np.float32)
    for hole in (np.ones((4, 5), dtype=bool), np.zeros((4, 5), dtype=bool)):
        out = membrane(np.zeros_like(fill), fill, hole)
        assert np.array_equal(out, np.where(hole[..., None], fill, 0))


def test_feather_of_no_radius_is_hard() -> None:
    hole = square_hole()
    assert np.array_equal(feather_weight(hole, 0), hole.astype(np.float32))


def test_feather_falls_with_the_distance() -> None:
    hole = np.zeros((1, 9), dtype=bool)
    hole[0, 0] = True
    weight = feather_weight(hole, 3)[0]
    assert weight[:5].tolist() == pytest.approx([1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0], abs=1e-6)
    assert not weight[5:].any()
