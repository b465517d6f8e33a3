"""Every format, depth and channel count: in, filled, out; other programs see the same known pixels."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from lacuna.image import count_changed, ifd, open_image, save_image, verify_files
from lacuna.image.turning import upright

SHAPE = (23, 37)
HOLE = np.zeros(SHAPE, dtype=bool)
HOLE[5:14, 8:21] = True
HOLE[0, 0] = True
SUFFIX = {"PNG": ".png", "TIFF": ".tif", "BMP": ".bmp", "WEBP": ".webp", "JPEG": ".jpg"}


def samples(channels: int, dtype: type, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = SHAPE if channels == 1 else (*SHAPE, channels)
    if dtype is bool:
        return rng.random(shape) > 0.5
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def pil(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def fill_and_save(path: Path, out: Path, value: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Fill the hole with one value and return what other programs must find."""
    before = open_image(path)
    after = before.composite(np.full(before.canon(HOLE).shape, value, np.float32), HOLE)
    assert count_changed(before, after, HOLE) == 0
    saved = save_image(after, out, hole=HOLE)
    assert saved.changed_in_file == 0
    assert verify_files(path, out, HOLE).changed == 0
    return before.pixels, after.pixels


def other_program(path: Path) -> np.ndarray:
    """Decode with a library that Lacuna did not use for this file where there is one."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix in (".png", ".webp", ".bmp"):
        found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        return found[..., [2, 1, 0, 3][: found.shape[2]]] if found.ndim == 3 else found
    return np.asarray(pil(path))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_round_trip(tmp_path: Path, channels: int, dtype: type) -> None:
    values = samples(channels, dtype)
    extra = ["unassalpha"] if channels in (2, 4) else None
    photometric = "rgb" if channels > 2 else "minisblack"
    tifffile.imwrite(tmp_path / "in.tif", values, photometric=photometric, extrasamples=extra)

    before, after = fill_and_save(tmp_path / "in.tif", tmp_path / "out.tif")

    np.testing.assert_array_equal(before, values)
    found = other_program(tmp_path / "out.tif")
    np.testing.assert_array_equal(found, after)
    np.testing.assert_array_equal(found[~HOLE], values[~HOLE])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_round_trip(tmp_path: Path, channels: int, dtype: type) -> None:
    values = samples(channels, dtype)
    swapped = values[..., [2, 1, 0, 3][:channels]] if channels > 1 else values
    cv2.imencode(".png", swapped)[1].tofile(tmp_path / "in.png")

    before, after = fill_and_save(tmp_path / "in.png", tmp_path / "out.png")

    np.testing.assert_array_equal(before, values)
    found = other_program(tmp_path / "out.png")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, after)
    np.testing.assert_array_equal(found[~HOLE], values[~HOLE])


def test_png_grey_with_alpha_8_bit(tmp_path: Path) -> None:
    values = samples(2, np.uint8)
    Image.fromarray(values).save(tmp_path / "in.png")
    before, after = fill_and_save(tmp_path / "in.png", tmp_path / "out.png")
    np.testing.assert_array_equal(before, values)
    found = pil(tmp_path / "out.png")
    assert found.mode == "LA"
    np.testing.assert_array_equal(np.asarray(found), after)


def test_png_grey_with_alpha_16_bit(tmp_path: Path) -> None:
    # No library at hand writes these; ours is checked by OpenCV, which reads them as BGRA.
    values = samples(2, np.uint16)
    save_image(open_image(values), tmp_path / "in.png", hole=HOLE)
    before, after = fill_and_save(tmp_path / "in.png", tmp_path / "out.png")
    np.testing.assert_array_equal(before, values)
    for path, expected in (("in.png", values), ("out.png", after)):
        found = cv2.imdecode(np.fromfile(tmp_path / path, np.uint8), cv2.IMREAD_UNCHANGED)
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found[..., [0, 3]], expected)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_eight_bits_and_less(tmp_path: Path, name: str, mode: str) -> None:
    channels = {"RGB": 3, "RGBA": 4}.get(mode, 1)
    values = samples(channels, bool if mode == "1" else np.uint8)
    path, out = tmp_path / f"in{SUFFIX[name]}", tmp_path / f"out{SUFFIX[name]}"
    if name == "BMP" and mode == "RGBA":
        cv2.imencode(".bmp", values[..., [2, 1, 0, 3]])[1].tofile(path)
    else:
        Image.fromarray(values).save(path)

    before, after = fill_and_save(path, out)

    np.testing.assert_array_equal(before, values)
    found = pil(out)
    assert found.mode == mode
    np.testing.assert_array_equal(np.asarray(found), after)


@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_webp_keeps_colours_under_transparency(tmp_path: Path, channels: int) -> None:
    values = samples(channels, np.uint8)
    if channels == 4:
        values[:8, :, 3] = 0
    Image.fromarray(values).save(tmp_path / "in.webp", lossless=True, exact=True)
    _, after = fill_and_save(tmp_path / "in.webp", tmp_path / "out.webp")
    np.testing.assert_array_equal(other_program(tmp_path / "out.webp"), after)
    assert b"VP8L" in (tmp_path / "out.webp").read_bytes()
    saved = save_image(open_image(tmp_path / "in.webp"), tmp_path / "more.webp", hole=HOLE)
    assert saved.notes == ()


def test_lossy_webp_is_written_lossless_and_says_so(tmp_path: Path) -> None:
    Image.fromarray(samples(3, np.uint8)).save(tmp_path / "in.webp", quality=60)
    before = open_image(tmp_path / "in.webp")
    saved = save_image(before, tmp_path / "out.webp", hole=HOLE)
    assert saved.changed_in_file == 0
    assert any("lossless" in note for note in saved.notes)
    small = save_image(before, tmp_path / "small.webp", hole=HOLE, quality=40)
    assert small.changed_in_file > 0
    assert any("quality 40" in note for note in small.notes)
    assert (tmp_path / "small.webp").stat().st_size < (tmp_path / "out.webp").stat().st_size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_orientation_is_applied_and_undone(tmp_path: Path, name: str, orientation: int) -> None:
    values = samples(3, np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if name == "WEBP" else {}
    path, out = tmp_path / f"in{SUFFIX[name]}", tmp_path / f"out{SUFFIX[name]}"
    Image.fromarray(values).save(path, exif=exif.tobytes(), **options)
    expected = upright_by_pillow(path)

    before = open_image(path)
    np.testing.assert_array_equal(before.pixels, expected)

    hole = np.zeros(before.shape, dtype=bool)
    hole[2:9, 3:8] = True
    after = before.composite(np.zeros((*before.shape, 3), np.float32), hole)
    saved = save_image(after, out, hole=hole)

    written = pil(out)
    if name == "TIFF":  # Pillow shows TIFF files upright at once
        assert (written.tag_v2[256], written.tag_v2[257]) == SHAPE[::-1], "stored as it was"
    else:
        assert written.size == SHAPE[::-1], "stored as it was"
    assert written.getexif()[274] == orientation
    again = upright_by_pillow(out)
    if name == "JPEG":
        assert np.abs(again[hole].astype(int)).mean() < 40
        far = np.ones(before.shape, dtype=bool)
        far[:24, :24] = False  # the hole lies within 16 of the upright picture's corner; an MCU is 16 at most
        far &= ~dilated(hole, 17)
        np.testing.assert_array_equal(again[far], expected[far])
    else:
        np.testing.assert_array_equal(again, after.pixels)
        assert saved.changed_in_file == 0


def upright_by_pillow(path: Path) -> np.ndarray:
    from PIL import ImageOps

    return np.asarray(ImageOps.exif_transpose(pil(path)))


def dilated(hole: np.ndarray, radius: int) -> np.ndarray:
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return cv2.dilate(hole.astype(np.uint8), kernel).astype(bool)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_orientation_of_lzw_tiff(tmp_path: Path, dtype: type, orientation: int) -> None:
    # Decoded by Pillow or OpenCV, which have their own ideas about turning.
    values = samples(3, dtype)
    lzw = cv2.imencode(".tif", values[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes()
    (tmp_path / "in.tif").write_bytes(with_tag(lzw, ifd.entry(274, 3, [orientation], "<")))
    picture = open_image(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.pixels, upright(values, orientation))
    hole = np.zeros(picture.shape, dtype=bool)
    assert save_image(picture, tmp_path / "out.tif", hole=hole).changed_in_file == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), values)


def with_tag(data: bytes, tag: ifd.Entry) -> bytes:
    """Return a TIFF file with one more tag, by adding a directory at its end."""
    header = ifd.read_header(data)
    entries, _ = ifd.read_directory(data, header, header.first)
    out = bytearray(data + b"\0" * (len(data) % 2))
    block, place = ifd.write_directory([*entries, tag], header.order, len(out))
    struct.pack_into(f"{header.order}I", out, 4, place)
    return bytes(out + block)


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_is_converted_and_said(tmp_path: Path, transparent: bool) -> None:
    values = samples(3, np.uint8) // 64 * 64
    image = Image.fromarray(values).quantize(16)
    options = {"transparency": 3} if transparent else {}
    image.save(tmp_path / "in.png", **options)
    picture = open_image(tmp_path / "in.png")
    expected = np.asarray(pil(tmp_path / "in.png").convert("RGBA" if transparent else "RGB"))
    np.testing.assert_array_equal(picture.pixels, expected)
    assert any("palette" in note for note in picture.notes)
    fill_and_save(tmp_path / "in.png", tmp_path / "out.png")


def test_several_transparent_palette_entries(tmp_path: Path) -> None:
    image = Image.fromarray(samples(3, np.uint8)).quantize(8)
    image.save(tmp_path / "in.png", transparency=bytes([0, 128, 255, 255, 255, 255, 255, 255]))
    picture = open_image(tmp_path / "in.png")
    assert set(np.unique(picture.pixels[..., 3])) == {0, 128, 255}


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (1, 2, 3)), ("1", 0)])
def test_transparent_colour_becomes_alpha(tmp_path: Path, mode: str, key: object) -> None:
    channels = 3 if mode == "RGB" else 1
    values = samples(channels, bool if mode == "1" else np.uint8)
    values[0, :5] = key
    Image.fromarray(values).save(tmp_path / "in.png", transparency=key)
    picture = open_image(tmp_path / "in.png")
    plain = values if values.ndim == 3 else values[..., None]
    transparent = (plain == np.asarray(key)).all(axis=-1)
    np.testing.assert_array_equal(picture.pixels[..., -1] == 0, transparent)
    np.testing.assert_array_equal(~picture.known, transparent)
    assert any("transparent colour" in note for note in picture.notes)


def test_transparent_colour_16_bit(tmp_path: Path) -> None:
    from lacuna.image import png

    values = samples(3, np.uint16)
    values[3, 4] = (1000, 2000, 40000)
    chunks = png._split(png.write(values, None, png.Meta()))
    chunks.insert(1, (b"tRNS", np.array([1000, 2000, 40000], dtype=">u2").tobytes()))
    picture = open_image(png._join(chunks))
    assert picture.pixels.shape == (*SHAPE, 4)
    assert np.argwhere(picture.pixels[..., 3] == 0).tolist() == [[3, 4]]
    np.testing.assert_array_equal(picture.pixels[..., :3], values)


@pytest.mark.parametrize("key", [None, 2])
@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_2_and_4_bits(bits: int, key: int | None) -> None:
    from lacuna.image import png

    levels = np.arange(16 * 8).reshape(8, 16) % 2**bits
    packed = np.packbits(
        np.unpackbits(levels.astype(np.uint8)[..., None], axis=2)[..., 8 - bits :].reshape(8, -1), axis=1
    )
    import zlib

    body = b"".join(b"\0" + row.tobytes() for row in packed)
    data = png._join(
        [
            (b"IHDR", struct.pack(">IIBBBBB", 16, 8, bits, 0, 0, 0, 0)),
            (b"IDAT", zlib.compress(body)),
            (b"IEND", b""),
        ]
    )
    if key is not None:
        chunks = png._split(data)
        data = png._join([chunks[0], (b"tRNS", struct.pack(">H", key)), *chunks[1:]])
    picture = open_image(data)
    np.testing.assert_array_equal(picture.colour[..., 0], levels * (255 // (2**bits - 1)))
    np.testing.assert_array_equal(~picture.known, levels == key)
    assert any(f"{bits}-bit" in note for note in picture.notes)


def test_interlaced_png_of_every_depth(tmp_path: Path) -> None:
    values = samples(3, np.uint8)
    Image.fromarray(values).save(tmp_path / "in.png")
    np.testing.assert_array_equal(open_image(tmp_path / "in.png").pixels, values)


def test_cmyk_jpeg_is_converted_and_said(tmp_path: Path) -> None:
    cmyk = Image.fromarray(samples(4, np.uint8), "CMYK")
    cmyk.save(tmp_path / "in.jpg", quality=95)
    picture = open_image(tmp_path / "in.jpg")
    np.testing.assert_array_equal(picture.pixels, np.asarray(pil(tmp_path / "in.jpg").convert("RGB")))
    assert "CMYK converted to RGB" in picture.notes
    saved = save_image(picture, tmp_path / "out.jpg", hole=HOLE)
    assert pil(tmp_path / "out.jpg").mode == "RGB"
    assert any("CMYK" in note for note in saved.notes)


def test_first_page_of_a_tiff(tmp_path: Path) -> None:
    pages = [samples(3, np.uint8, seed) for seed in (1, 2, 3)]
    Image.fromarray(pages[0]).save(
        tmp_path / "in.tif", save_all=True, append_images=[Image.fromarray(p) for p in pages[1:]]
    )
    picture = open_image(tmp_path / "in.tif")
    np.testing.assert_array_equal(picture.pixels, pages[0])
    assert any("3 pages" in note for note in picture.notes)
    save_image(picture, tmp_path / "out.tif", hole=HOLE)
    assert pil(tmp_path / "out.tif").n_frames == 1


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF"])
def test_first_frame_of_an_animation(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(samples(3, np.uint8, seed) // 128 * 255) for seed in (1, 2, 3)]
    path = tmp_path / f"in.{name.lower()}"
    options = {"lossless": True} if name == "WEBP" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50, **options)
    picture = open_image(path)
    np.testing.assert_array_equal(picture.pixels[..., :3], np.asarray(frames[0]))
    assert any("first frame" in note for note in picture.notes)
    saved = save_image(picture, tmp_path / "out.png", hole=HOLE)
    assert saved.format == "PNG"
    assert getattr(pil(tmp_path / "out.png"), "n_frames", 1) == 1


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lzw_tiff_is_read_and_written_as_deflate(tmp_path: Path, channels: int) -> None:
    values = samples(channels, np.uint16)
    swapped = values[..., [2, 1, 0, 3][:channels]] if channels > 1 else values
    cv2.imencode(".tif", swapped, [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tofile(tmp_path / "in.tif")
    before, after = fill_and_save(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(before, values)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), after)
    saved = save_image(open_image(tmp_path / "in.tif"), tmp_path / "more.tif", hole=HOLE)
    assert any("LZW" in note and "Deflate" in note for note in saved.notes)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg", None])
def test_8_bit_tiff_compressions(tmp_path: Path, compression: str | None) -> None:
    Image.fromarray(samples(3, np.uint8)).save(tmp_path / "in.tif", compression=compression)
    before, _ = fill_and_save(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(before, np.asarray(pil(tmp_path / "in.tif").convert("RGB")))
    kept = pil(tmp_path / "out.tif").tag_v2[259]
    assert kept == (1 if compression is None else 8)


@pytest.mark.parametrize(
    "layout",
    [
        {"byteorder": ">"},
        {"bigtiff": True},
        {"planarconfig": "separate"},
        {"tile": (16, 16)},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "byteorder": ">", "predictor": True, "planarconfig": "separate"},
        {"compression": "lzma"},
    ],
    ids=lambda layout: "-".join(map(str, layout)),
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_layouts(tmp_path: Path, layout: dict, dtype: type) -> None:
    values = samples(3, dtype)
    stored = np.moveaxis(values, -1, 0) if "planarconfig" in layout else values
    tifffile.imwrite(tmp_path / "in.tif", stored, photometric="rgb", **layout)

    before, after = fill_and_save(tmp_path / "in.tif", tmp_path / "out.tif")

    np.testing.assert_array_equal(before, values)
    with tifffile.TiffFile(tmp_path / "in.tif") as first, tifffile.TiffFile(tmp_path / "out.tif") as second:
        assert first.byteorder == second.byteorder
        a, b = first.pages[0], second.pages[0]
        assert a.planarconfig == b.planarconfig
        assert a.predictor == b.predictor
        found = b.asarray()
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1) if "planarconfig" in layout else found, after)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_white_is_zero_tiff_is_turned_over_and_back(tmp_path: Path, dtype: type) -> None:
    values = samples(1, dtype)
    tifffile.imwrite(tmp_path / "in.tif", values, photometric="miniswhite")
    before, after = fill_and_save(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(before, ~values)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].photometric == 0
        np.testing.assert_array_equal(file.pages[0].asarray(), ~after)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32, np.float16, np.float64])
def test_scientific_tiff(tmp_path: Path, dtype: type) -> None:
    rng = np.random.default_rng(5)
    values = (rng.random(SHAPE) * 200 - (0 if np.dtype(dtype).kind == "u" else 100)).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", values, photometric="minisblack")
    before, _ = fill_and_save(tmp_path / "in.tif", tmp_path / "out.tif")
    assert before.dtype == dtype
    found = tifffile.imread(tmp_path / "out.tif")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[~HOLE], values[~HOLE])


def test_cmyk_tiff_and_palette_tiff(tmp_path: Path) -> None:
    Image.fromarray(samples(4, np.uint8), "CMYK").save(tmp_path / "cmyk.tif")
    Image.fromarray(samples(3, np.uint8)).quantize(8).save(tmp_path / "palette.tif")
    for name, word in (("cmyk", "CMYK"), ("palette", "palette")):
        picture = open_image(tmp_path / f"{name}.tif")
        expected = np.asarray(pil(tmp_path / f"{name}.tif").convert("RGB"))
        np.testing.assert_array_equal(picture.pixels, expected)
        assert any(word in note for note in picture.notes)
        save_image(picture, tmp_path / f"{name}-out.tif", hole=HOLE)
        found = pil(tmp_path / f"{name}-out.tif")
        assert found.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(found), expected)


CONVERSIONS = [
    ("uint16 RGB", samples(3, np.uint16), ".jpg", "8-bit"),
    ("uint16 RGBA", samples(4, np.uint16), ".webp", "8-bit"),
    ("uint8 RGBA", samples(4, np.uint8), ".jpg", "white"),
    ("float RGB", samples(3, np.float32), ".png", "16-bit PNG"),
    ("float grey", samples(1, np.float64), ".bmp", "8-bit BMP"),
    ("bool", samples(1, bool), ".jpg", "1-bit"),
]


@pytest.mark.parametrize(("values", "suffix", "word"), [c[1:] for c in CONVERSIONS], ids=lambda v: None)
def test_what_a_format_cannot_hold_is_said(
    tmp_path: Path, values: np.ndarray, suffix: str, word: str
) -> None:
    saved = save_image(open_image(values), tmp_path / f"out{suffix}", hole=HOLE)
    assert any(word in note for note in saved.notes), saved.notes


def test_16_bit_becomes_the_nearest_of_256_levels(tmp_path: Path) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    hole = np.zeros((256, 256), dtype=bool)
    save_image(open_image(values), tmp_path / "out.bmp", hole=hole)
    found = np.asarray(pil(tmp_path / "out.bmp"))
    np.testing.assert_array_equal(found, np.rint(values / 257).astype(np.uint8))


def test_transparency_is_laid_on_white_for_jpeg(tmp_path: Path) -> None:
    values = np.zeros((16, 16, 4), dtype=np.uint8)
    values[:, 8:, 3] = 255
    save_image(open_image(values), tmp_path / "out.jpg", hole=np.zeros((16, 16), dtype=bool))
    found = np.asarray(pil(tmp_path / "out.jpg"))
    assert (found[:, :8] > 250).all()
    assert (found[:, 8:] < 5).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
@pytest.mark.parametrize(
    "values", [samples(1, np.int16), samples(3, np.float32) * 300], ids=["int16", "float"]
)
def test_only_tiff_holds_signed_and_unbounded_values(tmp_path: Path, suffix: str, values: np.ndarray) -> None:
    from lacuna.errors import OutputError

    with pytest.raises(OutputError, match=r"\.tif"):
        save_image(open_image(values), tmp_path / f"out{suffix}", hole=HOLE)
    assert not list(tmp_path.iterdir())
    assert save_image(open_image(values), tmp_path / "out.tif", hole=HOLE).changed_in_file == 0


def test_streams_and_bytes(tmp_path: Path) -> None:
    values = samples(3, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    for source in (buffer.getvalue(), memoryview(buffer.getvalue()), io.BytesIO(buffer.getvalue())):
        out = io.BytesIO()
        saved = save_image(open_image(source), out, hole=HOLE)
        assert (saved.path, saved.format) == (None, "PNG")
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(out.getvalue()))), values)
    out = io.BytesIO()
    assert save_image(open_image(buffer.getvalue()), out, hole=HOLE, format="tif").format == "TIFF"
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(out.getvalue())), values)


def test_standard_input_and_output(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    buffer = io.BytesIO()
    Image.fromarray(samples(3, np.uint8)).save(buffer, "PNG")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(buffer.getvalue())))
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=out))
    saved = save_image(open_image("-"), "-", hole=HOLE)
    assert saved.path is None
    assert verify_files(buffer.getvalue(), out.getvalue()).changed == 0
