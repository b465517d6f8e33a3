"""Things that go: selected, said, and only then filled."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.errors import MaskError, OptionError
from lacuna.jobs import remove
from lacuna.masks import ellipse


@pytest.fixture
def scene() -> np.ndarray:
    rows, columns = np.indices((120, 160))
    picture = np.stack([150 + columns // 8, 170 + rows // 8, 190 + 0 * rows], axis=-1).astype(np.uint8)
    picture[ellipse(40, 60, 15).hole((120, 160))] = (200, 30, 30)
    picture[ellipse(110, 60, 12).hole((120, 160))] = (20, 40, 180)
    return picture


def test_several_clicks_and_boxes_are_said_one_by_one(scene: np.ndarray) -> None:
    found = remove(scene, clicks=[(40, 60), "110,60"], boxes=["5,5,10,10", (140, 100, 10, 10)])
    assert len(found.words) == 4
    assert [one["mask"] for one in found.facts["selections"]] == [
        "box:5,5,10,10",
        "box:140,100,10,10",
        "click:40,60",
        "click:110,60",
    ]
    assert found.hole[60, 40]
    assert found.hole[60, 110]
    assert found.hole[5:15, 5:15].all()
    assert not found.hole[60, 75]
    assert found.facts["selections"][0]["bounds"] == [5, 5, 15, 15]


def test_what_was_clicked_is_gone(scene: np.ndarray) -> None:
    result = remove(scene, clicks=[(40, 60)]).fill("biharmonic")
    assert result.changed_outside == 0
    assert np.abs(result.image[60, 40].astype(int) - [155, 177, 190]).max() < 6


def test_dilate_takes_the_surroundings_too(scene: np.ndarray) -> None:
    exact = remove(scene, clicks=[(40, 60)], dilate=0)
    wider = remove(scene, clicks=[(40, 60)], dilate=6)
    assert wider.missing > exact.missing
    assert wider.facts["selections"][0]["dilate"] == 6
    assert remove(scene, boxes=[(50, 50, 20, 20)], dilate=3).missing > 20 * 20


def test_a_faint_shadow_is_taken_without_being_asked() -> None:
    paper = np.full((120, 160, 3), 250, dtype=np.uint8)
    thing = ellipse(60, 60, 15).hole((120, 160))
    shadow = ellipse(60, 60, 19).hole((120, 160)) & ~thing
    paper[thing] = (200, 30, 30)
    paper[shadow] = 225  # too faint to be the thing itself
    found = remove(paper, clicks=[(60, 60)])
    assert found.facts["selections"][0]["dilate"] >= 3
    assert "for its rim" in found.words[0]
    assert found.hole[shadow].mean() > 0.95


def test_a_deep_picture_with_alpha_stays_one(scene: np.ndarray) -> None:
    deep = np.dstack([scene.astype(np.uint16) * 257, np.full(scene.shape[:2], 40000, np.uint16)])
    image = remove(deep, boxes=[(20, 40, 40, 40)]).fill("telea").image
    assert image.dtype == np.uint16
    assert (image[..., 3] == 40000).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"clicks": [(400, 60)]},
        {"clicks": ["-3,5"]},
        {"boxes": ["500,500,10,10"]},
        {"boxes": ["5,5,0,10"]},
        {"boxes": ["5,5,10"]},
        {"boxes": [(0, 0, 160, 120)]},
        {"mask": "polygon:1,1,5,5"},
    ],
)
def test_a_selection_that_cannot_be(scene: np.ndarray, wrong: dict) -> None:
    with pytest.raises(MaskError):
        remove(scene, **wrong)


@pytest.mark.parametrize(
    "wrong", [{"dilate": -1}, {"dilate": 1.5}, {"clicks": [(1, 2, 3)]}, {"boxes": [(1, 2)]}]
)
def test_arguments_of_the_wrong_kind(scene: np.ndarray, wrong: dict) -> None:
    with pytest.raises(OptionError):
        remove(scene, **{"boxes": [(5, 5, 9, 9)], **wrong})


def test_a_mask_of_transparency_becomes_opaque() -> None:
    picture = np.full((40, 50, 4), 120, dtype=np.uint8)
    picture[..., 3] = 255
    picture[10:20, 10:20] = 0
    filled = remove(picture, mask="alpha").fill("telea").image
    assert (filled[..., 3] == 255).all()
    kept = remove(picture, boxes=[(8, 8, 14, 14)]).fill("telea").image
    assert (kept[10:20, 10:20, 3] == 0).all()


def test_a_feathered_mask_fades_out(scene: np.ndarray) -> None:
    found = remove(scene, mask="box:30,50,20,20 | feather 4")
    assert found.feather == 4
    assert found.fill("telea").changed_outside > 0


def test_a_single_text_is_one_selection(scene: np.ndarray) -> None:
    found = remove(scene, boxes="5,5,10,10", clicks="40,60")
    assert [one["mask"] for one in found.facts["selections"]] == ["box:5,5,10,10", "click:40,60"]
