from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from lacuna.errors import ImageError
from lacuna.metrics import ms_ssim, ssim
from lacuna.metrics.structure import SCALE_WEIGHTS


def noisy(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    truth = ndimage.gaussian_filter(rng.random(shape), (3, 3, 0))
    truth = (truth - truth.min()) / np.ptp(truth)
    return np.clip(truth + rng.normal(0, 0.05, shape), 0, 1), truth


@pytest.mark.parametrize("shape", [(11, 11, 1), (24, 37, 3)])
def test_ssim_is_that_of_scikit_image(rng: np.random.Generator, shape: tuple[int, int, int]) -> None:
    image, truth = noisy(rng, shape)
    mean, each = structural_similarity(
        image,
        truth,
        channel_axis=2,
        data_range=1,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(image, truth) == pytest.approx(mean, abs=1e-12)
    hole = rng.random(shape[:2]) < 0.2  # near the edge too
    assert ssim(image, truth, hole) == pytest.approx(each[hole].mean(), abs=1e-12)


def reference_ms_ssim(image: np.ndarray, truth: np.ndarray) -> float:
    """Return the figure of one channel, from scipy's filters over the whole picture and a crop."""

    def blur(x: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(x, 1.5, radius=5)[5:-5, 5:-5]

    value = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        ma, mb = blur(image), blur(truth)
        va, vb, vab = blur(image**2) - ma**2, blur(truth**2) - mb**2, blur(image * truth) - ma * mb
        structure = (2 * vab + 9e-4) / (va + vb + 9e-4)
        if scale == 4:
            structure = structure * (2 * ma * mb + 1e-4) / (ma**2 + mb**2 + 1e-4)
        value *= structure.mean() ** weight
        image, truth = (x[: len(x) // 2 * 2, : x.shape[1] // 2 * 2] for x in (image, truth))
        image, truth = (
            (x[0::2, 0::2] + x[1::2, 0::2] + x[0::2, 1::2] + x[1::2, 1::2]) / 4 for x in (image, truth)
        )
    return value


def test_ms_ssim_is_that_of_the_paper(rng: np.random.Generator) -> None:
    image, truth = noisy(rng, (192, 208, 3))
    expected = np.mean([reference_ms_ssim(image[..., c], truth[..., c]) for c in range(3)])
    assert ms_ssim(image, truth) == pytest.approx(expected, abs=1e-10)
    assert ms_ssim(truth, truth) == pytest.approx(1)


def test_ms_ssim_of_opposites_is_zero_and_not_nan(rng: np.random.Generator) -> None:
    truth = rng.random((176, 177, 1))
    assert ms_ssim(1 - truth, truth) == 0


@pytest.mark.parametrize(("figure", "least"), [(ssim, 11), (ms_ssim, 176)])
def test_small_pictures_are_refused(figure: object, least: int) -> None:
    small = np.zeros((least - 1, least, 1))
    with pytest.raises(ImageError, match=f"sides of {least} pixels or more"):
        figure(small, small)  # type: ignore[operator]
