"""``lacuna clean``: what it finds, says, writes and refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import ImageError, MaskError, OptionError, OutputError


def picture(seed: int, opacity: float = 1.0) -> np.ndarray:
    """A smooth scene with a caption."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.random((5, 7, 3)), (200, 120), interpolation=cv2.INTER_CUBIC)
    whole = np.clip(0.2 + 0.5 * coarse + random.normal(0, 0.01, (120, 200, 3)), 0, 1) * 255
    ink = np.zeros((120, 200), np.uint8)
    cv2.putText(ink, "photo by me", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2, cv2.LINE_AA)
    return np.uint8(whole + (opacity * ink / 255)[..., None] * (255 - whole))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(picture(1)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    folder.mkdir()
    for seed in range(10):
        Image.fromarray(picture(seed, 0.6)).save(folder / f"{seed}.png")
    return folder


def test_caption_goes(lacuna: Callable, photo: Path) -> None:
    ran = lacuna("clean", str(photo), "--method", "telea")
    assert ran.code == 0
    assert "found text" in ran.err.splitlines()[0]
    assert "0 of" in ran.err
    before, after = (np.asarray(Image.open(photo.with_name(n))) for n in ("photo.png", "photo.cleaned.png"))
    changed = (before != after).any(axis=2)
    assert 0.01 < changed.mean() < 0.3
    assert not changed[:70].any()


def test_json_dry_run_and_preview(lacuna: Callable, photo: Path) -> None:
    preview = photo.with_name("preview.png")
    ran = lacuna("clean", str(photo), "--dry-run", "--json", "--preview", str(preview))
    assert ran.code == 0
    assert ran.json["found"]["text"]["pixels"] == ran.json["missing"] > 0
    assert ran.json["output"] is None
    assert sorted(one.name for one in photo.parent.iterdir()) == ["photo.png", "preview.png"]


def test_region_and_nothing_found(lacuna: Callable, photo: Path) -> None:
    ran = lacuna("clean", str(photo), "--region", "0,0,200,60", "-o", str(photo.with_name("copy.png")))
    assert ran.code == 0
    assert "found no text" in ran.err
    assert np.array_equal(np.asarray(Image.open(photo)), np.asarray(Image.open(photo.with_name("copy.png"))))


def test_series_into_a_folder(lacuna: Callable, series: Path, tmp_path: Path) -> None:
    (series / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    out, preview = tmp_path / "out", tmp_path / "preview.png"
    ran = lacuna(
        "clean", str(series), "-o", str(out), "--method", "telea", "--json", "--preview", str(preview)
    )
    assert ran.code == exits.EXIT_CODES[ImageError]
    facts = ran.json
    assert facts["overlay"]["pixels"] > 0
    assert [Path(one).name for one in facts["left_out"]] == ["broken.png"]
    assert len(list(out.iterdir())) == 10
    assert preview.exists()
    assert all(row["changed_outside"] == 0 for row in facts["images"] if row["output"])
    ran = lacuna("clean", str(series), "-o", str(out), "--method", "telea")
    assert ran.code == exits.EXIT_CODES[OutputError]
    assert "10 of 11" in ran.err


def test_series_is_told_picture_by_picture(lacuna: Callable, series: Path, tmp_path: Path) -> None:
    ran = lacuna("clean", str(series), "-o", str(tmp_path / "out"), "--method", "telea")
    assert ran.code == 0
    lines = ran.err.splitlines()
    assert lines[0].startswith("10 pictures: found an overlay that repeats")
    assert sum("known pixels changed; wrote" in line for line in lines) == 10


def test_two_pictures_are_searched_for_text(lacuna: Callable, series: Path, tmp_path: Path) -> None:
    ran = lacuna("clean", str(series / "1.png"), str(series / "2.png"), "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["what"] == ["text"]
    assert not (tmp_path / "out").exists()


def test_both_kinds(lacuna: Callable, series: Path) -> None:
    ran = lacuna("clean", str(series), "--what", "text,repeated", "--dry-run", "--json")
    assert ran.code == 0
    assert set(ran.json["images"][0]["found"]) == {"text", "repeated"}


def test_refusals(lacuna: Callable, photo: Path, series: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        (["clean", str(empty), "-o", str(tmp_path / "out")], exits.EXIT_CODES[ImageError], "no pictures in"),
        (["clean", str(series)], exits.USAGE, "-o FOLDER"),
        (["clean", str(series), "-o", str(photo)], exits.EXIT_CODES[OutputError], "is a file"),
        (["clean", str(photo), "--what", "logos"], exits.EXIT_CODES[OptionError], "'logos'"),
        (["clean", str(photo), "--what", "repeated"], exits.EXIT_CODES[OptionError], "3 or more"),
        (["clean", str(photo), "--sensitivity", "7"], exits.EXIT_CODES[OptionError], "sensitivity"),
        (["clean", str(photo), "--region", "1,2"], exits.EXIT_CODES[MaskError], "x,y,width,height"),
        (["clean", str(photo), "--region", "1,2,0,5"], exits.EXIT_CODES[MaskError], "no area"),
        (["clean", "-", str(photo)], exits.USAGE, "stdin"),
    ]
    for args, code, words in cases:
        ran = lacuna(*args)
        assert (ran.code, words in ran.err) == (code, True), (args, ran)
    assert not (tmp_path / "out").exists()


def test_mixed_sizes_are_named(lacuna: Callable, series: Path, tmp_path: Path) -> None:
    Image.fromarray(picture(3)[:50]).save(series / "small.png")
    ran = lacuna("clean", str(series), "-o", str(tmp_path / "out"))
    assert ran.code == exits.EXIT_CODES[ImageError]
    assert "small.png is 200x50" in ran.err
    assert not (tmp_path / "out").exists()


def test_every_option_is_in_the_documentation(lacuna: Callable) -> None:
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", lacuna("clean", "--help").out))
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text(encoding="utf-8")
    assert options <= set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page))
