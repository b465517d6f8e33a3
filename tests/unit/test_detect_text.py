"""Text laid over pictures: found where it is, and hardly anywhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lacuna.detect import DETECTORS, find_text
from lacuna.errors import ImageError, MaskError, OptionError

SHAPE = (160, 320)


def scene(seed=0, shape=SHAPE):
    """A picture of hills: smooth shapes with fine grain, no lettering."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.random((6, 10, 3)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    grain = cv2.GaussianBlur(random.normal(0, 0.03, (*shape, 3)), (0, 0), 1)
    return np.clip(0.25 + 0.4 * coarse + grain, 0, 1).astype(np.float32)


def burn(image, words, at, *, colour=(1, 1, 1), size=0.7, thick=2, outline=0):
    """Return the picture with words on it, and where they are."""
    ink = np.zeros(image.shape[:2], np.uint8)
    cv2.putText(ink, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thick, cv2.LINE_AA)
    cover = ink / np.float32(255)
    out, truth = image.copy(), cover
    if outline:
        truth = cv2.dilate(cover, np.ones((2 * outline + 1,) * 2))
        out *= 1 - truth[..., None]
    out += cover[..., None] * (np.float32(colour) - out)
    return np.clip(out, 0, 1), truth > 0.1


def f1(mask, truth):
    """F1 with a tolerance of two pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    near_truth = cv2.dilate(truth.astype(np.uint8), kernel) > 0
    near_mask = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    precision = (mask & near_truth).sum() / max(1, mask.sum())
    recall = (truth & near_mask).sum() / truth.sum()
    return 2 * precision * recall / max(1e-9, precision + recall)


@pytest.mark.parametrize(
    ("colour", "outline"),
    [((1, 1, 1), 0), ((0, 0, 0), 0), ((1, 0.55, 0.1), 0), ((1, 0.9, 0), 2), ((0, 0, 0.9), 0)],
)
def test_caption_is_covered(colour, outline):
    image, truth = burn(scene(1), "photo by m.keller", (20, 120), colour=colour, outline=outline)
    found = find_text(image)
    assert f1(found.mask, truth) >= 0.85
    assert found.mask[truth].mean() >= 0.97


def test_grey_picture_and_date_stamp():
    image, truth = burn(scene(2), "2024-05-17 09:36", (90, 145), size=0.5, thick=1)
    grey = np.ascontiguousarray(image.mean(axis=2, keepdims=True), dtype=np.float32)
    assert f1(find_text(grey).mask, truth) >= 0.85


@pytest.mark.parametrize("seed", range(4))
def test_nothing_where_nothing_is(seed):
    found = find_text(scene(seed, (200, 300)))
    assert found.mask.mean() < 0.002


def test_same_colour_elsewhere_is_left_alone():
    clean = scene(3)
    clean[:50] = 1  # a white sky above white letters
    image, truth = burn(clean, "Summer holiday", (20, 120))
    found = find_text(image)
    assert f1(found.mask, truth) >= 0.85
    assert not found.mask[:40].any()


def test_sensitivity_only_adds():
    image, _ = burn(scene(4), "LIVE", (20, 120), colour=(0.8, 0.8, 0.8))
    areas = [find_text(image, sensitivity=s).mask for s in (0, 0.5, 1)]
    assert not (areas[0] & ~areas[1]).any()
    assert not (areas[1] & ~areas[2]).any()


def test_confidence_is_high_in_the_mask_and_low_elsewhere():
    image, _ = burn(scene(5), "photo by m.keller", (20, 120))
    found = find_text(image)
    assert found.confidence.dtype == np.float32
    assert found.confidence[found.mask].min() >= 0.5
    assert found.confidence[~found.mask].max(initial=0) < 0.5


def test_region():
    image, _ = burn(scene(6), "one two three", (20, 40))
    image, other = burn(image, "four five six", (20, 140))
    found = find_text(image, region=(90, 0, 160, 320))
    assert not found.mask[:90].any()
    assert f1(found.mask, other) >= 0.85


def test_large_picture_is_painted_at_full_size():
    image, truth = burn(scene(7, (1200, 2000)), "a caption of size", (100, 1000), size=3.0, thick=7)
    found = find_text(image)
    assert found.mask.shape == (1200, 2000)
    assert f1(found.mask, truth) >= 0.9


def test_same_answer_twice_and_argument_untouched():
    image, _ = burn(scene(8), "twice the same", (20, 120))
    image.setflags(write=False)
    first, second = find_text(image), find_text(image)
    assert np.array_equal(first.mask, second.mask)
    assert np.array_equal(first.confidence, second.confidence)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 1), (5, 5, 3), (9, 300, 3)])
def test_tiny_pictures(shape):
    assert not find_text(np.zeros(shape, np.float32)).mask.any()


def test_bad_input():
    with pytest.raises(ImageError, match="uint8"):
        find_text(np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(OptionError, match="sensitivity"):
        find_text(scene(), sensitivity=2)
    with pytest.raises(MaskError):
        find_text(scene(), region=(500, 500, 600, 600))


def test_is_in_the_table():
    assert DETECTORS["text"] is find_text
