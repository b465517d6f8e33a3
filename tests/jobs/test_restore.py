"""Restoring a scan: the damage goes, everything else stays, and what cannot be is refused."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from lacuna.errors import Cancelled, MaskError, OptionError
from lacuna.image import open_image
from lacuna.jobs.restore import KINDS, Damage, restore


@pytest.fixture
def clean(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.indices((150, 200)).astype(np.float32)
    base = 0.3 + rows / 500 + 0.08 * np.sin(columns / 19)
    image = np.stack([base, base * 0.95, base * 0.85], axis=-1) + rng.normal(0, 0.004, (150, 200, 3))
    return image.clip(0, 1).astype(np.float32)


@pytest.fixture
def cover(rng: np.random.Generator) -> np.ndarray:
    canvas = np.zeros((150, 200), np.uint8)
    cv2.line(canvas, (20, 10), (170, 140), 255, 2, cv2.LINE_AA)
    cv2.line(canvas, (100, 5), (110, 145), 255, 5, cv2.LINE_AA)
    for x, y in ((30, 100), (150, 40), (180, 100)):
        cv2.circle(canvas, (x, y), 2, 255, -1, cv2.LINE_AA)
    grit = np.abs(cv2.GaussianBlur(rng.standard_normal((150, 200)), (0, 0), 3))
    # A line that covers everything and is the same all along may be a wire.
    uneven = (1 - 0.2 * grit / grit.std()).clip(0, 1)
    return cv2.GaussianBlur((uneven * canvas / 255).astype(np.float32), (0, 0), 0.5)[..., None]


def damaged(clean: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return clean + 0.95 * cover * (np.float32(0.97) - clean)


def rmse(a: Any, b: Any, where: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a[where].astype(float) - b[where]) ** 2)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [False, True])
def test_the_damage_goes_and_the_rest_stays(
    clean: np.ndarray, cover: np.ndarray, dtype: Any, alpha: bool
) -> None:
    top = np.iinfo(dtype).max
    scan = np.rint(damaged(clean, cover) * top).astype(dtype)
    if alpha:
        scan = np.dstack([scan, np.full(scan.shape[:2], top // 2, dtype)])
    before = scan.copy()
    found = restore(scan)
    result = found.fill()
    np.testing.assert_array_equal(scan, before)
    assert result.image.dtype == dtype
    assert result.image.shape == scan.shape
    assert result.changed_outside == 0
    np.testing.assert_array_equal(result.image[~result.hole], scan[~result.hole])
    bad = cover[..., 0] > 0.1
    assert rmse(result.image[..., :3] / top, clean, bad) < 0.15 * rmse(damaged(clean, cover), clean, bad)
    assert found.kinds["scratches"].mask.any()
    assert found.kinds["dust"].mask.any()
    assert found.facts["dust"]["pixels"] == found.kinds["dust"].mask.sum()
    assert "scratch" in found.words[0]
    if dtype == np.uint16:
        assert len(np.unique(result.image[result.hole] % 257)) > 1  # more than 8 bits


def test_grey_works(clean: np.ndarray, cover: np.ndarray) -> None:
    scan = np.rint(damaged(clean, cover)[..., 0] * 255).astype(np.uint8)
    result = restore(scan).fill()
    assert result.image.shape == scan.shape
    bad = cover[..., 0] > 0.1
    assert rmse(result.image / 255, clean[..., 0], bad) < 0.05


def test_transparent_pixels_are_neither_damaged_nor_filled(clean: np.ndarray, cover: np.ndarray) -> None:
    scan = np.rint(np.dstack([damaged(clean, cover), np.ones(clean.shape[:2])]) * 255).astype(np.uint8)
    scan[:, :60, 3] = 0
    result = restore(scan).fill()
    assert not result.hole[:, :60].any()
    assert result.hole.any()
    np.testing.assert_array_equal(result.image[:, :60], scan[:, :60])


def test_a_torn_corner_is_filled(clean: np.ndarray) -> None:
    scan = np.rint(clean * 255).astype(np.uint8)
    rows, columns = np.indices(scan.shape[:2])
    torn = rows / 22 + columns / 26 + 0.05 * np.sin(rows) < 1
    scan[torn] = 255
    found = restore(scan)
    assert "1 torn corner " in found.words[0]
    assert found.hole[torn].all()
    assert rmse(found.fill().image / 255, clean, torn) < 0.06


def test_thin_and_thick_damage_are_filled_by_their_own_methods(clean: np.ndarray) -> None:
    hole = np.zeros(clean.shape[:2], dtype=bool)
    hole[20:22, 10:90] = True
    hole[60:90, 60:90] = True
    picture = open_image(np.rint(clean * 255).astype(np.uint8))
    result = Damage("restore", picture, hole).fill()
    assert "biharmonic" in result.notes[-1]
    assert "patchmatch" in result.notes[-1]
    np.testing.assert_array_equal(result.hole, hole)
    assert result.changed_outside == 0
    assert result.original is picture
    thin = Damage("restore", picture, hole & (np.arange(150) < 30)[:, None]).fill()
    assert thin.notes[-1] == "auto filled it with biharmonic"
    named = Damage("restore", picture, hole).fill("telea")
    assert named.method == "telea"


def test_without_damage_the_picture_is_a_copy(clean: np.ndarray) -> None:
    scan = np.rint(clean * 255).astype(np.uint8)
    found = restore(scan)
    assert found.words == ("found no damage",)
    assert found.missing == 0
    filled = found.fill().image
    assert filled is not scan
    np.testing.assert_array_equal(filled, scan)


def test_nearly_everything_is_refused_with_the_figure(
    monkeypatch: pytest.MonkeyPatch, clean: np.ndarray
) -> None:
    def everywhere(image: np.ndarray, on_step: Any = None) -> np.ndarray:
        maps = np.zeros((2, *image.shape[:2]), np.uint8)
        maps[0, :, : int(0.8 * image.shape[1])] = 255
        return maps

    monkeypatch.setattr("lacuna.detect.network.damage_maps", everywhere)
    with pytest.raises(MaskError, match="80 % of the picture looks damaged"):
        restore(clean)


def test_the_region_is_kept_to(clean: np.ndarray, cover: np.ndarray) -> None:
    scan = damaged(clean, cover)
    found = restore(scan, region=(0, 0, 150, 90))
    assert found.hole[:, :90].any()
    assert not found.hole[:, 90:].any()


def test_kinds_can_be_chosen(clean: np.ndarray, cover: np.ndarray) -> None:
    assert set(restore(damaged(clean, cover), what=["dust"]).kinds) == {"dust"}
    assert set(restore(clean).kinds) == set(KINDS)


@pytest.mark.parametrize(
    "how",
    [
        {"sensitivity": 1.5},
        {"sensitivity": "high"},
        {"what": []},
        {"what": ["rust"]},
        {"grow": -1},
        {"grow": 1.5},
        {"region": (0, 0, 0, 0)},
        {"region": np.zeros((150, 200), bool)},
    ],
)
def test_settings_are_checked(clean: np.ndarray, how: dict[str, Any]) -> None:
    with pytest.raises((OptionError, MaskError)):
        restore(clean, **how)


def test_progress_runs_from_0_to_1_and_stops_on_request(clean: np.ndarray, cover: np.ndarray) -> None:
    shares: list[float] = []
    found = restore(damaged(clean, cover), on_step=lambda share, words: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    shares.clear()
    found.fill(on_step=lambda share, words: shares.append(share))
    assert 0 <= min(shares) <= max(shares) == shares[-1] == 1.0

    def stop(share: float, words: str) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        found.fill(on_step=stop)


def test_the_same_scan_gives_the_same_bytes(clean: np.ndarray, cover: np.ndarray) -> None:
    scan = np.rint(damaged(clean, cover) * 255).astype(np.uint8)
    np.testing.assert_array_equal(restore(scan).fill().image, restore(scan).fill().image)
