from __future__ import annotations

import numpy as np
import pytest

from lacuna import drawing


@pytest.mark.parametrize(
    ("down", "right", "colour"),
    [(0, 5, (1, 0, 0)), (5, 0, (0.5, 1, 0)), (0, -5, (0, 1, 1)), (-5, 0, (0.5, 0, 1))],
)
def test_colours_are_directions_as_the_caption_says(
    down: int, right: int, colour: tuple[float, float, float]
) -> None:
    rows, columns = np.indices((11, 11))
    where = np.zeros((11, 11), dtype=bool)
    where[5, 5] = True
    image = np.full((11, 11, 3), 0.8, np.float32)
    shown, full = drawing.offset_map(rows + down, columns + right, where, image)
    np.testing.assert_allclose(shown[5, 5], colour, atol=1e-6)
    np.testing.assert_allclose(shown[0, 0], 0.2)
    assert full == 5


def test_near_sources_are_darker_than_far_ones() -> None:
    rows, columns = np.indices((1, 9))
    shown, _ = drawing.offset_map(rows, columns + np.arange(9), np.ones((1, 9), bool), np.zeros((1, 9, 1)))
    assert (np.diff(shown[0, :, 0]) > 0).all()


def test_a_filled_place_has_the_colour_of_its_source() -> None:
    rows, columns = np.indices((20, 30))
    where = np.zeros((20, 30), dtype=bool)
    where[5:8, 5:8] = True
    rows[where], columns[where] = 19, 29
    shown = drawing.origin_map(rows, columns, where, np.full((20, 30, 1), 0.5, np.float32))
    np.testing.assert_allclose(shown[where], np.tile([1, 1, 0], (9, 1)), atol=1e-6)
    corner = 0.55 * np.array([1, 1, 0]) + 0.45 * 0.5
    np.testing.assert_allclose(shown[19, 29], corner, atol=1e-6)


def test_nothing_missing_is_no_error() -> None:
    rows, columns = np.indices((3, 3))
    nowhere = np.zeros((3, 3), bool)
    assert drawing.offset_map(rows, columns, nowhere, np.zeros((3, 3, 3), np.float32))[1] == 0
