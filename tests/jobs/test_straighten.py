"""Turning pictures: which way, how well, and what is left empty."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import ImageError, LimitError, OptionError
from lacuna.image import on_canvas, open_image, save_image
from lacuna.jobs import straighten
from lacuna.jobs.resample import largest_rectangle, warp
from lacuna.jobs.tilt import find_tilt
from lacuna.masks import polygon


def waves(height: int = 120, width: int = 160) -> np.ndarray:
    """Return a smooth 16-bit picture that any good resampling keeps."""
    rows, columns = np.indices((height, width))
    return (32768 + 20000 * np.sin(columns / 3.7) * np.cos(rows / 5.1)).astype(np.uint16)


def building(degrees: float) -> np.ndarray:
    """Return windows in rows on a wall, tilted clockwise, with some noise."""
    rows, columns = np.indices((320, 420)) - np.array([160, 210])[:, None, None]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = columns * c + rows * s, rows * c - columns * s
    soft = [0.5 + np.tanh(9 * np.sin(2 * np.pi * at / size)) / 2 for at, size in ((x, 60), (y, 44))]
    noise = np.random.default_rng(5).normal(0, 4, (320, 420))
    return np.clip(180 - 110 * soft[0] * soft[1] + noise, 0, 255).astype(np.uint8)


def test_a_lanczos_of_two_turns_is_the_picture_again() -> None:
    picture = waves()
    tilted = straighten(picture, angle=11).picture.pixels
    back = straighten(tilted, angle=-11).picture.pixels
    top, left = (back.shape[0] - 120) // 2, (back.shape[1] - 160) // 2
    part = back[top + 10 : top + 110, left + 10 : left + 150].astype(float)
    error = np.abs(part - picture[10:110, 10:150])
    assert back.dtype == np.uint16
    # Where the canvas came out half a pixel larger, the middle of both pictures is not on a pixel.
    if (back.shape[0] - 120) % 2 == 0 and (back.shape[1] - 160) % 2 == 0:
        assert error.max() < 0.01 * 40000


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0)])
def test_whole_pixels_are_copied_bit_for_bit(shift: tuple[float, float]) -> None:
    picture = waves()
    inverse = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])
    moved, empty = warp(picture, inverse, picture.shape)
    rows, columns = np.indices(picture.shape)
    expected = picture[np.clip(rows + int(shift[1]), 0, 119), np.clip(columns + int(shift[0]), 0, 159)]
    assert np.array_equal(moved, expected)
    assert empty.sum() == (0 if shift == (0.0, 0.0) else 3 * 120 + 2 * 160 - 6)


def test_half_a_pixel_is_what_the_formula_says() -> None:
    rows, columns = np.indices((60, 80))
    ramp = (500 * columns + 300 * rows).astype(np.uint16)
    moved, _ = warp(ramp, np.array([[1, 0, 0.5], [0, 1, 0.25], [0, 0, 1.0]]), ramp.shape)
    inner = slice(4, -4), slice(4, -4)
    # Lanczos bends a ramp by a little more than a hundredth of its step.
    assert np.abs(moved[inner].astype(float) - (ramp[inner].astype(float) + 250 + 75)).max() <= 7


def test_the_colour_under_transparency_does_not_bleed() -> None:
    picture = np.zeros((60, 60, 4), dtype=np.uint8)
    picture[20:40, 20:40] = (200, 10, 10, 255)
    picture[..., 1][picture[..., 3] == 0] = 255  # green, if anybody could see it
    found = straighten(picture, angle=20)
    pixels = found.picture.pixels
    assert pixels[pixels[..., 3] > 20][:, 1].max() < 30
    assert found.missing == 0  # the corners go on with transparency


def test_an_edge_of_alpha_has_no_fringe() -> None:
    picture = np.zeros((60, 60, 4), dtype=np.uint16)
    picture[20:40, 20:40] = (30000, 12000, 50000, 65535)
    pixels = straighten(picture, angle=20).picture.pixels
    visible = pixels[..., 3] > 3000
    assert visible.sum() > 300
    assert np.abs(pixels[visible][:, :3].astype(int) - [30000, 12000, 50000]).max() <= 2


def test_clockwise_is_positive() -> None:
    picture = np.zeros((101, 101), dtype=np.uint8)
    picture[50, 50:] = 255  # a hand at three o'clock
    pixels = straighten(picture, angle=30).picture.pixels  # tilted clockwise: turned counter-clockwise
    rows, columns = np.nonzero(pixels > 128)
    middle = pixels.shape[0] / 2
    far = columns.argmax()
    assert rows[far] < middle - 15


@pytest.mark.parametrize("degrees", [-9.0, -3.3, 1.2, 6.0])
def test_auto_finds_the_tilt(degrees: float) -> None:
    found = straighten(building(degrees))
    assert abs(found.facts["angle"] - degrees) < 0.3
    assert found.facts["confidence"] > 0.7
    assert abs(find_tilt(found.picture).angle) < 0.3
    assert "lines say" in found.words[0]


def test_what_is_straight_is_left_as_it_is() -> None:
    picture = open_image(building(0))
    found = straighten(picture)
    assert found.picture is picture
    assert found.missing == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_auto_refuses_when_the_lines_do_not_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = np.full((300, 400), 120, dtype=np.uint8)
    for _ in range(60):
        x, y = rng.uniform(40, 360), rng.uniform(40, 260)
        turn, size = rng.uniform(0, np.pi), 30
        dx, dy = size * np.cos(turn), size * np.sin(turn)
        ring = [(x, y), (x + dx, y + dy), (x + dx - dy / 4, y + dy + dx / 4), (x - dy / 4, y + dx / 4)]
        picture[polygon(ring).hole((300, 400))] = rng.integers(0, 255)
    with pytest.raises(ImageError, match="the tilt cannot be told"):
        straighten(picture)
    with pytest.raises(ImageError, match="--angle DEGREES"):
        straighten(np.full((50, 50), 9, dtype=np.uint8))


def test_corners_become_a_rectangle() -> None:
    picture = np.full((240, 320, 3), 230, dtype=np.uint8)
    quad = [(80, 60), (240, 40), (260, 200), (60, 180)]
    picture[polygon(quad).hole((240, 320))] = (30, 60, 90)
    found = straighten(picture, corners=[quad[2], quad[0], quad[3], quad[1]])  # in any order
    dark = (found.picture.pixels[..., 0] < 128) & ~found.hole
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    box = dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert box.mean() > 0.97
    width, height = found.facts["rectangle"]
    assert abs(len(columns) - width) < 3
    assert abs(len(rows) - height) < 3


def test_a_strong_perspective_is_cut_off_and_said() -> None:
    found = straighten(waves(), corners=[(70, 20), (90, 20), (159, 119), (0, 119)])
    assert any("cut off" in words for words in found.words)
    assert found.hole.size <= 4.2 * 120 * 160
    height, width = found.hole.shape
    assert not found.hole[height // 2, width // 3 : -width // 3].any()  # and what was pointed at is there


def test_crop_leaves_nothing_empty() -> None:
    found = straighten(waves(), angle=8, crop=True)
    assert found.missing == 0
    assert found.picture.pixels.min() > 8000  # no black corner
    assert 0.5 < found.hole.size / (120 * 160) < 0.9


def test_the_border_is_filled_and_the_rest_kept(tmp_path: Path) -> None:
    found = straighten(np.dstack([waves()] * 3), angle=4)
    result = found.fill("telea")
    assert result.changed_outside == 0
    saved = result.save(tmp_path / "out.tif")
    assert saved.changed_in_file == 0
    assert open_image(tmp_path / "out.tif").pixels.dtype == np.uint16


def test_the_largest_rectangle_is_the_brute_force_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        inside = rng.random((7, 9)) < 0.75
        best = max(
            (b - t) * (r - le)
            for t in range(7)
            for b in range(t, 8)
            for le in range(9)
            for r in range(le, 10)
            if inside[t:b, le:r].all()
        )
        top, left, bottom, right = largest_rectangle(inside)
        assert inside[top:bottom, left:right].all()
        assert (bottom - top) * (right - left) == best


@pytest.mark.parametrize(
    "wrong",
    [
        {"angle": 46},
        {"angle": float("nan")},
        {"angle": "steep"},
        {"angle": True},
        {"angle": 3, "corners": [(0, 0), (9, 0), (9, 9), (0, 9)]},
        {"corners": [(0, 0), (9, 0), (9, 9)]},
        {"corners": [(0, 0), (50, 0), (100, 0), (0, 90)]},
        {"corners": [(0, 0), (90, 0), (90, 90), (90, 90)]},
        {"corners": [(0, 0), (90, 0), (30, 30), (0, 90)]},
        {"corners": [(0, 0), (9000, 0), (90, 90), (0, 90)]},
        {"corners": "everywhere"},
    ],
)
def test_what_cannot_be_is_an_error(wrong: dict) -> None:
    with pytest.raises(OptionError):
        straighten(waves(), **wrong)


def test_a_canvas_beyond_the_limit() -> None:
    with pytest.raises(LimitError):
        straighten(waves(), angle=30, max_pixels=120 * 160)


def test_a_jpeg_of_another_picture_keeps_none_of_its_blocks(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.fromarray((waves() // 256).astype(np.uint8)).save(data, "JPEG", quality=95)
    picture = open_image(data.getvalue())
    canvas = on_canvas(picture, 255 - picture.pixels)  # of the same size, by chance
    hole = np.zeros(canvas.shape, dtype=bool)
    saved = save_image(canvas, tmp_path / "out.jpg", hole=hole)
    assert any("the whole picture is a new one" in note for note in saved.notes)
    again = open_image(tmp_path / "out.jpg").pixels
    assert np.abs(again.astype(int) - canvas.pixels).max() < 30


@pytest.mark.parametrize("angle", [-45, -30, 30, 45])
@pytest.mark.parametrize("shape", [(72, 96), (40, 320)])
def test_a_turned_picture_stays_whole(angle: float, shape: tuple[int, int]) -> None:
    found = straighten(np.full(shape, 200, dtype=np.uint8), angle=angle)
    height, width = shape
    c, s = math.cos(math.radians(abs(angle))), math.sin(math.radians(abs(angle)))
    assert abs(found.hole.shape[0] - (height * c + width * s)) < 2
    assert abs(found.hole.shape[1] - (width * c + height * s)) < 2
    assert (~found.hole).sum() > 0.95 * height * width  # resampling takes a rim away
    assert not any("cut off" in words for words in found.words)


def test_a_turn_that_leaves_nothing_is_told() -> None:
    with pytest.raises(ImageError, match="nothing of the 2x2 picture is left"):
        straighten(np.zeros((2, 2), dtype=np.uint8), angle=45)


def test_an_angle_of_nothing_is_no_turn() -> None:
    found = straighten(np.zeros((20, 30), dtype=np.uint8), angle=0)
    assert found.words == ("an angle of 0: the picture is left as it is",)
    assert found.missing == 0
