"""Scratches and dust, drawn on a scene with edges and texture of its own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lacuna.detect import find_dust, find_scratches
from lacuna.detect.network import _CORE, FOLD, HALO, damage_maps
from lacuna.detect.prior import ODDS, adapted


def drawn(shape: tuple[int, int], *lines: tuple[tuple[int, int], tuple[int, int], int]) -> np.ndarray:
    """Return how much of each pixel is covered by lines (from, to, width)."""
    cover = np.zeros(shape, np.uint8)
    for start, stop, width in lines:
        cv2.line(cover, start, stop, 255, width, cv2.LINE_AA)
    return cv2.GaussianBlur(cover.astype(np.float32) / 255, (0, 0), 0.5)


def near(mask: np.ndarray, distance: float) -> np.ndarray:
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= distance


def likelihood(code: np.ndarray) -> np.ndarray:
    return (ODDS / (1 + ODDS))[code]


LINES = (((20, 5), (60, 230), 1), ((10, 180), (300, 40), 3), ((150, 10), (310, 220), 6))


@pytest.fixture
def scene(rng: np.random.Generator) -> np.ndarray:
    """Hills under a sky, with texture and grain."""
    rows, columns = np.indices((240, 320)).astype(np.float32)
    land = rows > 130 + 20 * np.sin(columns / 40)
    noise = cv2.GaussianBlur(rng.standard_normal((240, 320), dtype=np.float32), (0, 0), 2)
    base = np.where(land, 0.35 + 0.25 * noise, 0.65 - rows / 800)
    image = np.stack([base, base * np.where(land, 1.05, 1), base * np.where(land, 0.7, 1.1)], axis=-1)
    return (image + rng.normal(0, 0.008, image.shape)).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("tone", [0.97, 0.04], ids=["bright", "dark"])
@pytest.mark.parametrize("channels", [1, 3])
def test_scratches_are_found(scene: np.ndarray, tone: float, channels: int) -> None:
    image = np.ascontiguousarray(scene[..., :channels])
    cover = drawn(image.shape[:2], *LINES)[..., None]
    found = find_scratches(image + 0.9 * cover * (np.float32(tone) - image))
    truth = cover[..., 0] > 0.4
    assert (near(found.mask, 2) & truth).sum() > 0.85 * truth.sum()
    assert (found.mask & ~near(truth, 3)).mean() < 0.008
    assert found.confidence[truth].mean() > 0.5


def test_dust_is_found(scene: np.ndarray, rng: np.random.Generator) -> None:
    truth = np.zeros(scene.shape[:2], dtype=bool)
    centres = [(x, y) for y in range(20, 230, 30) for x in range(20, 310, 40)]
    canvas = np.zeros(scene.shape[:2], np.uint8)
    for x, y in centres:
        cv2.circle(canvas, (x, y), int(rng.integers(1, 4)), 255, -1, cv2.LINE_AA)
    cover = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.5)[..., None]
    truth = cover[..., 0] > 0.4
    found = find_dust(scene + 0.9 * cover * (np.float32(0.97) - scene))
    hits = sum(bool(found.mask[y - 1 : y + 2, x - 1 : x + 2].any()) for x, y in centres)
    assert hits > 0.8 * len(centres)
    assert (found.mask & ~near(truth, 3)).mean() < 0.003


def test_a_whole_scene_is_left_alone(scene: np.ndarray) -> None:
    assert find_scratches(scene).share < 0.002
    assert find_dust(scene).share < 0.002


def test_sensitivity_only_adds(scene: np.ndarray) -> None:
    cover = drawn(scene.shape[:2], *LINES)[..., None]
    image = scene + 0.25 * cover * (1 - scene)
    low, middle, high = (find_scratches(image, sensitivity=s).mask for s in (0.1, 0.5, 0.9))
    assert not (low & ~middle).any()
    assert not (middle & ~high).any()
    assert low.sum() < high.sum()


def test_tiles_meet_without_a_seam(rng: np.random.Generator) -> None:
    """What is seen across a tile's edge is what is seen in one piece, near enough."""
    image = np.full((64, _CORE + 300, 3), 0.5, dtype=np.float32)
    image += rng.normal(0, 0.01, image.shape).astype(np.float32)
    cover = drawn(image.shape[:2], ((_CORE - 200, 20), (_CORE + 200, 44), 2))[..., None]
    image += 0.9 * cover * (1 - image)
    whole = likelihood(damage_maps(image))
    part = likelihood(damage_maps(np.ascontiguousarray(image[:, _CORE - 288 : _CORE + 288])))
    inner = slice(288 - 60, 288 + 60)
    difference = np.abs(whole[:, :, _CORE - 60 : _CORE + 60] - part[:, :, inner])
    assert difference.max() < 0.2
    assert (_CORE + HALO) % FOLD == 0


def test_the_work_can_be_stopped(scene: np.ndarray) -> None:
    from lacuna.errors import Cancelled

    def stop(share: float, words: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        damage_maps(scene, stop)


def test_a_picture_without_damage_is_doubted_and_one_with_much_is_not() -> None:
    rare, fair, sure = (int(np.abs(ODDS / (1 + ODDS) - p).argmin()) for p in (0.01, 0.7, 0.97))
    likely = np.full((60, 60), rare, dtype=np.uint8)
    likely[5, :8] = fair
    assert adapted(likely, 0.04, 0.05)[5, 0] < 0.4
    assert adapted(likely, 0.04, 1.0)[5, 0] >= 0.69
    much = likely.copy()
    much[10:20] = sure
    assert adapted(much, 0.04, 0.05)[5, 0] >= 0.69
    lone = likely.copy()
    lone[30, :30] = 202
    assert adapted(lone, 0.04, 0.05)[30, 0] > 0.8
