from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from lacuna.errors import ImageError, MaskError
from lacuna.metrics import PSNR_CAP, Running, l1, l2, psnr


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.random((19, 23, 3))
    return np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1), truth


def test_psnr_is_that_of_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0], data_range=1), rel=1e-12)


def test_hole_only_figures_are_those_of_the_missing_pixels_alone(pair: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = pair
    hole = np.zeros(image.shape[:2], dtype=bool)
    hole[3:9, 5:11] = True
    part, part_truth = image[3:9, 5:11], truth[3:9, 5:11]
    for figure in (l1, l2, psnr):
        assert figure(image, truth, hole) == pytest.approx(figure(part, part_truth), rel=1e-12)
    composite = np.where(hole[..., None], image, truth)
    assert l1(composite, truth) == pytest.approx(l1(image, truth, hole) * hole.mean(), rel=1e-12)


def test_l1_and_l2_by_hand() -> None:
    image, truth = np.array([0.0, 0.5]).reshape(1, 2, 1), np.array([0.25, 0.0]).reshape(1, 2, 1)
    assert l1(image, truth) == 0.375
    assert l2(image, truth) == (0.0625 + 0.25) / 2


def test_equal_pictures_are_capped_counted_and_never_infinite(pair: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = pair
    running = Running(psnr, cap=PSNR_CAP)
    running.update(truth, truth)
    other = Running(psnr, cap=PSNR_CAP)
    other.update(image, truth)
    running.merge(other)
    mean, count, capped = running.compute()
    assert (count, capped) == (2, 1)
    assert mean == pytest.approx((PSNR_CAP + psnr(image, truth)) / 2)
    assert psnr(truth, truth, cap=math.inf) == math.inf


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ImageError, match="no picture was measured"):
        Running(psnr).compute()


@pytest.mark.parametrize(
    ("image", "truth", "hole", "error"),
    [
        (np.zeros((4, 4, 3)), np.zeros((4, 5, 3)), None, ImageError),
        (np.zeros((4, 4)), np.zeros((4, 4)), None, ImageError),
        (np.zeros((4, 4, 3), dtype=np.uint8), np.zeros((4, 4, 3)), None, ImageError),
        (np.zeros((4, 4, 3)), np.zeros((4, 4, 3)), np.zeros((4, 4), dtype=bool), MaskError),
        (np.zeros((4, 4, 3)), np.zeros((4, 4, 3)), np.ones((5, 4), dtype=bool), MaskError),
        (np.zeros((4, 4, 3)), np.zeros((4, 4, 3)), np.ones((4, 4), dtype=np.uint8), MaskError),
    ],
)
def test_what_does_not_fit_is_refused(
    image: np.ndarray, truth: np.ndarray, hole: np.ndarray | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        psnr(image, truth, hole)
