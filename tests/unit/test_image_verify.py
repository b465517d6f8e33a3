"""`verify_files` against numbers worked out by hand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lacuna.errors import ImageError, MaskError
from lacuna.image import Verification, open_image, save_image, verify_files

HOLE = np.zeros((4, 5), dtype=bool)
HOLE[1, 1:3] = True


def test_a_worked_example() -> None:
    before = np.zeros((4, 5, 3), np.uint8)
    after = before.copy()
    after[0, 0] = (3, 0, 0)
    after[3, 4] = (1, 1, 4)
    after[HOLE] = 200
    assert verify_files(before, after, HOLE) == Verification(18, 2, 4.0, 9 / (18 * 3), "uint8")
    assert verify_files(before, after).changed == 4
    assert verify_files(before, before, HOLE) == Verification(18, 0, 0.0, 0.0, "uint8")


def test_alpha_counts_and_missing_alpha_is_opaque() -> None:
    before = np.full((4, 5, 4), 255, np.uint8)
    after = before.copy()
    after[0, 0, 3] = 254
    assert verify_files(before, after, HOLE).changed == 1
    found = verify_files(before[..., :3], after, HOLE)
    assert (found.changed, found.max_difference) == (1, 1.0)
    assert any("alpha" in note for note in found.notes)


def test_grey_is_compared_with_colours() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (4, 5), dtype=np.uint8)
    colours = np.repeat(grey[..., None], 3, axis=2)
    found = verify_files(grey, colours, HOLE)
    assert found.changed == 0
    assert any("grey" in note for note in found.notes)
    colours[0, 0, 2] ^= 1
    assert verify_files(grey, colours, HOLE).changed == 1


@pytest.mark.parametrize(
    ("deeper", "unit", "name"), [(np.uint16, 257, "uint16"), (np.float32, 1 / 255, "float32")]
)
def test_depths_are_compared_in_the_deeper_one(deeper: type, unit: float, name: str) -> None:
    shallow = np.arange(20, dtype=np.uint8).reshape(4, 5)
    deep = (shallow * np.float64(unit)).astype(deeper)
    found = verify_files(shallow, deep, HOLE)
    assert found.type == name
    assert (found.changed, found.max_difference) == (0, 0.0)
    assert verify_files(deep, shallow, HOLE).changed == 0
    deep[0, 0] += 1
    assert verify_files(shallow, deep, HOLE).max_difference == pytest.approx(1)


def test_a_float_type_with_fewer_levels_hides_no_change() -> None:
    before = np.full((4, 5), 40001, np.uint16)
    after = (before / 65535).astype(np.float16)
    assert float(after[0, 0]) * 65535 != pytest.approx(40001, abs=1)
    assert verify_files(before, after, HOLE).changed > 0


def test_bool_against_bytes() -> None:
    mask = np.eye(4, 5, dtype=bool)
    assert verify_files(mask, mask * np.uint8(255), HOLE).changed == 0


def test_nan_equals_nan_and_nothing_else() -> None:
    before = np.zeros((4, 5), np.float32)
    before[0, 0] = np.nan
    assert verify_files(before, before.copy(), HOLE).changed == 0
    found = verify_files(before, np.zeros((4, 5), np.float32), HOLE)
    assert (found.changed, found.max_difference) == (1, np.inf)


def test_bands_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    before, after = rng.integers(0, 256, (2, 33, 17, 3), dtype=np.uint8)
    hole = rng.random((33, 17)) < 0.3
    whole = verify_files(before, after, hole)
    monkeypatch.setattr("lacuna.image.verify._BAND", 50)
    pieces = verify_files(before, after, hole)
    assert pieces.mean_difference == pytest.approx(whole.mean_difference)
    assert (pieces.known, pieces.changed) == (whole.known, whole.changed)


def test_files_of_any_format_and_orientation(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "a.png", exif=exif.tobytes())
    tifffile.imwrite(tmp_path / "b.tif", pixels.astype(np.uint16) * 257, photometric="rgb")
    found = verify_files(tmp_path / "a.png", tmp_path / "b.tif", HOLE)
    assert (found.changed, found.type) == (0, "uint16")


def test_jpeg_saved_by_others_changes_everything_and_ours_does_not(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :96]
    pixels = np.stack([x * 2, y * 3, x + y], axis=2).astype(np.uint8)
    pixels += np.random.default_rng(0).integers(0, 20, pixels.shape, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.jpg", quality=92)
    before = open_image(tmp_path / "in.jpg")
    hole = np.zeros((64, 96), dtype=bool)
    hole[20:30, 20:30] = True
    after = before.composite(np.full((64, 96, 3), 0.5, np.float32), hole)
    save_image(after, tmp_path / "ours.jpg", hole=hole)
    Image.fromarray(after.pixels).save(tmp_path / "theirs.jpg", quality=80)
    ours = verify_files(tmp_path / "in.jpg", tmp_path / "ours.jpg", hole)
    theirs = verify_files(tmp_path / "in.jpg", tmp_path / "theirs.jpg", hole)
    assert ours.changed < 34 * 34 < 0.8 * ours.known < theirs.changed


def test_other_sizes_are_an_error_with_both_sizes() -> None:
    with pytest.raises(ImageError, match=r"before is 5x4, after is 4x5"):
        verify_files(np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8), HOLE)
    with pytest.raises(MaskError, match=r"mask is 4x5, the pictures are 5x4"):
        verify_files(np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8), HOLE.T)
    with pytest.raises(ImageError, match="truncated"):
        verify_files(np.zeros((4, 5), np.uint8), io.BytesIO(b"\x89PNG\r\n\x1a\n"), HOLE)
