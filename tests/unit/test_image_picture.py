"""A picture between the doors: canon, composite, and the same kind out as in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import ImageError, MaskError, MethodError
from lacuna.image import Picture, count_changed, open_image
from lacuna.image.depth import Scale, decode, encode, full_scale, scale_for

RNG = np.random.default_rng(7)
HOLE = np.zeros((6, 8), dtype=bool)
HOLE[2:4, 3:6] = True


def constant(picture: Picture, value: float) -> np.ndarray:
    return np.full(picture.canon(HOLE).shape, value, np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_value_over_maximum(dtype: type) -> None:
    top = np.iinfo(dtype).max
    values = np.array([[0, 1, top // 2, top]], dtype=dtype)
    np.testing.assert_allclose(
        open_image(values).image[..., 0], [[0, 1 / top, (top // 2) / top, 1]], rtol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
def test_every_level_survives_canon(dtype: type) -> None:
    values = np.arange(2 if dtype is bool else np.iinfo(dtype).max + 1).astype(dtype)
    scale = Scale(0.0, full_scale(values.dtype))
    np.testing.assert_array_equal(encode(decode(values, scale), scale, values.dtype), values)


def test_a_16_bit_fill_uses_more_than_256_levels() -> None:
    picture = open_image(np.zeros((2, 2000), dtype=np.uint16))
    hole = np.ones((2, 2000), dtype=bool)
    hole[0] = False
    ramp = np.linspace(0, 1, 2000, dtype=np.float32)
    fill = np.broadcast_to(ramp[None, :, None], (2, 2000, 1))
    assert len(np.unique(picture.composite(fill, hole).pixels[1])) > 1900


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_known_pixels_are_copied_and_the_kind_comes_back(dtype: type, channels: int) -> None:
    shape = (6, 8, channels) if channels else (6, 8)
    values = (RNG.random(shape) * 100).astype(dtype)
    kept = values.copy()
    before = open_image(values)
    after = before.composite(constant(before, 0.25), HOLE)
    out = after.native()
    assert (type(out), out.dtype, out.shape) == (np.ndarray, values.dtype, values.shape)
    np.testing.assert_array_equal(out[~HOLE], values[~HOLE])
    np.testing.assert_array_equal(values, kept, "the argument was written to")
    assert count_changed(before, after, HOLE) == 0
    assert out.flags.writeable
    assert not np.shares_memory(out, values)
    if channels in (2, 4):
        np.testing.assert_array_equal(out[..., -1], values[..., -1], "alpha was changed")


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2, ::-1],
        lambda a: a.transpose(1, 0, 2),
        lambda a: np.asfortranarray(a),
        lambda a: a[..., ::-1],
    ],
)
def test_views_and_read_only_arrays(view: Any) -> None:
    values = view(RNG.integers(0, 256, (20, 16, 3), dtype=np.uint8))
    values.setflags(write=False)
    hole = np.zeros(values.shape[:2], dtype=bool)
    hole[1:4, 2:5] = True
    before = open_image(values)
    after = before.composite(np.zeros((*before.shape, 3), np.float32), hole)
    np.testing.assert_array_equal(after.native()[~hole], values[~hole])
    assert (after.native()[hole] == 0).all()


def test_the_callers_array_stays_writable() -> None:
    values = np.zeros((6, 8), dtype=np.uint8)
    picture = open_image(values)
    values[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0] = 2
    with pytest.raises(ValueError, match="read-only"):
        picture.image[0, 0] = 2


def test_big_endian_arrays_come_back_big_endian() -> None:
    values = RNG.integers(0, 65536, (6, 8), dtype=np.uint16).astype(">u2")
    before = open_image(values)
    after = before.composite(constant(before, 1.0), HOLE)
    assert after.native().dtype == values.dtype
    np.testing.assert_array_equal(after.native()[~HOLE], values[~HOLE])
    assert (after.native()[HOLE] == 65535).all()


PIL_MODES = {
    "1": ("1", bool, 1),
    "L": ("L", np.uint8, 1),
    "LA": ("LA", np.uint8, 2),
    "RGB": ("RGB", np.uint8, 3),
    "RGBA": ("RGBA", np.uint8, 4),
    "I;16": ("I;16", np.uint16, 1),
    "I": ("I", np.int32, 1),
    "F": ("F", np.float32, 1),
}


@pytest.mark.parametrize("mode", PIL_MODES)
def test_pil_images_come_back_with_mode_and_info(mode: str) -> None:
    expected, dtype, channels = PIL_MODES[mode]
    values = (RNG.random((6, 8) if channels == 1 else (6, 8, channels)) * 200).astype(dtype)
    image = Image.fromarray(values)
    image.info["dpi"] = (72, 72)
    assert image.mode == mode
    before = open_image(image)
    out = before.composite(constant(before, 0.5), HOLE).native()
    assert isinstance(out, Image.Image)
    assert (out.mode, out.size, out.info) == (expected, image.size, {"dpi": (72, 72)})
    np.testing.assert_array_equal(np.asarray(out)[~HOLE], values[~HOLE])
    np.testing.assert_array_equal(np.asarray(image), values)


@pytest.mark.parametrize(
    ("mode", "target"),
    [
        ("P", "RGB"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("HSV", "RGB"),
        ("RGBX", "RGB"),
        ("RGBa", "RGBA"),
        ("La", "LA"),
    ],
)
def test_pil_modes_without_canon_are_converted_and_said(mode: str, target: str) -> None:
    base = Image.fromarray(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    if mode in ("RGBa", "La"):
        base = base.convert("RGBA" if mode == "RGBa" else "LA")
    picture = open_image(base.convert(mode))
    assert picture.native().mode == target
    assert any("converted" in note for note in picture.notes)


def test_pil_palette_with_transparency() -> None:
    image = Image.fromarray(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)).quantize(4)
    image.info["transparency"] = 2
    picture = open_image(image)
    out = picture.native()
    assert out.mode == "RGBA"
    assert "transparency" not in out.info
    np.testing.assert_array_equal(~picture.known, np.asarray(image) == 2)


def test_pil_orientation_is_left_alone() -> None:
    image = Image.fromarray(np.zeros((6, 8), np.uint8))
    image.getexif()[274] = 6
    assert open_image(image).shape == (6, 8)


def test_large_pil_images_are_read_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lacuna.image.pil._BAND", 100)
    for channels in (1, 3):
        values = RNG.integers(0, 256, (31, 41) if channels == 1 else (31, 41, 3), dtype=np.uint8)
        np.testing.assert_array_equal(open_image(Image.fromarray(values)).pixels, values)


def test_unsupported_pil_mode() -> None:
    image = Image.new("RGB", (2, 2)).convert("LAB")
    assert open_image(image).native().mode == "RGB"
    with pytest.raises(ImageError, match="mode XYZ are not supported"):
        open_image(FakeMode())


class FakeMode(Image.Image):
    """An image of a mode that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self._mode = "XYZ"
        self._size = (2, 2)

    def load(self) -> None:
        return None


