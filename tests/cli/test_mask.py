"""``lacuna mask``: what it writes, says and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import MaskError, OptionError, OutputError


def test_an_expression_fills_what_its_file_fills(lacuna: Callable, scene: Any) -> None:
    for name, mask in (("a.png", scene.path("mask.png")), ("b.png", "box:20,12,14,10")):
        ran = lacuna("inpaint", scene.path("photo.png"), "--mask", mask, "-o", scene.path(name), "--json")
        assert ran.code == 0
    assert "mask: box:20,12,14,10" in ran.json["notes"]
    np.testing.assert_array_equal(scene.read("a.png"), scene.read("b.png"))
    ran = lacuna("verify", scene.path("photo.png"), scene.path("b.png"), "--mask", "box:20,12,14,10")
    assert ran.code == 0


def test_feather_in_the_mask_is_no_broken_promise(lacuna: Callable, scene: Any) -> None:
    mask = "box:20,12,14,10 | feather 3"
    ran = lacuna("inpaint", scene.path("photo.png"), "--mask", mask, "--method", "telea", "--json")
    assert ran.code == 0
    assert ran.json["changed_outside"] > 0


def test_sources_may_be_an_expression(lacuna: Callable, scene: Any) -> None:
    names = ["inpaint", scene.path("photo.png"), "-m", "box:20,12,14,10", "--method", "patchmatch"]
    assert lacuna(*names, "--sources", "!box:0,0,20,40", "-q").code == 0
    ran = lacuna(*names, "--sources", "box:20,12,3,3", "-q", "--overwrite")
    assert ran.code == exits.EXIT_CODES[MaskError]


@pytest.mark.parametrize(
    "mask", ["box:1,2", "box:90,90,5,5", "polygon:1,1,2,2", "svg:M1", "coco:no.json", "a b | x"]
)
def test_a_mask_that_cannot_be_drawn_writes_nothing(lacuna: Callable, scene: Any, mask: str) -> None:
    ran = lacuna("inpaint", scene.path("photo.png"), "--mask", mask)
    assert ran.code == exits.EXIT_CODES[MaskError]
    assert scene.files == {"photo.png", "mask.png"}


def test_draw_writes_the_mask(lacuna: Callable, scene: Any) -> None:
    out = scene.path("drawn.png")
    ran = lacuna("mask", "draw", scene.path("photo.png"), "box:20,12,14,10", "-o", out)
    assert ran.code == 0
    assert "140 of 2,240 pixels are missing" in ran.err
    np.testing.assert_array_equal(scene.read("drawn.png"), scene.hole * np.uint8(255))
    again = lacuna("mask", "draw", scene.path("photo.png"), out, "-o", out)
    assert again.code == exits.EXIT_CODES[OutputError]
    facts = lacuna(
        "mask", "draw", scene.path("photo.png"), out, "-o", out, "--overwrite", "--invert", "--json"
    )
    assert facts.json["missing"] == 2240 - 140


def test_check_names_what_is_wrong(lacuna: Callable, scene: Any) -> None:
    photo = scene.path("photo.png")
    fine = lacuna("mask", "check", photo, scene.path("mask.png"), "--preview", scene.path("look.png"))
    assert (fine.code, fine.out) == (0, "")
    assert "nothing looks wrong" in fine.err
    assert "look.png" in scene.files
    wrong = lacuna("mask", "check", photo, scene.path("mask.png"), "--invert")
    assert wrong.code == exits.CHANGED
    assert wrong.out.startswith("inverted: ")
    ran = lacuna("mask", "check", photo, "!box:0,0,56,40", "--json")
    assert ran.code == exits.CHANGED
    assert [finding["code"] for finding in ran.json["findings"]] == ["empty"]
    assert ran.json["missing"] == 0
    assert lacuna("mask", "check", photo, "nothing.png").code == exits.EXIT_CODES[MaskError]


def test_a_set_of_masks(lacuna: Callable, tmp_path: Path) -> None:
    names = ["mask", "dataset", tmp_path / "set", "--count", "8", "--size", "64x48", "--border-width", "4"]
    names += ["--buckets", ".05-.1,.2-.3", "--kind", "wide", "--seed", "5"]
    ran = lacuna(*names, "--json")
    assert ran.code == 0
    assert [cell["count"] for cell in ran.json["cells"]] == [2, 2, 2, 2]
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert (manifest["seed"], manifest["kind"], manifest["width"], len(manifest["masks"])) == (
        5,
        "wide",
        64,
        8,
    )
    with Image.open(tmp_path / "set" / "00000.png") as image:
        assert image.size == (64, 48)
    assert lacuna(*names).code == exits.EXIT_CODES[OutputError]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--count", "7"),
        ("--size", "big"),
        ("--buckets", ".1"),
        ("--kind", "x"),
        ("--border", "x"),
        ("--size", "0"),
    ],
)
def test_sets_that_cannot_be(lacuna: Callable, tmp_path: Path, wrong: tuple[str, str]) -> None:
    ran = lacuna("mask", "dataset", tmp_path / "set", *wrong)
    assert ran.code == exits.EXIT_CODES[OptionError]
    assert list(tmp_path.iterdir()) == []
