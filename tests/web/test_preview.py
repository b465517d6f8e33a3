"""What screens show: levels, patches, colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lacuna.image import open_image
from lacuna.web import preview, runs


@pytest.mark.parametrize("size", [(1100, 1300), (513, 40), (1025, 1023)])
def test_a_patch_of_every_level_is_what_the_whole_picture_gives(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    before = open_image(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    keys = ["a", "b", "c"]
    preview.write_full(tmp_path / "a" / "preview", before)
    for i, box in enumerate([(7, 5, 290, 38), (3, 11, 101, 33)]):
        pixels = before.pixels.copy()
        pixels[box[0] : box[2], box[1] : box[3]] = rng.integers(0, 256, 3)
        after = replace(before, pixels=pixels)
        preview.write_patch(tmp_path / keys[i + 1] / "preview", tmp_path / keys[i] / "preview", after, box)
        before = after
    preview.write_full(tmp_path / "whole" / "preview", before)
    for level in range(preview.levels_of(*size)):
        box = (0, 0, *preview.size_at(*size, level))
        np.testing.assert_array_equal(
            preview.cut(tmp_path / "c" / "preview", level, box),
            preview.cut(tmp_path / "whole" / "preview", level, box),
        )


def test_a_step_that_changes_nothing_has_its_parents_levels(tmp_path: Path) -> None:
    picture = open_image(np.full((20, 30, 3), 9, np.uint8))
    preview.write_full(tmp_path / "a" / "preview", picture)
    preview.write_patch(tmp_path / "b" / "preview", tmp_path / "a" / "preview", picture, None)
    assert (preview.cut(tmp_path / "b" / "preview", 0, (0, 0, 20, 30)) == 9).all()


def test_levels_end_at_one_tile() -> None:
    for height, width in ((1, 1), (512, 512), (513, 1), (4000, 6000), (1024, 1025)):
        count = preview.levels_of(height, width)
        assert max(preview.size_at(height, width, count - 1)) <= preview.TILE
        assert count == 1 or max(preview.size_at(height, width, count - 2)) > preview.TILE


def test_tiles_cover_a_level_once() -> None:
    covered = np.zeros((600, 1300), int)
    for y in range(3):
        for x in range(4):
            box = preview.tile_box(600, 1300, 0, x, y)
            if box is not None:
                covered[box[0] : box[2], box[1] : box[3]] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 65535]], np.uint16), [0, 255]),
        (np.array([[False, True]]), [0, 255]),
        (np.array([[0.0, 1.0]], np.float32), [0, 255]),
        (np.array([[-5.0, 20.0]], np.float32), [0, 255]),
        (np.array([[np.nan, 1.0]], np.float64), [0, 255]),
        (np.array([[7, 200]], np.uint8), [7, 200]),
    ],
)
def test_any_depth_is_shown_in_8_bits(values: np.ndarray, expected: list[int]) -> None:
    shown = preview.shown(open_image(values))
    assert shown.dtype == np.uint8
    assert shown.shape == (1, 2, 3)
    assert shown[0, :, 0].tolist() == expected


def test_alpha_is_kept_and_profiles_are_applied(as_file: Callable[..., bytes]) -> None:
    pixels = np.dstack([np.full((4, 4, 3), 120, np.uint8), np.full((4, 4), 7, np.uint8)])
    assert preview.shown(open_image(pixels))[0, 0].tolist() == [120, 120, 120, 7]
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = as_file(np.full((4, 4, 3), 120, np.uint8), icc_profile=lab)
    assert preview.shown(open_image(plain))[0, 0].tolist() == [120, 120, 120]
    broken = as_file(np.full((4, 4, 3), 120, np.uint8), icc_profile=b"x" * 200)
    assert preview.shown(open_image(broken))[0, 0].tolist() == [120, 120, 120]


def test_encoded_tiles_can_be_decoded(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    for lossless, kind in ((True, "image/png"), (False, "image/webp")):
        body, media = preview.encoded(pixels, lossless=lossless)
        (tmp_path / "t").write_bytes(body)
        assert media == kind
        again = np.asarray(Image.open(tmp_path / "t"))
        assert again.shape == (40, 50, 4)
        if lossless:
            np.testing.assert_array_equal(again, pixels)


def test_runs_are_exact_both_ways() -> None:
    rng = np.random.default_rng(1)
    for share in (0.0, 0.01, 0.5, 1.0):
        hole = rng.random((37, 53)) < share
        told = runs.encode(hole)
        assert sum(told["counts"]) == told["width"] * told["height"]
        np.testing.assert_array_equal(runs.decode(told, hole.shape), hole)
        again = open_image(runs.as_png(hole)).pixels
        np.testing.assert_array_equal(again.astype(bool), hole)
