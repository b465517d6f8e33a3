"""JPEG to JPEG: coefficients outside the changed blocks are the source's, and the rest of the file too."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from lacuna.image import Picture, open_image, save_image
from lacuna.image import jpeg as jpeg_module
from lacuna.image.jpeg import parse
from lacuna.image.jpeg_blocks import _quantise, read_coefficients, rewrite, why_not

SAMPLINGS = {
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Return something like a photograph: slopes, an edge and some grain."""
    y, x = np.mgrid[:height, :width].astype(float)
    rng = np.random.default_rng(3)
    base = 90 + 60 * np.sin(x / 17) * np.cos(y / 13) + 40 * (x + y > (width + height) / 2)
    colours = (
        base[..., None] * np.array([1.0, 0.8, 0.6]) + np.array([10, 0, 40]) + rng.normal(0, 4, (1, 1, 3))
    )
    colours += rng.normal(0, 5, (height, width, 1))
    image = np.clip(colours, 0, 255).astype(np.uint8)
    return image if channels == 3 else image[..., 0]


def encoded(image: np.ndarray, sampling: str = "420", quality: int = 90, **options: int) -> bytes:
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]]
    for name, value in options.items():
        flags += [getattr(cv2, f"IMWRITE_JPEG_{name.upper()}"), value]
    bgr = image[..., ::-1] if image.ndim == 3 else image
    return cv2.imencode(".jpg", np.ascontiguousarray(bgr), flags)[1].tobytes()


