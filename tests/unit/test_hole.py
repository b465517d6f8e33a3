"""Masks of every kind become the hole that they mean, or an error that says what is wrong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import LimitError, MaskError, OptionError
from lacuna.image import open_image
from lacuna.masks import to_hole

SHAPE = (10, 14)
BOX = np.zeros(SHAPE, dtype=bool)
BOX[3:6, 4:9] = True
WHITE = BOX * np.uint8(255)


def hole_of(mask: Any, **options: Any) -> np.ndarray:
    return to_hole(mask, SHAPE, **options)[0]


def notes_of(mask: Any, **options: Any) -> str:
    return "; ".join(to_hole(mask, SHAPE, **options)[1])


@pytest.mark.parametrize(
    "mask",
    [
        BOX,
        WHITE,
        WHITE[..., None],
        np.repeat(WHITE[..., None], 3, axis=2),
        BOX * np.uint16(65535),
        BOX.astype(np.float32),
        BOX.astype(np.float64),
        np.asfortranarray(WHITE),
    ],
)
def test_arrays(mask: np.ndarray) -> None:
    kept = mask.copy()
    hole, notes = to_hole(mask, SHAPE)
    assert (hole.dtype, hole.shape, notes) == (bool, SHAPE, ())
    np.testing.assert_array_equal(hole, BOX)
    hole[:] = True
    np.testing.assert_array_equal(mask, kept, "the argument was written to")


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (np.uint8, [0, 127, 128, 255]),
        (np.uint16, [0, 32767, 32768, 65535]),
        (np.float32, [0, np.nextafter(np.float32(0.5), np.float32(0)), 0.5, 1]),
    ],
)
def test_cut_at_half(dtype: type, values: list[float]) -> None:
    hole, _ = to_hole(np.array([values], dtype=dtype), (1, 4))
    assert hole.tolist() == [[False, False, True, True]]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_files(tmp_path: Path, suffix: str, mode: str) -> None:
    path = tmp_path / f"mask{suffix}"
    image = Image.fromarray(WHITE).convert(mode)
    image.save(path, **({"lossless": True} if suffix == ".webp" else {}))
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(hole_of(source), BOX)
    np.testing.assert_array_equal(hole_of(image), BOX)


def test_a_jpeg_mask_is_cut_and_its_noise_told(tmp_path: Path) -> None:
    shape = (64, 96)
    box = np.zeros(shape, dtype=bool)
    box[20:40, 30:70] = True
    Image.fromarray(box * np.uint8(255)).save(tmp_path / "mask.jpg", quality=30)
    hole, notes = to_hole(tmp_path / "mask.jpg", shape)
    assert (hole != box).sum() < 60
    assert any("JPEG noise" in note and "cut at 128" in note for note in notes)


def test_softness_is_told_above_a_tenth_of_a_percent() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[0, :10] = 100
    assert to_hole(mask, (100, 100))[1] == ()
    mask[0, :11] = 100
    assert "0.1 % of its values" in to_hole(mask, (100, 100))[1][0]


def test_orientation_of_a_mask_file_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.rot90(WHITE)).save(tmp_path / "mask.png", exif=exif.tobytes())
    np.testing.assert_array_equal(hole_of(tmp_path / "mask.png"), BOX)


def test_pil_modes() -> None:
    np.testing.assert_array_equal(hole_of(Image.fromarray(BOX * np.int32(65535))), BOX)
    np.testing.assert_array_equal(hole_of(Image.fromarray(BOX * np.uint16(65535))), BOX)
    np.testing.assert_array_equal(hole_of(Image.fromarray(BOX.astype(np.float32))), BOX)
    np.testing.assert_array_equal(hole_of(Image.fromarray(WHITE).convert("P")), BOX)
    with pytest.raises(MaskError, match="mode I"):
        hole_of(Image.fromarray(BOX * np.int32(-1)))


def test_zeros_and_ones_mean_no_and_yes() -> None:
    np.testing.assert_array_equal(hole_of(BOX.astype(np.uint8)), BOX)
    assert "only 0 and 1" in notes_of(BOX.astype(np.uint8))
    # Two levels are not 0 and 1 any more: the rule is the rule.
    assert not hole_of(BOX * np.uint8(2)).any()


# Channels


def test_colours_count_by_luminance() -> None:
    mask = np.zeros((*SHAPE, 3), np.uint8)
    mask[BOX] = (0, 255, 0)
    np.testing.assert_array_equal(hole_of(mask), BOX)
    assert "luminance" in notes_of(mask)
    mask[BOX] = (0, 0, 255)
    assert not hole_of(mask).any()


@pytest.mark.parametrize("colour", [255, 0, 77])
def test_a_mask_in_the_alpha_channel_is_found(colour: int) -> None:
    mask = np.full((*SHAPE, 4), colour, np.uint8)
    mask[..., 3] = WHITE
    np.testing.assert_array_equal(hole_of(mask), BOX)
    assert "alpha channel" in notes_of(mask)
    # Painting programs leave black where nothing was painted.
    mask[~BOX, :3] = 0
    np.testing.assert_array_equal(hole_of(mask), BOX)


def test_opaque_alpha_is_ignored() -> None:
    mask = np.full((*SHAPE, 4), 255, np.uint8)
    mask[..., :3] = WHITE[..., None]
    assert to_hole(mask, SHAPE)[1] == ()
    np.testing.assert_array_equal(hole_of(mask), BOX)
    np.testing.assert_array_equal(hole_of(np.dstack([WHITE, np.full(SHAPE, 255, np.uint8)])), BOX)


def test_colours_and_transparency_are_laid_on_black() -> None:
    mask = np.full((*SHAPE, 4), 255, np.uint8)
    mask[..., :3] = WHITE[..., None]
    mask[0, 0] = (255, 255, 255, 0)
    np.testing.assert_array_equal(hole_of(mask), BOX)
    assert "laid on black" in notes_of(mask)


def test_everything_transparent_is_an_empty_mask() -> None:
    assert not hole_of(np.zeros((*SHAPE, 4), np.uint8)).any()


# The picture's own alpha


def test_alpha_of_the_picture() -> None:
    pixels = np.full((*SHAPE, 4), 255, np.uint8)
    pixels[BOX, 3] = 0
    hole, notes = to_hole("alpha", SHAPE, picture=open_image(pixels))
    np.testing.assert_array_equal(hole, BOX)
    assert notes == ()
    pixels[0, :3, 3] = 9
    assert "3 partly transparent" in notes_of("alpha", picture=open_image(pixels))
    np.testing.assert_array_equal(hole_of("alpha", picture=open_image(pixels), invert=True), ~BOX)


@pytest.mark.parametrize("picture", [None, open_image(np.zeros(SHAPE, np.uint8))])
def test_no_alpha_to_take(picture: Any) -> None:
    with pytest.raises(MaskError, match="no alpha"):
        to_hole("alpha", SHAPE, picture=picture)


# Invert, dilate, resize


def test_invert() -> None:
    np.testing.assert_array_equal(hole_of(WHITE, invert=True), ~BOX)
    np.testing.assert_array_equal(hole_of(BOX, invert=True), ~BOX)


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5, 8, 13, 40])
def test_dilate_is_a_disc(radius: int) -> None:
    rng = np.random.default_rng(radius)
    mask = rng.random((41, 53)) < 0.004
    mask[20, 7] = True
    expected = np.zeros_like(mask)
    y, x = np.mgrid[:41, :53]
    for row, column in np.argwhere(mask):
        expected |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    np.testing.assert_array_equal(to_hole(mask, mask.shape, dilate=radius)[0], expected)


def test_dilate_is_exact_for_large_radii() -> None:
    mask = np.zeros((401, 700), dtype=bool)
    mask[3, 5] = True
    y, x = np.mgrid[:401, :700]
    for radius in (123, 377, 500):
        np.testing.assert_array_equal(
            to_hole(mask, mask.shape, dilate=radius)[0], (y - 3) ** 2 + (x - 5) ** 2 <= radius**2
        )


def test_dilate_after_invert_and_of_nothing_and_everything() -> None:
    mask = np.ones(SHAPE, dtype=bool)
    mask[5, 5] = False
    assert hole_of(mask, invert=True, dilate=1).sum() == 5
    assert not hole_of(np.zeros(SHAPE, bool), dilate=3).any()
    assert hole_of(np.ones(SHAPE, bool), dilate=3).all()


@pytest.mark.parametrize("radius", [-1, 1.5, "3", None, True])
def test_dilate_out_of_range(radius: Any) -> None:
    with pytest.raises(OptionError, match="dilate"):
        to_hole(BOX, SHAPE, dilate=radius)


def test_numpy_integers_are_whole_numbers() -> None:
    assert hole_of(BOX, dilate=np.int64(1)).sum() > BOX.sum()


def test_another_size_is_an_error_with_both_sizes_and_the_way_out() -> None:
    with pytest.raises(MaskError, match=r"mask is 7x5, the picture is 14x10.*--resize-mask"):
        to_hole(np.zeros((5, 7), np.uint8), SHAPE)


def test_resize_up_and_down() -> None:
    small = np.zeros((5, 7), dtype=bool)
    small[2, 3] = True
    hole, notes = to_hole(small, SHAPE, resize=True)
    assert np.argwhere(hole).tolist() == [[4, 6], [4, 7], [5, 6], [5, 7]]
    assert notes == ("the mask was resized from 7x5 to 14x10",)
    np.testing.assert_array_equal(to_hole(hole, (5, 7), resize=True)[0], small)


def test_shrinking_loses_no_scratch() -> None:
    mask = np.zeros((1000, 1000), dtype=bool)
    mask[:, 501] = True
    hole, _ = to_hole(mask, (97, 97), resize=True)
    assert hole.any(axis=1).all()


def test_resize_that_changes_proportions_is_told() -> None:
    assert "proportions" in to_hole(np.zeros((9, 9), bool), SHAPE, resize=True)[1][0]


def test_dilate_is_in_pixels_of_the_picture() -> None:
    small = np.zeros((5, 7), dtype=bool)
    small[2, 3] = True
    assert to_hole(small, SHAPE, resize=True, dilate=1)[0].sum() == 4 + 8


# Refused


@pytest.mark.parametrize("shape", [(10,), (1, 10, 14, 1), (10, 14, 5), (10, 14, 0), (0, 14)])
def test_other_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(MaskError, match="shape"):
        to_hole(np.zeros(shape, np.uint8), SHAPE)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8, np.uint32, np.complex64, object, "U1"])
def test_other_types(dtype: Any) -> None:
    with pytest.raises(MaskError, match="expected bool, uint8, uint16 or float"):
        to_hole(np.zeros(SHAPE, dtype=dtype), SHAPE)


@pytest.mark.parametrize("value", [255.0, -0.1, np.nan, np.inf])
def test_floats_beyond_0_1(value: float) -> None:
    mask = np.zeros(SHAPE)
    mask[0, 0] = value
    with pytest.raises(MaskError, match="0 … 1"):
        to_hole(mask, SHAPE)


def test_files_that_are_no_masks(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="does not exist"):
        to_hole(str(tmp_path / "missing.png"), SHAPE)
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(MaskError, match="not a picture"):
        to_hole(tmp_path / "text.png", SHAPE)
    for nonsense in (None, 7, [[True, False]]):
        with pytest.raises(MaskError, match="cannot be used"):
            to_hole(nonsense, SHAPE)


def test_an_enormous_mask_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Image.fromarray(WHITE).save(tmp_path / "mask.png")
    monkeypatch.setattr("lacuna.masks.hole.DEFAULT_MAX_PIXELS", 100)
    np.testing.assert_array_equal(hole_of(tmp_path / "mask.png"), BOX)
    with pytest.raises(LimitError):
        to_hole(tmp_path / "mask.png", (2, 2), resize=True)


def test_empty_and_full_are_not_decided_here() -> None:
    assert not hole_of(np.zeros(SHAPE, np.uint8)).any()
    assert hole_of(np.ones(SHAPE, bool)).all()
