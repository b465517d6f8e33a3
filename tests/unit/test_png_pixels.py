"""Our PNG encoder, read back by Pillow and OpenCV."""

from __future__ import annotations

import io
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from lacuna.image import png, png_pixels
from lacuna.image.container import Meta

SHAPES = [(1, 1), (37, 53), (3, 700), (260, 9)]


def scene(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> np.ndarray:
    """Smooth above, noise below, so that each filter is the best of some rows."""
    rows = np.linspace(0, 1, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    values = np.where(rows < 0.6, 0.2 + rows, rng.random(shape))
    if dtype == np.bool_:
        return values > 0.5
    top = np.iinfo(dtype).max
    return np.rint(values.clip(0, 1) * top).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_others_read_what_we_write(
    shape: tuple[int, int], channels: int, dtype: Any, rng: np.random.Generator, monkeypatch: Any
) -> None:
    monkeypatch.setattr(png_pixels, "BAND", 2000)  # several bands
    pixels = scene((*shape, channels) if channels else shape, dtype, rng)
    data = png.write(pixels, None, Meta())
    flat = pixels[..., 0] if channels == 1 else pixels
    if dtype == np.uint8:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), flat)
    if channels != 2:
        seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(channels)
        np.testing.assert_array_equal(seen if order is None else seen[..., order], flat)
    np.testing.assert_array_equal(png.read(data, None).pixels, flat)


@pytest.mark.parametrize("width", [1, 7, 8, 65])
def test_bits(width: int, rng: np.random.Generator) -> None:
    pixels = scene((20, width), np.bool_, rng)
    data = png.write(pixels, None, Meta())
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "1"
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_the_bytes_do_not_depend_on_the_threads(rng: np.random.Generator, monkeypatch: Any) -> None:
    monkeypatch.setattr(png_pixels, "BAND", 5000)
    pixels = scene((200, 90, 3), np.uint8, rng)
    files = []
    for threads in ("1", "2"):
        monkeypatch.setenv("LACUNA_THREADS", threads)
        files.append(png_pixels.encode(pixels))
    assert files[0] == files[1]


def test_the_checksum_is_that_of_the_whole(rng: np.random.Generator) -> None:
    whole = rng.integers(0, 256, 300_000, dtype=np.uint8)
    parts = [(b"", zlib.adler32(part), part.size) for part in np.split(whole, [1, 70_000, 299_999])]
    assert png_pixels._checksum(parts) == zlib.adler32(whole)


def test_a_photo_is_about_as_small_as_pillow_makes_it(rng: np.random.Generator) -> None:
    soft = cv2.GaussianBlur(rng.random((300, 400, 3), dtype=np.float32), (0, 0), 6)
    pixels = np.rint(255 * (soft - soft.min()) / np.ptp(soft)).astype(np.uint8)
    theirs = io.BytesIO()
    Image.fromarray(pixels).save(theirs, "PNG", compress_level=png_pixels.LEVEL)
    ours = png.write(pixels, None, Meta())
    assert len(ours) < 1.1 * len(theirs.getvalue())
    bars = np.repeat(rng.integers(0, 2, (1, 400), dtype=np.uint8) * 255, 300, axis=0)
    assert len(png.write(bars, None, Meta())) < 2000
