"""The doctor finds what was done to a mask on purpose, and nothing in masks that are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lacuna
from lacuna.errors import MaskError
from lacuna.image import Picture, open_image
from lacuna.masks import box, ellipse, parse
from lacuna.masks.doctor import check, examine

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPE = (120, 160)


@pytest.fixture
def scene(rng: np.random.Generator) -> Callable[..., Picture]:
    """Return ``make(*parts)``: a wall with grain, and (mask, colour) painted on it."""

    def make(*parts: tuple[Any, Any], dtype: Any = np.uint8) -> Picture:
        wall = np.array([150, 140, 120]) + np.arange(160)[:, None] / 10 + rng.normal(0, 3, (*SHAPE, 3))
        for mask, colour in parts:
            wall[mask.hole(SHAPE)] = colour
        return open_image(np.clip(wall, 0, 255).astype(dtype) if dtype == np.uint8 else wall / 255)

    return make


def codes(picture: Picture, hole: np.ndarray) -> list[str]:
    return [finding.code for finding in examine(picture, hole)]


BALL = ellipse(80, 60, 20)


@pytest.mark.parametrize("short", [1, 3, 6, 10])
def test_a_mask_that_is_too_tight_is_told_by_how_much(scene: Callable[..., Picture], short: int) -> None:
    picture = scene((BALL, [30, 60, 160]))
    (found,) = examine(picture, BALL.erode(short).hole(SHAPE))
    assert found.code == "rim"
    assert short <= found.dilate <= short + 2
    assert f"--dilate {found.dilate}" in found.fix
    grown = BALL.erode(short).dilate(found.dilate).hole(SHAPE)
    assert (grown >= BALL.hole(SHAPE)).mean() > 0.999
    assert examine(picture, grown) == ()


def test_a_shadow_is_a_rim_too(scene: Callable[..., Picture]) -> None:
    picture = scene((BALL.dilate(7), [90, 84, 70]), (BALL, [30, 60, 160]))
    (found,) = examine(picture, BALL.hole(SHAPE))
    assert 7 <= found.dilate <= 9


def test_what_is_right_is_left_alone(scene: Callable[..., Picture]) -> None:
    wall = scene()
    assert examine(wall, BALL.hole(SHAPE)) == (), "a hole in nothing but wall"
    assert examine(scene((BALL, [30, 60, 160])), BALL.dilate(1).hole(SHAPE)) == ()
    assert examine(scene((box(0, 0, 80, 120), [30, 60, 160])), BALL.hole(SHAPE)) == (), "across an edge"
    noise = open_image(np.random.default_rng(1).integers(0, 255, (*SHAPE, 3), dtype=np.uint8))
    assert examine(noise, BALL.hole(SHAPE)) == ()


@pytest.mark.parametrize("name", ["rocket.jpg", "shuttle.jpg", "spoon.jpg", "tripod.png", "whiskers.webp"])
def test_the_examples_have_nothing_wrong_until_they_are_cut(name: str) -> None:
    picture = open_image(EXAMPLES / name)
    mask = str(EXAMPLES / f"{name.split('.')[0]}.mask.png")
    assert check(picture, mask)[1] == ()
    if name != "whiskers.webp":  # thinner than what is cut off
        assert codes(picture, parse(f"'{mask}' | erode 8").hole(picture.shape)) == ["rim"]


def test_floats_with_nothing_under_the_hole(scene: Callable[..., Picture]) -> None:
    pixels = scene((BALL, [30, 60, 160]), dtype=np.float32).pixels.copy()
    hole = BALL.erode(4).hole(SHAPE)
    pixels[hole] = np.nan
    (found,) = examine(open_image(pixels), hole)
    assert 4 <= found.dilate <= 6


def test_large_pictures_are_sampled(rng: np.random.Generator) -> None:
    wall = np.clip(140 + rng.normal(0, 4, (2000, 2400)), 0, 255).astype(np.uint8)
    ball = ellipse(1200, 1000, 900)
    wall[ball.hole(wall.shape)] = 20
    (found,) = examine(open_image(wall), ball.erode(8).hole(wall.shape))
    assert 6 <= found.dilate <= 12


def test_black_white_and_inverted(scene: Callable[..., Picture]) -> None:
    picture = scene()
    hole = BALL.hole(SHAPE)
    assert codes(picture, hole & False) == ["empty"]
    assert codes(picture, hole | True) == ["full"]
    assert codes(picture, ~hole) == ["inverted"]
    frame = (~box(5, 5, 150, 110)).hole(SHAPE)
    assert "inverted" not in codes(picture, frame), "an edge alone may be missing"
    assert "inverted" not in codes(picture, box(2, 2, 156, 116).hole(SHAPE)), "a large part alone as well"
    (found,) = examine(picture, ~hole)
    assert "--invert" in found.fix
    assert "100 % of its edge" in found.words


def test_files_with_something_wrong(scene: Callable[..., Picture], tmp_path: Path) -> None:
    picture, drawn = scene(), BALL.hole(SHAPE).astype(np.uint8) * 255
    Image.fromarray(drawn).save(tmp_path / "mask.jpg", quality=40)
    hole, (found,), _ = check(picture, tmp_path / "mask.jpg")
    assert (found.code, hole.any()) == ("soft", True)
    assert "PNG" in found.fix
    Image.fromarray(np.dstack([drawn * 0, drawn * 0, drawn * 0, drawn])).save(tmp_path / "alpha.png")
    hole, (found,), _ = check(picture, tmp_path / "alpha.png")
    assert found.code == "alpha"
    np.testing.assert_array_equal(hole, drawn > 0)
    Image.fromarray(np.dstack([drawn, drawn * 0, drawn])).save(tmp_path / "colour.png")
    assert check(picture, tmp_path / "colour.png")[1][0].code == "colour"
    Image.fromarray(drawn[:, ::-1].T.copy()).save(tmp_path / "turned.png")
    found = check(picture, tmp_path / "turned.png")[1][0]
    assert found.code == "size"
    assert "lying on its side" in found.fix
    assert "--resize-mask" in found.fix
    with pytest.raises(MaskError):
        check(picture, tmp_path / "nothing.png")


def test_inpaint_says_the_same(scene: Callable[..., Picture]) -> None:
    pixels = scene((BALL, [30, 60, 160])).pixels
    fill = lacuna.Inpainter("telea")
    assert any("--dilate 4" in note for note in fill.run(pixels, BALL.erode(3)).notes)
    assert not any("differs" in note for note in fill.run(pixels, BALL.dilate(1)).notes)
    assert any("--invert" in note for note in fill.run(pixels, ~BALL).notes)
