from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lacuna.cli import sheet
from lacuna.image import open_image


def shown(pixels: np.ndarray, hole: np.ndarray | None = None, *, mark: bool = False) -> np.ndarray:
    hole = np.zeros(pixels.shape[:2], dtype=bool) if hole is None else hole
    return sheet.show(open_image(pixels), hole, sheet.View(0, 0, *hole.shape), mark=mark)


def test_grey_is_shown_as_grey() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (shown(grey) == grey[..., np.newaxis]).all()
    assert shown(grey).dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_transparent_pixels_show_a_checkerboard(dtype: Any) -> None:
    opaque = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    pixels = np.zeros((16, 16, 4), dtype=dtype)
    pixels[:, :8, 3] = opaque
    seen = shown(pixels)
    assert (seen[:, :8] == 0).all()
    assert len(np.unique(seen[:, 8:])) == 2


def test_the_mark_tints_the_hole_only() -> None:
    hole = np.eye(8, dtype=bool)
    seen = shown(np.full((8, 8, 3), 128, dtype=np.uint8), hole, mark=True)
    assert (seen[~hole] == 128).all()
    assert (seen[hole] != 128).any(axis=-1).all()


def test_data_beyond_0_to_1_with_nan_in_the_hole_is_shown_by_its_known_range() -> None:
    depth = np.linspace(-5, 5, 256, dtype=np.float32).reshape(16, 16)
    hole = np.zeros((16, 16), dtype=bool)
    hole[4:6, 4:6] = True
    depth[hole] = np.nan
    seen = shown(depth, hole)
    assert (seen[0, 0], seen[-1, -1]) == (pytest.approx(0), pytest.approx(255))


def test_tall_pictures_are_shown_whole_and_shrunk() -> None:
    rows = np.repeat(np.linspace(0, 255, 2000).astype(np.uint8)[:, np.newaxis], 300, axis=1)
    seen = shown(rows)
    assert seen.shape == (sheet.TILE, 72, 3)
    assert (np.diff(seen[:, 0, 0].astype(int)) >= 0).all()


def test_a_small_hole_in_a_large_picture_is_shown_close() -> None:
    hole = np.zeros((3000, 4000), dtype=bool)
    hole[100:200, 3900:3980] = True
    view = sheet.View.around(hole)
    assert (view.top, view.right) == (0, 4000)
    assert view.bottom - view.top < 600
    assert view.right - view.left < 600
    assert hole[view.top : view.bottom, view.left : view.right].sum() == hole.sum()


@pytest.mark.parametrize("hole", [np.zeros((40, 2000), dtype=bool), np.ones((40, 2000), dtype=bool)])
def test_otherwise_all_of_it_is_shown(hole: np.ndarray) -> None:
    assert sheet.View.around(hole) == sheet.View(0, 0, 40, 2000)


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (3, 3, 1), (5, 3, 2), (7, 4, 2), (9, 3, 3)]
)
def test_tiles_stand_in_rows(count: int, columns: int, rows: int) -> None:
    tiles = [sheet.Tile(str(i), np.full((240, 480, 3), 20 * i, dtype=np.uint8)) for i in range(count)]
    page = sheet.draw(tiles)
    assert page.shape[1] == columns * sheet.TILE + (columns + 1) * sheet.MARGIN
    assert page.shape[0] == rows * (240 + sheet.CAPTION + sheet.MARGIN) + sheet.MARGIN
    assert (page[sheet.MARGIN + 5, sheet.MARGIN + 5] == 0).all()


def test_a_long_line_under_the_sheet_is_wrapped() -> None:
    tile = sheet.Tile("one", np.zeros((50, 400, 3), dtype=np.uint8))
    short, long = (sheet.draw([tile], footer=["word " * count]) for count in (3, 100))
    assert short.shape[1] == long.shape[1]
    assert long.shape[0] > short.shape[0] + 40
