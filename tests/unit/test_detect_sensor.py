"""Dead pixels, sensor lines, borders and torn corners: what is there is found, what is not is left."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lacuna.detect import find_borders, find_dead_pixels, find_torn_corners


@pytest.fixture
def photo(rng: np.random.Generator) -> np.ndarray:
    """A scene with shading, edges, texture and noise."""
    rows, columns = np.indices((120, 160)).astype(np.float32)
    base = 0.45 + 0.15 * np.sin(rows / 23) + 0.1 * np.cos(columns / 17)
    base += 0.2 * ((rows // 30 + columns // 40) % 2) + 0.03 * np.sin(columns * 1.3 + rows * 0.9)
    image = np.stack([base, 0.9 * base, 0.8 * base + 0.05], axis=-1)
    return (image + rng.normal(0, 0.01, image.shape)).clip(0, 1).astype(np.float32)


def test_dead_and_hot_pixels_are_found_and_no_others(photo: np.ndarray) -> None:
    truth = np.zeros(photo.shape[:2], dtype=bool)
    for row, column, channel, value in [
        (10, 10, 0, 1.0),
        (50, 81, 1, 0.0),
        (0, 0, 2, 1.0),
        (119, 77, 0, 1.0),
    ]:
        photo[row, column, channel] = value
        truth[row, column] = True
    found = find_dead_pixels(photo)
    np.testing.assert_array_equal(found.mask, truth)
    assert found.confidence[truth].min() > 0.5
    assert found.notes == ("dead pixels: 4 single, 0 rows and 0 columns",)


@pytest.mark.parametrize("axis", [0, 1])
def test_sensor_lines_are_found(photo: np.ndarray, axis: int) -> None:
    lines = photo if axis == 0 else photo.transpose(1, 0, 2)
    lines[50] += 0.12
    found = find_dead_pixels(photo.clip(0, 1))
    mask = found.mask if axis == 0 else found.mask.T
    assert mask[50].all()
    assert mask.sum() == mask.shape[1]


def test_what_the_photo_shows_is_no_dead_pixel(photo: np.ndarray) -> None:
    assert not find_dead_pixels(photo).mask.any()
    eager = find_dead_pixels(photo, sensitivity=1.0).mask.mean()
    assert eager < 0.002


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 1, 1), (0.2, 0.5, 0.3)])
def test_a_frame_is_found_to_the_pixel(photo: np.ndarray, colour: tuple[float, ...]) -> None:
    framed = np.empty((150, 200, 3), dtype=np.float32)
    framed[:] = colour
    framed[12:132, 15:175] = photo
    truth = np.ones((150, 200), dtype=bool)
    truth[12:132, 15:175] = False
    found = find_borders(framed)
    np.testing.assert_array_equal(found.mask, truth)
    assert found.notes == ("borders: 12 above, 18 below, 15 left, 25 right",)


def test_a_frame_within_a_frame_and_one_side_alone(photo: np.ndarray) -> None:
    framed = photo.copy()
    framed[-9:] = 0
    assert find_borders(framed).mask.sum() == 9 * 160
    framed[:, :5] = 1
    assert find_borders(framed).mask.sum() == 9 * 160 + 5 * 111


def test_noise_needs_more_sensitivity(photo: np.ndarray, rng: np.random.Generator) -> None:
    photo[:10] = 0.02 + rng.normal(0, 0.015, (10, 160, 3)).clip(-0.02, None)
    assert not find_borders(photo, sensitivity=0.0).mask.any()
    assert find_borders(photo, sensitivity=1.0).mask[:10].all()


def test_no_border_without_an_end(photo: np.ndarray) -> None:
    assert not find_borders(np.full((40, 50, 3), 0.3, dtype=np.float32)).mask.any()
    fading = np.broadcast_to(
        np.linspace(1, 0, 120, dtype=np.float32)[:, None, None] ** 3, (120, 50, 1)
    ).copy()
    assert not find_borders(fading).mask.any()
    assert not find_borders(photo).mask.any()


@pytest.mark.parametrize("ground", [0.0, 0.98])
@pytest.mark.parametrize("flips", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_a_torn_corner_is_found(photo: np.ndarray, ground: float, flips: tuple[int, int]) -> None:
    rows, columns = np.indices(photo.shape[:2])
    truth = (rows / 25 + columns / 20 + 0.08 * np.sin(rows / 2) < 1)[:: flips[0], :: flips[1]]
    photo[truth] = ground
    found = find_torn_corners(photo)
    assert found.mask[truth].all()
    near = cv2.dilate(truth.astype(np.uint8), np.ones((19, 19), np.uint8)) > 0
    assert not found.mask[~near].any()  # a rim of 7 pixels, and what the sine adds
    assert found.notes == ("torn corners: 1",)


def test_a_bright_sky_and_a_dark_corner_are_not_torn(photo: np.ndarray) -> None:
    sky = photo.copy()
    sky[:40] = 1.0
    assert not find_torn_corners(sky).mask.any()
    vignette = photo * (np.indices(photo.shape[:2]).sum(axis=0)[..., None] / 80).clip(0, 1)
    assert not find_torn_corners(vignette.astype(np.float32)).mask.any()
    assert not find_torn_corners(photo).mask.any()