def test_a_picture_is_its_own_picture() -> None:
    picture = open_image(np.zeros((2, 2), np.uint8))
    assert open_image(picture) is picture


# Alpha


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [2, 4])
def test_transparent_pixels_are_a_hole_and_can_become_opaque(dtype: type, channels: int) -> None:
    top = full_scale(np.dtype(dtype))
    values = (RNG.random((6, 8, channels)) * top * 0.5 + 0.1 * top).astype(dtype)
    values[HOLE, -1] = 0
    before = open_image(values)
    hole = before.alpha_hole()
    np.testing.assert_array_equal(hole, HOLE)
    np.testing.assert_array_equal(before.known, ~HOLE)
    same = before.composite(constant(before, 0.5), hole)
    np.testing.assert_array_equal(same.alpha, values[..., -1])
    opaque = before.composite(constant(before, 0.5), hole, opaque=True)
    assert (opaque.alpha[HOLE] == top).all()
    np.testing.assert_array_equal(opaque.pixels[~HOLE], values[~HOLE])


def test_without_alpha_there_is_no_alpha_hole() -> None:
    picture = open_image(np.zeros((6, 8, 3), np.uint8))
    assert picture.alpha is None
    assert picture.known.all()
    with pytest.raises(MaskError, match="no alpha"):
        picture.alpha_hole()
    assert picture.composite(constant(picture, 1.0), HOLE, opaque=True).pixels[HOLE].min() == 255


# Floats, signed integers, NaN


