"""A picture on a larger canvas: where it stands, what is new, and that none of it changed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import LimitError, OptionError
from lacuna.image import open_image
from lacuna.image.jpeg_blocks import read_coefficients
from lacuna.jobs import outpaint
from lacuna.jobs.outpaint import ANCHORS, moved


def noise(height: int, width: int, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(3).integers(0, top, (height, width, channels), dtype=dtype, endpoint=True)


def test_margins_in_pixels_and_shares() -> None:
    picture = noise(40, 60)
    found = outpaint(picture, left=7, top="25%", right="10 px")
    assert found.picture.pixels.shape == (50, 77, 3)
    assert found.facts["margins"] == {"left": 7, "right": 10, "top": 10, "bottom": 0}
    assert found.facts["box"] == [7, 10, 67, 50]
    assert not found.hole[10:50, 7:67].any()
    assert found.missing == 50 * 77 - 40 * 60
    assert np.array_equal(found.picture.pixels[10:50, 7:67], picture)


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("16:9", (71, 40)), ("1:1", (60, 60)), (2.0, (80, 40)), ("2:3", (60, 90))],
)
def test_an_aspect_grows_one_side_only(aspect: str | float, size: tuple[int, int]) -> None:
    found = outpaint(noise(40, 60), aspect=aspect)
    assert found.hole.shape == size[::-1]


@pytest.mark.parametrize("anchor", ANCHORS)
def test_the_anchor_says_where_the_picture_stands(anchor: str) -> None:
    x, y, right, bottom = outpaint(noise(40, 60), size="100x80", anchor=anchor).facts["box"]
    assert ("left" in anchor) == (x == 0)
    assert ("right" in anchor) == (right == 100)
    assert ("top" in anchor) == (y == 0)
    assert ("bottom" in anchor) == (bottom == 80)
    if anchor == "centre":
        assert (x, y) == (20, 20)


def test_margins_and_a_size_together() -> None:
    found = outpaint(noise(40, 60), left=10, size=(100, 40), anchor="left")
    assert found.facts["margins"] == {"left": 10, "right": 30, "top": 0, "bottom": 0}


@pytest.mark.parametrize(
    ("dtype", "channels"), [(np.uint8, 1), (np.uint16, 3), (np.uint16, 4), (np.uint8, 2)]
)
def test_every_original_pixel_is_at_its_new_place(dtype: type, channels: int) -> None:
    picture = open_image(noise(40, 60, channels, dtype))
    found = outpaint(picture, right=9, bottom=5)
    result = found.fill("telea")
    assert result.changed_outside == 0
    assert moved(picture, result.picture, (0, 0, 40, 60)) == 0
    assert result.image.dtype == dtype
    assert moved(picture, result.picture, (1, 1, 41, 61)) > 2000  # the count can fail


def test_a_transparent_edge_stays_transparent_beyond_the_frame() -> None:
    picture = noise(40, 60, 4)
    picture[..., 3] = 255
    picture[:, 50:, 3] = 0
    found = outpaint(picture, left=10, right=10)
    assert found.hole[:, :10].all()
    assert not found.hole[:, 10:].any()
    filled = found.fill("telea").image
    assert (filled[:, :60, 3] == 255).all()
    assert (filled[:, 60:, 3] == 0).all()


def test_a_file_keeps_depth_profile_and_metadata_and_says_its_new_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA002] = 60
    exif.get_ifd(0x8769)[0xA003] = 40
    exif[0x010E] = "a title"
    data = io.BytesIO()
    Image.fromarray(noise(40, 60)).save(data, "PNG", exif=exif, dpi=(300, 300))
    out = tmp_path / "out.png"
    outpaint(data.getvalue(), left=20).fill("telea").save(out)
    with Image.open(out) as again:
        assert again.size == (80, 40)
        assert again.getexif()[0x010E] == "a title"
        assert again.getexif().get_ifd(0x8769)[0xA002] == 80
        assert again.getexif().get_ifd(0x8769)[0xA003] == 40
        assert round(again.info["dpi"][0]) == 300


def test_a_jpeg_on_its_side_grows_where_a_viewer_sees_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA002] = 64
    exif.get_ifd(0x8769)[0xA003] = 48
    data, out = io.BytesIO(), tmp_path / "out.jpg"
    Image.fromarray(noise(48, 64) // 8).save(data, "JPEG", exif=exif)
    saved = outpaint(data.getvalue(), bottom=16, right=3).fill("telea").save(out)
    with Image.open(out) as again:
        assert again.size == (80, 51)  # stored; upright it is 51x80
        assert again.getexif().get_ifd(0x8769)[0xA002] == 80
    assert any("does not begin at a multiple of 16 pixels" in note for note in saved.notes)


@pytest.mark.parametrize(
    ("orientation", "how"),
    [*((o, {"subsampling": 2}) for o in range(1, 9)), (1, {"subsampling": 0}), (1, {"progressive": True})],
)
def test_a_jpeg_keeps_its_blocks_at_their_new_place(tmp_path: Path, orientation: int, how: dict) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    smooth = np.kron(noise(9, 13), np.ones((6, 6, 1), np.uint8))[:50, :70]
    Image.fromarray(smooth).save(data, "JPEG", exif=exif, quality=85, **how)
    # 50x70 does not end at a block, and may lie any way round: margins of whole blocks on all sides.
    found = outpaint(data.getvalue(), top=16, left=16, bottom=32, right=32)
    saved = found.fill("telea").save(tmp_path / "out.jpg")
    assert any("MCUs encoded anew, all others kept" in note for note in saved.notes)
    old, new = read_coefficients(data.getvalue()), read_coefficients((tmp_path / "out.jpg").read_bytes())
    cell = 2 if how.get("subsampling", 2) else 1
    for index, (a, b) in enumerate(zip(old, new, strict=True)):
        block = 8 * (cell if index else 1)
        whole = a[: 50 // block, : 70 // block]
        places = [
            (i, j)
            for i in range(b.shape[0] - whole.shape[0] + 1)
            for j in range(b.shape[1] - whole.shape[1] + 1)
            if np.array_equal(b[i : i + whole.shape[0], j : j + whole.shape[1]], whole)
        ]
        assert len(places) == 1
    # What differs lies along the rim, where blocks are shared and chroma is smoothed.
    assert saved.changed_in_file <= 0.35 * 50 * 70


def test_a_grey_jpeg_and_one_that_is_shared_out(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.fromarray(noise(48, 64)[..., 0]).save(data, "JPEG", quality=90)
    found = outpaint(data.getvalue(), size="91x75")
    assert found.hole.shape == (75, 91)
    x, y, _, _ = found.facts["box"]
    assert (x % 8, y % 8) == (0, 0)
    saved = found.fill("telea").save(tmp_path / "out.jpg")
    assert any("all others kept" in note for note in saved.notes)
    assert saved.changed_in_file == 0
    assert outpaint(data.getvalue(), left="20%", right="20%").facts["margins"]["left"] == 16  # not 13
    # What was asked for in pixels is not moved.
    assert outpaint(data.getvalue(), left=3, right=5).facts["margins"]["left"] == 3
    assert outpaint(data.getvalue(), size="91x75", anchor="right").facts["box"][2] == 91


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"left": -1},
        {"left": "wide"},
        {"left": True},
        {"aspect": "3:2"},  # that is what it is
        {"aspect": "0:1"},
        {"aspect": "1000:1"},
        {"aspect": "wide"},
        {"size": "59x40"},
        {"size": "0x40"},
        {"size": "60"},
        {"size": "70x50", "aspect": "1:1"},
        {"left": 1, "anchor": "middle"},
    ],
)
def test_what_cannot_be_is_an_error(wrong: dict) -> None:
    with pytest.raises(OptionError):
        outpaint(noise(40, 60), **wrong)


def test_a_canvas_beyond_the_limits() -> None:
    with pytest.raises(LimitError, match="8 times is the limit"):
        outpaint(noise(40, 60), left=60 * 8)
    with pytest.raises(LimitError, match="4,800 pixels; the limit is 4,000"):
        outpaint(noise(40, 60), left=60, max_pixels=4000)


def test_no_advice_on_drawing_a_mask_that_nobody_drew() -> None:
    found = outpaint(np.full((40, 60, 3), 200, dtype=np.uint8), left="100%", right="100%", top="60%")
    notes = found.fill("telea").notes
    assert not any("--invert" in note or "--dilate" in note for note in notes)
