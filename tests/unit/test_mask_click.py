"""Clicks lift objects off plain backgrounds, and say so where they cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

import lacuna
from lacuna.errors import MaskError
from lacuna.image import Picture, open_image
from lacuna.masks import Mask, click, ellipse, parse, polygon, to_hole

SHAPE = (150, 200)
BALL = ellipse(100, 75, 30)
STAR = polygon(
    [
        (100, 30),
        (112, 65),
        (150, 65),
        (120, 88),
        (132, 125),
        (100, 102),
        (68, 125),
        (80, 88),
        (50, 65),
        (88, 65),
    ]
)


@pytest.fixture
def scene(rng: np.random.Generator) -> Callable[..., Picture]:
    """Return ``make(mask, …)``: things of a colour, photographed softly and with grain before a wall."""

    def make(*things: tuple[Mask, Any], shade: float = 0.0, size: tuple[int, int] = SHAPE) -> Picture:
        rows, columns = np.indices(size)
        wall = np.full((*size, 3), (200.0, 190, 170)) - shade * np.dstack(
            [columns / 4, rows / 4, columns / 5]
        )
        for mask, colour in things:
            wall[mask.hole(size)] = colour
        soft = cv2.GaussianBlur(wall, (0, 0), 0.8) + rng.normal(0, 4, wall.shape)
        return open_image(np.clip(soft, 0, 255).astype(np.uint8))

    return make


def agreement(picture: Picture, text: str, truth: Mask) -> float:
    """Return intersection over union, where a pixel more at the outline is no fault: it is softly drawn."""
    hole = to_hole(text, picture.shape, picture=picture)[0]
    least, most = truth.hole(picture.shape), truth.dilate(2).hole(picture.shape)
    return float((hole & least).sum() / (least | (hole & ~most)).sum())


BLUE = (60, 120, 190)


@pytest.mark.parametrize("shade", [0.0, 1.0])
@pytest.mark.parametrize("thing", [BALL, STAR])
@pytest.mark.parametrize("text", ["click:98,76", "click:98,76@45,25,110,105", "click:@45,25,110,105"])
def test_an_object_on_a_plain_wall(
    scene: Callable[..., Picture], shade: float, thing: Mask, text: str
) -> None:
    assert agreement(scene((thing, BLUE), shade=shade), text, thing) > 0.97


def test_an_object_of_two_colours_and_one_with_a_window(scene: Callable[..., Picture]) -> None:
    half = BALL & polygon([(0, 0), (100, 0), (100, 150), (0, 150)])
    assert agreement(scene((BALL, BLUE), (half, (40, 40, 40))), "click:98,76", BALL) > 0.97
    ring = scene((BALL, BLUE), (ellipse(100, 75, 10), (200, 190, 170)))
    assert agreement(ring, "click:80,75", BALL) > 0.97, "what it surrounds belongs to it"


def test_only_what_was_clicked_and_not_what_was_excluded(scene: Callable[..., Picture]) -> None:
    left, right = ellipse(50, 75, 25), ellipse(150, 75, 25)
    picture = scene((left, BLUE), (right, BLUE))
    assert agreement(picture, "click:50,75", left) > 0.97
    assert agreement(picture, "click:50,75;150,75", left | right) > 0.97
    hole = to_hole("click:50,75;-60,75", SHAPE, picture=picture)[0]
    assert not hole[75, 60]


def test_large_pictures_are_reduced(scene: Callable[..., Picture]) -> None:
    ball = ellipse(1000, 700, 300)
    hole = to_hole("click:1000,700", (1400, 2000), picture=scene((ball, BLUE), size=(1400, 2000)))[0]
    truth = ball.hole((1400, 2000))
    assert (hole & truth).sum() / (hole | truth).sum() > 0.97


def test_grey_pictures_and_the_same_answer_twice(scene: Callable[..., Picture]) -> None:
    grey = open_image(scene((BALL, BLUE)).pixels[..., 0].copy())
    assert agreement(grey, "click:98,76", BALL) > 0.97
    first, second = (to_hole("click:98,76", SHAPE, picture=grey)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_click_says_what_it_took(scene: Callable[..., Picture]) -> None:
    result = lacuna.Inpainter("telea").run(scene((BALL, BLUE)).pixels, "click:98,76 | dilate 2")
    assert any(note.startswith("click:98,76 selected") for note in result.notes)


def test_clicks_are_written_and_read() -> None:
    mask = click((120, 80), (3.5, 4), without=[(20, 20)], within=(1, 2, 130, 90))
    assert str(mask) == "click:120,80;3.5,4;-20,20@1,2,130,90"
    assert parse(str(mask)) == mask


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("click:", "needs a point"),
        ("click:-5,5", "needs a point"),
        ("click:5", "expected pairs"),
        ("click:1,2,3,4", "is not a point"),
        ("click:a,b", "not a list of numbers"),
        ("click:200,75", "outside the 200x150 picture"),
        ("click:98,76;-98,150", "outside the 200x150 picture"),
        ("click:98,76@0,0,10,10", "outside the box"),
        ("click:@300,0,10,10", "the box lies outside"),
        ("click:@0,0,10,0", "no area"),
        ("click:98,76@1,2", "has 2 numbers"),
        ("click:10,10", "would take"),
    ],
)
def test_clicks_that_cannot_be(scene: Callable[..., Picture], text: str, words: str) -> None:
    with pytest.raises(MaskError, match=words):
        to_hole(text, SHAPE, picture=scene((ellipse(100, 75, 12), BLUE)))


def test_where_nothing_stands_out_it_says_so(rng: np.random.Generator) -> None:
    noise = open_image(rng.integers(0, 255, (*SHAPE, 3), dtype=np.uint8))
    with pytest.raises(MaskError, match=r"nothing there stands out|would take"):
        to_hole("click:98,76", SHAPE, picture=noise)
    with pytest.raises(MaskError, match="there is none here"):
        to_hole("click:98,76", SHAPE)