def test_floats_inside_0_1_stay_as_they_are() -> None:
    values = RNG.random((6, 8)).astype(np.float32)
    np.testing.assert_array_equal(open_image(values).canon(HOLE)[..., 0], values)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32, np.float32, np.float64])
def test_other_values_are_mapped_by_the_known_range_and_back(dtype: type) -> None:
    values = np.full((6, 8), 20, dtype=dtype)
    values[0, 0], values[5, 7] = 10, 110
    values[HOLE] = 127  # under the hole: must not stretch the scale
    picture = open_image(values)
    canon = picture.canon(HOLE)
    assert canon[0, 0, 0] == 0.0
    assert canon[5, 7, 0] == 1.0
    assert canon[1, 1, 0] == pytest.approx(0.1)
    assert canon.max() == 1.0
    assert (picture.composite(constant(picture, 0.5), HOLE).pixels[HOLE] == 60).all()


def test_a_flat_picture_beyond_0_1_stays_flat() -> None:
    picture = open_image(np.full((6, 8), 300.0))
    assert (picture.canon(HOLE) == 0).all()
    assert (picture.composite(constant(picture, 0.0), HOLE).pixels == 300.0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_may_lie_under_the_hole_only(bad: float) -> None:
    values = RNG.random((6, 8)) * 9
    values[HOLE] = bad
    picture = open_image(values)
    canon = picture.canon(HOLE)
    assert np.isfinite(canon).all()
    assert 0 <= canon.min() <= canon.max() <= 1
    after = picture.composite(canon, HOLE)
    assert np.isfinite(after.pixels).all()
    assert np.isfinite(picture.image).all()
    with pytest.raises(ImageError, match=r"6 known pixels are NaN or infinite; .* those pixels"):
        picture.canon()
    smaller = HOLE.copy()
    smaller[2, 3] = False
    with pytest.raises(ImageError, match="1 known pixel"):
        picture.composite(canon, smaller)


def test_not_finite_under_transparency_is_nobodys_business() -> None:
    values = np.full((6, 8, 2), 0.5, np.float32)
    values[0, 0] = (np.nan, 0)
    picture = open_image(values)
    assert np.isfinite(picture.canon(HOLE)).all()
    after = picture.composite(constant(picture, 0.5), HOLE)
    assert np.isnan(after.pixels[0, 0, 0])
    assert count_changed(picture, after, HOLE) == 0


def test_a_hole_over_everything_has_a_scale() -> None:
    assert scale_for(np.full((2, 2, 1), 9.0), np.zeros((2, 2), bool)) == Scale(0.0, 1.0)


def test_scale_is_that_of_the_whole_picture_in_every_box() -> None:
    values = RNG.random((6, 8)) * 50 - 10
    picture = open_image(values)
    box = (1, 2, 5, 7)
    np.testing.assert_array_equal(picture.canon(HOLE, box), picture.canon(HOLE)[1:5, 2:7])


def test_two_holes_have_two_scales() -> None:
    values = np.ones((6, 8))
    values[0, 0] = 5
    values[2, 3] = 9
    picture = open_image(values)
    assert picture.canon(HOLE)[0, 0, 0] == 1.0
    assert picture.canon(~HOLE)[2, 3, 0] == 1.0
    assert picture.canon(HOLE)[0, 0, 0] == 1.0


def test_bool_pictures_are_cut_at_half() -> None:
    picture = open_image(np.zeros((6, 8), dtype=bool))
    assert picture.composite(constant(picture, 0.5), HOLE).pixels[HOLE].all()
    assert not picture.composite(constant(picture, 0.49), HOLE).pixels.any()


# Composite


def test_values_beyond_the_range_are_clipped() -> None:
    picture = open_image(np.full((6, 8), 9, np.uint8))
    assert (picture.composite(constant(picture, 1.7), HOLE).pixels[HOLE] == 255).all()
    assert (picture.composite(constant(picture, -3.0), HOLE).pixels[HOLE] == 0).all()


def test_parts_fill_their_boxes_only() -> None:
    picture = open_image(np.full((6, 8, 3), 9, np.uint8))
    hole = np.zeros((6, 8), dtype=bool)
    hole[0, 0] = hole[5, 7] = True
    parts = [((0, 0, 2, 2), np.zeros((2, 2, 3), np.float32)), ((4, 5, 6, 8), np.ones((2, 3, 3), np.float32))]
    after = picture.paste(iter(parts), hole)
    assert after.pixels[0, 0].tolist() == [0, 0, 0]
    assert after.pixels[5, 7].tolist() == [255, 255, 255]
    assert (after.pixels[~hole] == 9).all()


def test_weight_mixes_known_pixels_near_the_rim() -> None:
    picture = open_image(np.zeros((6, 8), np.uint8))
    weight = np.zeros((6, 8), np.float32)
    weight[2, 2] = 0.5
    weight[HOLE] = 0.1  # counts as 1
    after = picture.composite(constant(picture, 0.8), HOLE, weight=weight)
    assert (after.pixels[HOLE] == 204).all()
    assert after.pixels[2, 2] == 102
    assert count_changed(picture, after, HOLE) == 1


def test_original_is_remembered_through_several_composites() -> None:
    picture = open_image(np.zeros((6, 8), np.uint8))
    once = picture.composite(constant(picture, 1.0), HOLE)
    twice = once.composite(constant(picture, 0.5), HOLE)
    assert twice.original is picture.pixels


def test_an_empty_hole_gives_a_copy() -> None:
    values = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    after = open_image(values).composite(np.zeros((6, 8, 3), np.float32), np.zeros((6, 8), bool))
    np.testing.assert_array_equal(after.native(), values)


@pytest.mark.parametrize("fill", [np.zeros((6, 8, 3), np.float32), np.zeros((5, 8, 1), np.float32)])
def test_a_fill_of_another_shape_is_refused(fill: np.ndarray) -> None:
    with pytest.raises(MethodError, match="shape"):
        open_image(np.zeros((6, 8), np.uint8)).composite(fill, HOLE)


def test_a_fill_with_nan_is_refused_inside_the_hole_only() -> None:
    picture = open_image(np.zeros((6, 8), np.uint8))
    fill = constant(picture, 0.5)
    fill[0, 0] = np.nan
    picture.composite(fill, HOLE)
    fill[2, 3] = np.nan
    with pytest.raises(MethodError, match="NaN"):
        picture.composite(fill, HOLE)


@pytest.mark.parametrize("hole", [np.zeros((6, 7), bool), np.zeros((6, 8), np.uint8)])
def test_a_hole_that_does_not_fit_is_refused(hole: np.ndarray) -> None:
    picture = open_image(np.zeros((6, 8), np.uint8))
    with pytest.raises(MaskError, match="True = missing"):
        picture.composite(constant(picture, 0.0), hole)


def test_count_changed_counts_pixels_of_any_channel() -> None:
    before = open_image(np.zeros((6, 8, 4), np.uint8))
    values = np.zeros((6, 8, 4), np.uint8)
    values[0, 0, 3] = 1
    values[0, 1, :2] = 9
    values[HOLE] = 200
    assert count_changed(before, open_image(values), HOLE) == 2
    with pytest.raises(ImageError, match="bit for bit"):
        count_changed(before, open_image(values[..., :3]), HOLE)


def test_count_changed_looks_at_bits() -> None:
    before = np.zeros((6, 8), np.float32)
    before[0, 0] = np.nan
    after = before.copy()
    assert count_changed(open_image(before), open_image(after), HOLE) == 0
    after[1, 1] = -0.0
    assert count_changed(open_image(before), open_image(after), HOLE) == 1


# Arrays that are no pictures


@pytest.mark.parametrize("shape", [(3,), (2, 3, 5), (1, 2, 3, 3), (2, 3, 0), ()])
def test_arrays_of_other_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"\(H, W\)"):
        open_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0, 3)])
def test_arrays_without_pixels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="no pixels"):
        open_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.complex64, object, "U3", "M8[s]"])
def test_other_types_are_refused_by_name(dtype: Any) -> None:
    with pytest.raises(ImageError, match=r"not supported; supported: bool, uint8"):
        open_image(np.zeros((6, 8), dtype=dtype))


@pytest.mark.parametrize("source", [None, 3, [[1, 2], [3, 4]], object()])
def test_other_sources_are_refused(source: Any) -> None:
    with pytest.raises(ImageError, match="a picture is"):
        open_image(source)
