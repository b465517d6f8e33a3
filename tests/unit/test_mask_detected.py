"""Detectors named in masks: they are read back as themselves, and look at the picture only when drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lacuna import masks
from lacuna.errors import MaskError, OptionError
from lacuna.image import open_image
from lacuna.masks.sources import quoted


@pytest.mark.parametrize(
    "text",
    [
        "borders",
        "dead-pixels:0.25",
        "torn-corners@1,2,30,40",
        "scratches:0.8@0,0,10.5,20 + dust - box:1,1,5,5 | dilate 2",
        "!borders & !dust",
    ],
)
def test_what_is_written_is_read_back(text: str) -> None:
    mask = masks.parse(text)
    assert str(mask) == text
    assert masks.parse(str(mask)) == mask


def test_a_border_is_drawn_and_told() -> None:
    rows, columns = np.indices((40, 60))
    pixels = np.repeat((40 + 2 * rows + columns)[..., None], 3, axis=2).astype(np.uint8)
    pixels[:6] = 255
    picture = open_image(pixels)
    hole, notes = masks.parse("borders").draw(picture.shape, picture)
    assert hole[:6].all()
    assert hole.sum() == 6 * 60
    assert notes == ("borders found 15.00 % of the picture", "borders: 6 above, 0 below, 0 left, 0 right")
    inside = masks.detected("borders", within=(0, 0, 10, 40)).hole(picture.shape, picture)
    assert inside.sum() == 6 * 10


def test_finding_nothing_is_told() -> None:
    picture = open_image(np.full((20, 20, 3), 90, np.uint8))
    hole, notes = masks.parse("borders").draw(picture.shape, picture)
    assert not hole.any()
    assert notes == ("borders found nothing",)


def test_without_a_picture_nothing_can_be_found() -> None:
    with pytest.raises(MaskError, match="looks at the picture"):
        masks.parse("dust").hole((9, 9))


def test_transparent_pixels_are_not_looked_at() -> None:
    pixels = np.zeros((20, 20, 4), np.uint8)
    picture = open_image(pixels)
    hole, notes = masks.parse("dust").draw(picture.shape, picture)
    assert not hole.any()
    assert notes == ("dust: every pixel there is fully transparent",)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(MaskError, match="no detector 'ghosts'"):
        masks.detected("ghosts")
    with pytest.raises(OptionError, match="sensitivity"):
        masks.detected("dust", 3)
    with pytest.raises(MaskError, match="sensitivity is a number"):
        masks.parse("dust:3")
    with pytest.raises(MaskError, match="no area"):
        masks.parse("dust@1,1,0,5")


def test_a_file_of_that_name_goes_in_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quoted("dust") == '"dust"'
    assert str(masks.file("dust")) == '"dust"'
    assert masks.parse('"dust"') == masks.file("dust")
    monkeypatch.chdir(tmp_path)
    Path("dust").write_bytes(b"")
    assert masks.as_mask("dust") == "dust"
