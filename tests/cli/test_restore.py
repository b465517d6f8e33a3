"""``lacuna restore`` and ``lacuna mask detect``: what they write, say and refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.detect import DETECTORS
from lacuna.errors import MaskError, OptionError, OutputError


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A scan with two scratches and a black border on the left."""
    rows, columns = np.indices((120, 160))
    photo = np.stack([60 + rows // 2, 70 + columns // 3, 90 + rows // 3], axis=-1).astype(np.uint8)
    canvas = np.zeros((120, 160), np.uint8)
    cv2.line(canvas, (20, 8), (140, 110), 255, 2, cv2.LINE_AA)
    cv2.line(canvas, (90, 4), (100, 115), 255, 4, cv2.LINE_AA)
    cover = canvas[..., None] / 255
    photo = np.rint(photo + 0.95 * cover * (250.0 - photo)).astype(np.uint8)
    path = tmp_path / "scan.png"
    Image.fromarray(photo).save(path)
    return path


def test_restore_says_what_it_found_and_fills_it(lacuna: Callable, scan: Path) -> None:
    out, preview = scan.with_name("out.png"), scan.with_name("preview.png")
    ran = lacuna("restore", str(scan), "-o", str(out), "--preview", str(preview))
    assert ran.code == 0
    assert ran.out == ""
    assert ran.err.startswith("found ")
    assert "scratch" in ran.err.splitlines()[0]
    assert "0 of" in ran.err
    before, after, shown = read(scan), read(out), read(preview)
    changed = (before != after).any(axis=-1)
    assert 0.005 < changed.mean() < 0.2
    assert shown.shape == before.shape
    assert not np.array_equal(shown, before)


def test_a_dry_run_writes_nothing(lacuna: Callable, scan: Path) -> None:
    ran = lacuna("restore", str(scan), "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["found"]["scratches"]["pixels"] > 100
    assert ran.json["missing"] >= ran.json["found"]["scratches"]["pixels"]
    assert ran.json["output"] is None
    assert "method" not in ran.json
    assert ran.json["dry_run"] is True
    assert [path.name for path in scan.parent.iterdir()] == ["scan.png"]


def test_json_tells_it_all(lacuna: Callable, scan: Path) -> None:
    ran = lacuna("restore", str(scan), "--json", "--method", "telea", "--sensitivity", "0.7")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.json["method"] == "telea"
    assert ran.json["changed_outside"] == ran.json["changed_in_file"] == 0
    assert ran.json["output"].endswith("scan.restored.png")


def test_nothing_found_is_said_and_a_copy_written(lacuna: Callable, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.fromarray(np.full((50, 60, 3), 90, np.uint8)).save(plain)
    ran = lacuna("restore", str(plain), "-o", str(tmp_path / "out.png"))
    assert ran.code == 0
    assert "found no damage" in ran.err
    np.testing.assert_array_equal(read(tmp_path / "out.png"), read(plain))


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (["--sensitivity", "2"], OptionError),
        (["--what", "rust"], OptionError),
        (["--what", ","], OptionError),
        (["--grow", "-1"], OptionError),
        (["--region", "1,2,3"], MaskError),
        (["--region", "500,500,9,9"], MaskError),
        (["--region", "5,5,0,9"], MaskError),
        (["-o", "scan.xyz"], OutputError),
    ],
)
def test_what_cannot_be_done_writes_nothing(
    lacuna: Callable, scan: Path, more: list[str], error: type
) -> None:
    ran = lacuna("restore", str(scan), *more)
    assert ran.code == exits.EXIT_CODES[error]
    assert [path.name for path in scan.parent.iterdir()] == ["scan.png"]


def test_detect_writes_a_mask(lacuna: Callable, scan: Path) -> None:
    out = scan.with_name("mask.png")
    ran = lacuna("mask", "detect", str(scan), "--what", "scratches,dust", "-o", str(out), "--json")
    assert ran.code == 0
    mask = read(out)
    assert set(np.unique(mask)) == {0, 255}
    assert ran.json["missing"] == int((mask > 0).sum())
    assert set(ran.json["found"]) == {"scratches", "dust"}
    again = lacuna("restore", str(scan), "--dry-run", "--json", "--what", "scratches,dust", "--grow", "0")
    assert again.json["missing"] == ran.json["missing"]


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_can_be_named(lacuna: Callable, scan: Path, name: str) -> None:
    ran = lacuna("mask", "detect", str(scan), "--what", name, "--json")
    assert ran.code == 0
    drawn = lacuna("mask", "draw", str(scan), name, "-o", str(scan.with_name("m.png")), "--json")
    assert drawn.code == 0
    assert drawn.json["missing"] == ran.json["missing"]


def test_detect_refuses(lacuna: Callable, scan: Path) -> None:
    for more in (["--what", "ghosts"], ["--sensitivity", "-1"], ["--dilate", "-1"]):
        assert lacuna("mask", "detect", str(scan), *more).code == exits.EXIT_CODES[OptionError]
    assert lacuna("mask", "detect", str(scan), "-q").code == exits.USAGE


def test_a_mask_may_name_detectors(lacuna: Callable, scan: Path) -> None:
    out = str(scan.with_name("out.png"))
    mask = "scratches:0.6@0,0,160,120 + dust | dilate 1"
    ran = lacuna("inpaint", str(scan), "--mask", mask, "-o", out, "--method", "telea", "--json")
    assert ran.code == 0
    assert f"mask: {mask}" in ran.json["notes"]
    assert any(note.startswith("scratches:0.6@0,0,160,120 found") for note in ran.json["notes"])


@pytest.mark.parametrize("mask", ["dust:2", "dust:high", "dust@1,2,3", "dust@5,5,0,0", "dust@900,900,5,5"])
def test_a_detector_that_cannot_be_read(lacuna: Callable, scan: Path, mask: str) -> None:
    ran: Any = lacuna("inpaint", str(scan), "--mask", mask)
    assert ran.code == exits.EXIT_CODES[MaskError]
