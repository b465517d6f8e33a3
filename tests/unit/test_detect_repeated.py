"""What a series of pictures has in common is found, and what is by chance alike is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lacuna.detect import find_repeated
from lacuna.errors import Cancelled, ImageError, MaskError, OptionError
from lacuna.image import open_image, save_image

SHAPE = (120, 160)


def photos(count, shape=SHAPE, seed=0):
    """Pictures of different smooth scenes with grain and edges, uint8."""
    random = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        coarse = cv2.resize(random.random((7, 9, 3)), shape[::-1], interpolation=cv2.INTER_CUBIC)
        steps = np.where(cv2.resize(random.random((5, 6)), shape[::-1]) > 0.5, 0.25, 0)[..., None]
        grain = random.normal(0, 0.02, (*shape, 3))
        out.append(np.uint8(np.clip(0.15 + 0.5 * coarse + steps + grain, 0, 1) * 255))
    return out


def watermark(shape=SHAPE, opacity=0.35):
    cover = np.zeros(shape, np.uint8)
    cv2.putText(cover, "SAMPLE", (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 4, cv2.LINE_AA)
    return cover / np.float32(255) * np.float32(opacity)


def marked(pictures, cover, colour=(255, 255, 255)):
    return [np.uint8(np.rint(p + cover[..., None] * (np.float32(colour) - p))) for p in pictures]


def f1(mask, truth):
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    near_truth = cv2.dilate(truth.astype(np.uint8), kernel) > 0
    near_mask = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    precision, recall = (
        (mask & near_truth).sum() / max(1, mask.sum()),
        (truth & near_mask).sum() / truth.sum(),
    )
    return 2 * precision * recall / max(1e-9, precision + recall)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (255, 40, 40)])
def test_watermark(colour):
    cover = watermark()
    found = find_repeated(marked(photos(20), cover, colour))
    assert f1(found.mask, cover > 0.02) >= 0.95
    assert found.mask[cover > 0.02].mean() >= 0.97
    assert found.confidence[found.mask].min() >= 0.5 > found.confidence[~found.mask].max()


def test_opaque_logo_with_a_large_flat_inside_at_the_edge():
    cover = np.zeros(SHAPE, np.float32)
    cover[80:, 100:] = 1
    found = find_repeated(marked(photos(20), cover, (240, 200, 30)))
    assert f1(found.mask, cover > 0) >= 0.95


def test_sensor_dust():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    cover = np.float32(0.3) * np.clip(1.5 - np.hypot(y - 40, x - 90) / 6, 0, 1).astype(np.float32)
    found = find_repeated(marked(photos(24), cover, (0, 0, 0)))
    assert f1(found.mask, cover > 0.03) >= 0.9


@pytest.mark.parametrize("count", [3, 5, 10, 20])
def test_nothing_in_common(count):
    found = find_repeated(photos(count))
    assert not found.mask.any()


def test_memory_does_not_change_the_answer():
    series = marked(photos(12), watermark())
    whole, bands = find_repeated(series), find_repeated(series, memory=12 * SHAPE[1] * 3 * 9)
    assert np.array_equal(whole.mask, bands.mask)
    assert np.array_equal(whole.confidence, bands.confidence)


def test_many_pictures_are_thinned_out_and_it_is_said(monkeypatch):
    from lacuna.detect import repeated

    monkeypatch.setattr(repeated, "MOST", 10)
    cover = watermark()
    found = find_repeated(marked(photos(25), cover))
    assert f1(found.mask, cover > 0.02) >= 0.95
    assert any("10 of 25" in note for note in found.notes)


def test_grey_16_bit_and_alpha():
    grey = [np.uint16(p.mean(axis=2)) * 257 for p in marked(photos(12), watermark())]
    with_alpha = [np.dstack([g, np.full_like(g, 65535)]) for g in grey]
    assert np.array_equal(find_repeated(grey).mask, find_repeated(with_alpha).mask)
    assert f1(find_repeated(grey).mask, watermark() > 0.02) >= 0.95


def test_region():
    found = find_repeated(marked(photos(12), watermark()), region=(0, 0, 120, 70))
    assert found.mask.any()
    assert not found.mask[:, 70:].any()


def test_sensitivity_only_adds():
    series = marked(photos(14), watermark(opacity=0.05))
    low, middle, high = (find_repeated(series, sensitivity=s).mask for s in (0, 0.5, 1))
    assert low.sum() <= middle.sum() <= high.sum()
    assert low.sum() < high.sum()


def test_broken_file_is_left_out_and_named(tmp_path):
    for i, picture in enumerate(marked(photos(6), watermark(opacity=1))):
        save_image(open_image(picture), tmp_path / f"{i}.png", hole=np.ones(SHAPE, np.bool_))
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:200])
    found = find_repeated(sorted(tmp_path.glob("*.png")))
    assert any("3.png" in note for note in found.notes)
    assert found.mask.any()


def test_sizes_that_differ_are_named(tmp_path):
    series = [*photos(4), photos(1, (80, 60))[0]]
    with pytest.raises(ImageError, match=r"4 are 160x120, but picture 5 is 60x80"):
        find_repeated(series)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few(count):
    with pytest.raises(ImageError, match=f"{count} readable picture.*3 or more"):
        find_repeated(photos(count))


def test_bad_settings():
    series = photos(3)
    with pytest.raises(OptionError, match="sensitivity"):
        find_repeated(series, sensitivity="high")
    with pytest.raises(OptionError, match="memory"):
        find_repeated(series, memory=0)
    with pytest.raises(MaskError):
        find_repeated(series, region=(300, 300, 400, 400))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (5, 4)])
def test_tiny_pictures(shape):
    random = np.random.default_rng(0)
    assert not find_repeated(list(random.integers(0, 255, (5, *shape, 3), np.uint8))).mask.any()


def test_progress_and_cancelling():
    seen = []
    find_repeated(photos(4), on_step=lambda share, words: seen.append((share, words)))
    assert [s for s, _ in seen] == sorted(s for s, _ in seen)
    assert any("reading picture 2" in words for _, words in seen)

    def stop(share, words):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        find_repeated(photos(4), on_step=stop)