def by_pillow(image: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", **options)
    return out.getvalue()


def a_hole(height: int, width: int) -> np.ndarray:
    hole = np.zeros((height, width), dtype=bool)
    hole[height // 3 : height // 3 + 9, width // 4 : width // 4 + 21] = True
    hole[-1, -1] = True
    return hole


def filled(data: bytes, hole: np.ndarray) -> tuple[Picture, Picture]:
    before = open_image(data)
    fill = np.roll(before.image, (7, 11), axis=(0, 1))
    return before, before.composite(fill, hole)


def saved(after: Picture, hole: np.ndarray, **options: object) -> tuple[bytes, object]:
    out = io.BytesIO()
    facts = save_image(after, out, hole=hole, format="JPEG", **options)
    return out.getvalue(), facts


def blocks_of(changed: np.ndarray, cell: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Return which blocks hold changed pixels, the slow and obvious way."""
    touched = np.zeros(shape, dtype=bool)
    for y, x in np.argwhere(changed):
        touched[y // (8 * cell[0]), x // (8 * cell[1])] = True
    return touched


def assert_only_changed_blocks_differ(source: bytes, result: bytes, changed: np.ndarray) -> None:
    frame = parse(source).frame
    top_h, top_v = max(c.h for c in frame.components), max(c.v for c in frame.components)
    planes = zip(frame.components, read_coefficients(source), read_coefficients(result), strict=True)
    for component, old, new in planes:
        cell = (1, 1) if len(frame.components) == 1 else (top_v // component.v, top_h // component.h)
        touched = blocks_of(changed, cell, old.shape[:2])
        np.testing.assert_array_equal(new[~touched], old[~touched])
        assert (new[touched] != old[touched]).any()


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("sampling", list(SAMPLINGS))
@pytest.mark.parametrize("size", [(64, 96), (61, 83), (17, 50)])
def test_blocks_that_did_not_change_keep_their_coefficients(
    sampling: str, progressive: int, size: tuple[int, int]
) -> None:
    source = encoded(photo(*size), sampling, progressive=progressive)
    hole = a_hole(*size)
    before, after = filled(source, hole)
    result, facts = saved(after, hole)

    changed = (after.pixels != before.pixels).any(axis=2)
    assert_only_changed_blocks_differ(source, result, changed)
    assert b"\xff\xc2" in result if progressive else b"\xff\xc0" in result
    again = open_image(result)
    assert again.pixels.shape == before.pixels.shape
    # The fill is what JPEG of this quality can show of it.
    assert np.abs(again.pixels.astype(int) - after.pixels)[hole].mean() < 6
    differing = (again.pixels != before.pixels).any(axis=2) & ~hole
    assert facts.changed_in_file == differing.sum()
    assert any("MCUs encoded anew" in note for note in facts.notes)


@pytest.mark.parametrize("size", [(40, 56), (33, 9), (8, 8), (1, 1), (1, 30)])
def test_grey(size: tuple[int, int]) -> None:
    source = encoded(photo(*size, channels=1))
    hole = np.zeros(size, dtype=bool)
    hole[0, : size[1] // 2 + 1] = True
    before = open_image(source)
    after = before.composite(np.full((*size, 1), 0.9, np.float32), hole)
    result, _ = saved(after, hole)
    assert_only_changed_blocks_differ(source, result, after.pixels != before.pixels)
    assert Image.open(io.BytesIO(result)).mode == "L"


def test_known_pixels_two_mcus_away_are_untouched_and_the_nearest_move_little() -> None:
    size = (96, 96)
    source = encoded(photo(*size), "420")
    hole = np.zeros(size, dtype=bool)
    hole[36:44, 36:44] = True
    _, after = filled(source, hole)
    result, facts = saved(after, hole)
    apart = np.abs(open_image(result).pixels.astype(int) - open_image(source).pixels)
    far = np.ones(size, dtype=bool)
    far[32 - 1 : 48 + 1, 32 - 1 : 48 + 1] = False  # the MCU, and one pixel of chroma interpolation
    assert apart[far].max() == 0
    assert 0 < facts.changed_in_file <= (18 * 18 - 64)
    assert apart[~hole].mean() < 0.5
    assert any("known pixels differ slightly" in note for note in facts.notes)


def test_luma_blocks_of_a_touched_mcu_stay_when_no_hole_pixel_is_in_them() -> None:
    size = (32, 32)
    source = encoded(photo(*size), "420")
    hole = np.zeros(size, dtype=bool)
    hole[2:6, 2:6] = True
    _before, after = filled(source, hole)
    result, _ = saved(after, hole)
    old, new = read_coefficients(source)[0], read_coefficients(result)[0]
    same = (old == new).all(axis=(2, 3))
    assert not same[0, 0]
    assert same.sum() == 15


def test_nothing_changed_nothing_encoded() -> None:
    source = encoded(photo(40, 56))
    picture = open_image(source)
    result, facts = saved(picture, np.zeros((40, 56), dtype=bool))
    for old, new in zip(read_coefficients(source), read_coefficients(result), strict=True):
        np.testing.assert_array_equal(old, new)
    assert facts.changed_in_file == 0
    assert any(note.startswith("JPEG: 0 of 12 MCUs") for note in facts.notes)


def test_restart_markers_and_optimised_tables_can_be_read() -> None:
    for options in ({"restart_marker_blocks": 2}, {"restart_marker_rows": 1}, {"optimize": True}):
        source = by_pillow(photo(64, 80), quality=85, **options)
        hole = a_hole(64, 80)
        before, after = filled(source, hole)
        result, _ = saved(after, hole)
        assert_only_changed_blocks_differ(source, result, (after.pixels != before.pixels).any(axis=2))


def test_rgb_planes() -> None:
    source = by_pillow(photo(48, 48), quality=92, keep_rgb=True)
    hole = a_hole(48, 48)
    before, after = filled(source, hole)
    result, _ = saved(after, hole)
    assert_only_changed_blocks_differ(source, result, (after.pixels != before.pixels).any(axis=2))
    assert np.abs(open_image(result).pixels.astype(int) - after.pixels)[hole].mean() < 6


@pytest.mark.parametrize("ids", [(0, 1, 2), (7, 30, 200)])
def test_component_identifiers_stay(ids: tuple[int, int, int]) -> None:
    source = with_ids(encoded(photo(32, 48)), ids)
    hole = a_hole(32, 48)
    before, after = filled(source, hole)
    result, _ = saved(after, hole)
    assert [c.id for c in parse(result).frame.components] == list(ids)
    assert_only_changed_blocks_differ(source, result, (after.pixels != before.pixels).any(axis=2))


def with_ids(data: bytes, ids: tuple[int, ...]) -> bytes:
    out = bytearray(data)
    frame = data.index(b"\xff\xc0")
    scan = data.index(b"\xff\xda")
    for i, new in enumerate(ids):
        out[frame + 10 + 3 * i] = new
        out[scan + 5 + 2 * i] = new
    return bytes(out)


def test_quantisation_tables_and_sampling_stay() -> None:
    source = encoded(photo(40, 40), "422", quality=71)
    hole = a_hole(40, 40)
    result, _ = saved(filled(source, hole)[1], hole)
    old, new = (JpegImagePlugin.JpegImageFile(io.BytesIO(data)) for data in (source, result))
    assert old.quantization == new.quantization
    assert JpegImagePlugin.get_sampling(old) == JpegImagePlugin.get_sampling(new) == 1
    assert len(result) < 1.1 * len(source)


def test_the_fill_is_as_good_as_a_full_encoding_at_the_source_tables() -> None:
    size = (96, 128)
    source = encoded(photo(*size), "420", quality=90)
    hole = np.zeros(size, dtype=bool)
    hole[24:72, 32:96] = True
    before = open_image(source)
    y, x = np.mgrid[: size[0], : size[1]]
    fill = np.stack([x / 150, y / 120, (x + y) / 300], axis=2).astype(np.float32)
    after = before.composite(fill, hole)
    result, _ = saved(after, hole)
    whole = np.asarray(Image.open(io.BytesIO(encoded(after.pixels, "420", quality=90))))
    inner = np.zeros(size, dtype=bool)
    inner[32:64, 48:80] = True
    ours = np.abs(open_image(result).pixels.astype(float) - after.pixels)[inner].mean()
    theirs = np.abs(whole.astype(float) - after.pixels)[inner].mean()
    assert ours <= theirs * 1.1 + 0.05


def test_quality_encodes_everything_anew_and_says_so() -> None:
    source = encoded(photo(64, 64), "422")
    hole = a_hole(64, 64)
    result, facts = saved(filled(source, hole)[1], hole, quality=30)
    assert any("quality 30" in note for note in facts.notes)
    assert len(result) < len(source)
    assert JpegImagePlugin.get_sampling(Image.open(io.BytesIO(result))) == 1


def test_arithmetic_coding_falls_back_and_says_so(tmp_path: Path) -> None:
    source = arithmetic(encoded(photo(40, 48)), tmp_path)
    hole = a_hole(40, 48)
    _before, after = filled(source, hole)
    result, facts = saved(after, hole)
    assert any("arithmetic" in note for note in facts.notes)
    assert any("source's tables" in note for note in facts.notes)
    assert np.abs(open_image(result).pixels.astype(int) - after.pixels).mean() < 3


def arithmetic(data: bytes, folder: Path) -> bytes:
    import jpeglib

    (folder / "in.jpg").write_bytes(data)
    with jpeglib.version("turbo210"):
        image = jpeglib.read_dct(str(folder / "in.jpg"))
        image.load()
        image.write_dct(str(folder / "arithmetic.jpg"), flags=["+ARITH_CODE"])
    coded = (folder / "arithmetic.jpg").read_bytes()
    if parse(coded).frame.marker != 0xC9:
        pytest.skip("this jpeglib cannot write arithmetic coding")
    return coded


def test_other_kinds_are_refused_with_a_reason() -> None:
    picture = open_image(encoded(photo(16, 16)))
    container = picture.container
    assert isinstance(container, jpeg_module.JpegFile)
    assert why_not(container) is None
    for change, word in (
        ({"precision": 12}, "12 bits"),
        ({"marker": 0xC3}, "lossless"),
        ({"components": container.parsed.frame.components[:1] * 4}, "CMYK"),
        (
            {"components": tuple(jpeg_module.Component(i, h, 1, 0) for i, h in enumerate((3, 2, 1)))},
            "unusual",
        ),
    ):
        from dataclasses import replace

        frame = replace(container.parsed.frame, **change)
        odd = replace(container, parsed=replace(container.parsed, frame=frame))
        assert word in why_not(odd)


def test_a_failure_of_jpeglib_falls_back_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("reading of source.jpg DCT failed")

    monkeypatch.setattr("lacuna.image.jpeg_blocks._recode", broken)
    hole = a_hole(40, 48)
    _, facts = saved(filled(encoded(photo(40, 48)), hole)[1], hole)
    assert any("could not be copied" in note for note in facts.notes)


def test_an_interrupt_leaves_no_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tempfile

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("lacuna.image.jpeg_blocks.update", interrupted)
    hole = a_hole(40, 48)
    with pytest.raises(KeyboardInterrupt):
        saved(filled(encoded(photo(40, 48)), hole)[1], hole)
    assert not list(tmp_path.iterdir())


def test_the_version_of_jpeglib_is_given_back() -> None:
    import jpeglib

    before = jpeglib.version.get()
    read_coefficients(encoded(photo(16, 16)))
    assert jpeglib.version.get() == before


@pytest.mark.parametrize("orientation", range(1, 9))
def test_coefficients_and_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    source = by_pillow(photo(48, 80), quality=90, exif=exif.tobytes())
    before = open_image(source)
    hole = np.zeros(before.shape, dtype=bool)
    hole[3:9, 2:30] = True
    after = before.composite(np.full((*before.shape, 3), 0.5, np.float32), hole)
    result, _ = saved(after, hole)
    from lacuna.image.turning import stored

    changed = stored((after.pixels != before.pixels).any(axis=2), orientation)
    assert_only_changed_blocks_differ(source, result, changed)
    assert np.abs(open_image(result).pixels.astype(int) - after.pixels)[hole].mean() < 6


def test_rgb_planes_encoded_anew_lose_the_marker_that_says_rgb() -> None:
    source = by_pillow(photo(48, 48), quality=92, keep_rgb=True)
    before = open_image(source)
    result, _ = saved(before, np.zeros((48, 48), dtype=bool), quality=95)
    assert np.abs(open_image(result).pixels.astype(int) - before.pixels).mean() < 3


def test_coefficients_have_at_most_10_bits() -> None:
    extremes = np.array([-9000.0, -1023.4, -0.5, 1.5, 1023.4, 9000.0])
    assert _quantise(extremes, np.ones(6)).tolist() == [-1023, -1023, 0, 2, 1023, 1023]


def test_thresholds_of_8_bit_coding_are_never_passed() -> None:
    # The harshest fill on the finest tables: coefficients must stay codable.
    source = by_pillow(photo(32, 32), quality=100, subsampling=0)
    hole = np.ones((32, 32), dtype=bool)
    hole[0, 0] = False
    before = open_image(source)
    y, x = np.mgrid[:32, :32]
    checks = ((x + y) % 2).astype(np.float32)[..., None].repeat(3, axis=2)
    for fill in (checks, 1 - checks, np.zeros_like(checks), np.ones_like(checks)):
        after = before.composite(fill, hole)
        result, _ = saved(after, hole)
        assert np.abs(open_image(result).pixels.astype(int) - after.pixels)[hole].max() <= 3


def test_large_profile_and_every_marker_stays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    profile = rng.integers(0, 256, 150_000, dtype=np.uint8).tobytes()
    source = by_pillow(photo(32, 32), icc_profile=profile, comment=b"a comment", dpi=(300, 300))
    extra = jpeg_module.join([(0xE5, b"private data"), (0xEC, b"Ducky\0")])
    source = source[:2] + extra + source[2:]
    hole = a_hole(32, 32)
    result, _ = saved(filled(source, hole)[1], hole)
    assert parse(result).apps == parse(source).apps
    again = Image.open(io.BytesIO(result))
    assert again.info["icc_profile"] == profile
    assert again.info["dpi"] == (300, 300)
    assert again.info["comment"] == b"a comment"


def test_bytes_after_the_picture_are_left_out_and_said() -> None:
    source = encoded(photo(32, 32)) + b"\0" * 7 + encoded(photo(16, 16))
    hole = a_hole(32, 32)
    result, facts = saved(filled(source, hole)[1], hole)
    assert parse(result).trailing == 0
    assert result.count(b"\xff\xd8\xff") == 1
    assert any("after the picture" in note for note in facts.notes)


def test_rewrite_counts_mcus() -> None:
    source = open_image(encoded(photo(64, 64), "420"))
    changed = np.zeros((64, 64), dtype=bool)
    changed[15:17, 15:17] = True
    container = source.container
    assert isinstance(container, jpeg_module.JpegFile)
    result = rewrite(container, source.pixels, changed)
    assert (result.touched, result.total) == (4, 16)
    assert struct.unpack(">H", result.data[:2]) == (0xFFD8,)
