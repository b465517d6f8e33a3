"""Whatever the picture and the hole, known pixels come back through arrays, PIL images and files."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lacuna.image import count_changed, open_image, save_image, verify_files
from lacuna.image.jpeg_blocks import read_coefficients
from lacuna.image.previews import blank_jpegs, clean_exif, clean_photoshop, clean_xmp
from lacuna.image.turning import stored, upright
from lacuna.masks import to_hole

LOSSLESS = {
    "PNG": (np.uint8, np.uint16, bool),
    "TIFF": (np.uint8, np.uint16, bool, np.float32, np.int16, np.float64),
    "BMP": (np.uint8, bool),
    "WEBP": (np.uint8,),
}
sizes = st.tuples(st.integers(1, 21), st.integers(1, 21))
seeds = st.integers(0, 2**32 - 1)


def picture(seed: int, size: tuple[int, int], channels: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.random(size if channels == 1 else (*size, channels))
    values = (values * (np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1.0)).astype(dtype)
    return values, rng.random(size) < rng.random()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([(name, dtype) for name, dtypes in LOSSLESS.items() for dtype in dtypes]),
    st.integers(1, 4),
    sizes,
    seeds,
)
def test_lossless_formats_give_back_every_known_pixel(
    kind: tuple[str, type], channels: int, size: tuple[int, int], seed: int
) -> None:
    name, dtype = kind
    values, hole = picture(seed, size, channels, dtype)
    before = open_image(values)
    fill = np.random.default_rng(seed).random(before.colour.shape).astype(np.float32)
    after = before.composite(fill, hole)
    assert count_changed(before, after, hole) == 0
    out = io.BytesIO()
    assert save_image(after, out, hole=hole, format=name).changed_in_file == 0
    assert verify_files(values, out.getvalue(), hole).changed == 0
    # Once in the format, a second trip keeps everything, the fill included.
    again = open_image(out.getvalue())
    second = io.BytesIO()
    save_image(again, second, hole=hole)
    np.testing.assert_array_equal(open_image(second.getvalue()).pixels, again.pixels)


@settings(deadline=None, max_examples=25)
@given(sizes, seeds, st.sampled_from([0, 1, 2]), st.booleans(), st.integers(1, 8))
def test_jpeg_blocks_without_changes_stay(
    size: tuple[int, int], seed: int, sampling: int, progressive: bool, orientation: int
) -> None:
    height, width = size[0] * 3, size[1] * 3
    values, hole = picture(seed, (height, width), 3, np.uint8)
    hole &= np.add.outer(np.arange(height), np.arange(width)) % 23 < 5
    exif = Image.Exif()
    exif[274] = orientation
    source = io.BytesIO()
    Image.fromarray(values).save(
        source, "JPEG", quality=88, subsampling=sampling, progressive=progressive, exif=exif.tobytes()
    )
    before = open_image(source.getvalue())
    hole = upright(hole, orientation)
    after = before.composite(np.full((*before.shape, 3), 0.5, np.float32), hole)
    out = io.BytesIO()
    save_image(after, out, hole=hole)
    touched = stored(hole, orientation)
    old, new = read_coefficients(source.getvalue())[0], read_coefficients(out.getvalue())[0]
    for row, column in np.argwhere((old != new).any(axis=(2, 3))):
        assert touched[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].any()


@given(sizes, seeds, st.integers(1, 8))
def test_turning_is_undone(size: tuple[int, int], seed: int, orientation: int) -> None:
    values, _ = picture(seed, size, 3, np.uint8)
    np.testing.assert_array_equal(stored(upright(values, orientation), orientation), values)


@settings(deadline=None)
@given(sizes, seeds, st.integers(0, 6))
def test_dilation_is_a_disc(size: tuple[int, int], seed: int, radius: int) -> None:
    _, hole = picture(seed, size, 1, np.uint8)
    y, x = np.mgrid[: size[0], : size[1]]
    expected = np.zeros_like(hole)
    for row, column in np.argwhere(hole):
        expected |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    np.testing.assert_array_equal(to_hole(hole, size, dilate=radius)[0], expected)


@given(st.binary(max_size=400))
def test_cleaning_never_fails_and_never_leaves_a_jpeg(block: bytes) -> None:
    block = block[:100] + b"\xff\xd8\xff" + block[100:]
    for cleaned, _ in (clean_exif(block), blank_jpegs(block), clean_exif(b"II*\0\x08\0\0\0" + block)):
        assert b"\xff\xd8\xff" not in cleaned
    clean_photoshop(b"8BIM\4\x0c" + block)
    clean_xmp(block)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP"]), st.data())
def test_damaged_files_are_read_or_refused_but_never_crash(name: str, data: st.DataObject) -> None:
    from lacuna.errors import ImageError, LimitError

    source = bytearray(SMALL[name])
    for _ in range(data.draw(st.integers(1, 4))):
        source[data.draw(st.integers(0, len(source) - 1))] = data.draw(st.integers(0, 255))
    try:
        opened = open_image(bytes(source[: data.draw(st.integers(8, len(source)))]), max_pixels=10**6)
    except (ImageError, LimitError):
        return
    save_image(opened, io.BytesIO(), hole=np.zeros(opened.shape, dtype=bool))


def _small(name: str) -> bytes:
    out = io.BytesIO()
    values, _ = picture(1, (9, 13), 3, np.uint8)
    Image.fromarray(values).save(out, name)
    return out.getvalue()


SMALL = {name: _small(name) for name in ("PNG", "JPEG", "WEBP", "TIFF", "BMP")}
