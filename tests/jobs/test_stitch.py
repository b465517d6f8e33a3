"""Pictures that overlap become one; those that do not are named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lacuna.errors import ImageError, LimitError, OptionError
from lacuna.image import open_image
from lacuna.jobs import stitch


def scene(seed: int = 0) -> np.ndarray:
    """Return a landscape of random shapes: corners everywhere, no two alike."""
    rng = np.random.default_rng(seed)
    picture = np.full((320, 900, 3), 128, dtype=np.uint8)
    for _ in range(500):
        x, y, r = int(rng.integers(0, 900)), int(rng.integers(0, 320)), int(rng.integers(4, 22))
        colour = tuple(int(n) for n in rng.integers(0, 255, 3))
        if rng.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + r, y + 2 * r // 3), colour, -1)
        else:
            cv2.circle(picture, (x, y), r // 2, colour, -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


def views(picture: np.ndarray, count: int = 2) -> list[np.ndarray]:
    """Return overlapping views of a camera that turned a little and was not level."""
    rng = np.random.default_rng(7)
    found = []
    for left in 20 + 230 * np.arange(count):
        corners = np.array([[left, 30], [left + 400, 30], [left + 400, 290], [left, 290]])
        corners = (corners + rng.uniform(-9, 9, (4, 2))).astype(np.float32)
        target = np.array([[0, 0], [400, 0], [400, 260], [0, 260]], dtype=np.float32)
        matrix = cv2.getPerspectiveTransform(corners, target)
        found.append(cv2.warpPerspective(picture, matrix, (400, 260), flags=cv2.INTER_CUBIC))
    return found


def test_three_views_become_one_and_the_border_is_filled(tmp_path: Path) -> None:
    found = stitch(views(scene(), 3))
    height, width = found.hole.shape
    assert width > 700
    assert 0 < found.hole.mean() < 0.25
    assert not found.hole[height // 2, width // 4 : -width // 4].any()
    assert found.picture.pixels[~found.hole].max(axis=-1).min() > 0  # what is known is not black border
    assert found.words[0].startswith(f"3 pictures fit together: {width}x{height}")
    result = found.fill("telea")
    assert result.changed_outside == 0


def test_crop_leaves_nothing_empty_and_the_order_does_not_matter() -> None:
    first, second = views(scene())
    one = stitch([first, second], crop=True)
    other = stitch([second, first], crop=True)
    assert one.missing == other.missing == 0
    for a, b in zip(one.hole.shape, other.hole.shape, strict=True):
        assert abs(a - b) < 25
    again = stitch([first, second], crop=True)
    assert np.array_equal(one.picture.pixels, again.picture.pixels)


def test_files_keep_the_metadata_of_the_first_and_16_bits_are_told(tmp_path: Path) -> None:
    first, second = views(scene())
    Image.fromarray(first).save(tmp_path / "a.png", dpi=(300, 300))
    cv2.imwrite(str(tmp_path / "b.png"), second[..., ::-1].astype(np.uint16) * 257)
    found = stitch([tmp_path / "a.png", str(tmp_path / "b.png")])
    assert any("8 bits" in note for note in found.picture.notes)
    assert found.facts["pictures"] == ["a.png", "b.png"]
    found.fill("telea").save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as again:
        assert round(again.info["dpi"][0]) == 300
    turned = stitch([tmp_path / "b.png", tmp_path / "a.png"])
    saved = turned.fill("telea").save(tmp_path / "out.tif")
    assert saved.changed_in_file == 0
    assert open_image(tmp_path / "out.tif").pixels.dtype == np.uint8


def test_grey_stays_grey() -> None:
    found = stitch([view[..., 1] for view in views(scene())])
    assert found.picture.pixels.ndim == 2


def test_the_one_without_overlap_is_named(tmp_path: Path) -> None:
    first, second = views(scene())
    stranger = views(scene(5))[0]
    for name, pixels in (("a", first), ("b", second), ("c", stranger)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    with pytest.raises(ImageError, match=r"c\.png overlaps with none of the other"):
        stitch(paths)
    with pytest.raises(ImageError, match=r"no overlap is found between .*a\.png and .*c\.png"):
        stitch([paths[0], paths[2]])
    flat = np.full((100, 100, 3), 90, dtype=np.uint8)
    with pytest.raises(ImageError, match="no overlap is found between picture 1 and picture 2"):
        stitch([flat, flat])


def test_what_cannot_be_is_an_error() -> None:
    first, second = views(scene())
    for wrong in ([], [first], "photo.png", first):
        with pytest.raises(OptionError, match="two pictures or more"):
            stitch(wrong)
    with pytest.raises(OptionError, match="mode"):
        stitch([first, second], mode="sphere")
    with pytest.raises(ImageError, match="picture 2 is partly transparent"):
        stitch([first, np.dstack([second, np.zeros(second.shape[:2], np.uint8)])])
    with pytest.raises(LimitError):
        stitch([first, second], max_pixels=400 * 270)


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("noise", [0, 3])
def test_pictures_that_are_nearly_the_same_make_a_canvas_of_their_size(shift: int, noise: int) -> None:
    whole = scene()[:, :420]
    first, second = whole[: 320 - shift, : 420 - shift], whole[shift:, shift:]
    grain = np.random.default_rng(1).integers(-noise, noise + 1, second.shape)
    second = np.clip(second + grain, 0, 255).astype(np.uint8)
    found = stitch([first, second])
    for length, wanted in zip(found.hole.shape, (320, 420), strict=True):
        assert abs(length - wanted) <= 3
    assert found.hole.mean() < 0.03
    told = any("flat pictures (mode scans)" in note for note in found.picture.notes)
    assert told == (found.facts["mode"] == "scans")
    height, width = (min(a, b) for a, b in zip(found.hole.shape, whole.shape[:2], strict=True))
    there = ~found.hole[:height, :width]
    apart = np.abs(found.picture.pixels[:height, :width].astype(int) - whole[:height, :width])[there]
    assert apart.mean() < 12  # of 255: within a pixel of its place
    assert stitch([first, second], crop=True).missing == 0


@pytest.mark.parametrize("degrees", [3, 12])
def test_a_wide_lens_is_no_mistake(degrees: float) -> None:
    """A sphere shows 90 degrees smaller than the pictures do: the canvas is theirs, and no flat one."""
    texture = cv2.resize(scene(3), (2250, 800), interpolation=cv2.INTER_CUBIC)
    texture = np.vstack([texture, texture[::-1]])
    focal = 320.0
    lens = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1]])
    wall = np.array([[focal, 0, 1125], [0, focal, 800], [0, 0, 1]])
    shots = []
    for turn in np.radians([-degrees / 2, degrees / 2]):
        c, s = np.cos(turn), np.sin(turn)
        matrix = wall @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.linalg.inv(lens)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        shots.append(cv2.warpPerspective(texture, matrix, (640, 480), flags=flags))
    found = stitch(shots)
    assert found.facts["mode"] == "panorama"
    assert 0.6 < found.hole.size / (640 * 480) < 0.97


def test_a_stranger_among_copies_is_named() -> None:
    first, stranger = scene()[:, :400], scene(5)[:, :400]
    with pytest.raises(ImageError, match="picture 3 overlaps with none of the other"):
        stitch([first, first.copy(), stranger])


def test_a_canvas_that_lost_the_pictures_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = views(scene())

    class Shrunk:
        def composePanorama(self, images: object = None) -> tuple[int, np.ndarray]:  # noqa: N802 - OpenCV's
            return 0, np.zeros((1, 1, 3), dtype=np.uint8)

        def estimateTransform(self, images: object) -> int:  # noqa: N802 - OpenCV's
            return 0

        def component(self) -> np.ndarray:
            return np.arange(2)

    monkeypatch.setattr(cv2.Stitcher, "create", lambda kind: Shrunk())
    with pytest.raises(ImageError, match=r"picture 1 and picture 2 do not fit together: .* canvas of 1x1"):
        stitch([first, second])


def test_a_picture_too_small_to_recognise_anything_is_named() -> None:
    with pytest.raises(ImageError, match="picture 2 is 40x1; stitching takes pictures of 32 pixels"):
        stitch([scene()[:, :400], np.zeros((1, 40, 3), dtype=np.uint8)])
