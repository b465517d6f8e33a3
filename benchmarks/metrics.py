"""Figures about a fill: hole-PSNR, SSIM, seam; and the paired bootstrap that compares two methods."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

PSNR_CAP = 60.0
"""dB. A perfect fill would be infinite; an error of a quarter of an 8-bit step is 60 dB."""

RESAMPLES = 10_000

Image = NDArray[np.float32]
Hole = NDArray[np.bool_]


class Interval(NamedTuple):
    """A mean and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def score(fill: Image, truth: Image, hole: Hole) -> dict[str, float]:
    """Return the figures of one fill.

    Parameters
    ----------
    fill : (H, W, 3), [0, 1]. Only what lies in the hole is used: known pixels are taken from `truth`.
    truth : (H, W, 3), [0, 1].
    hole : (H, W). True is missing.

    Returns
    -------
    ``lpips`` (whole picture, less is better), ``psnr`` (missing pixels alone, dB, capped), ``ssim`` (whole
    picture) and ``seam`` (jump at the rim, grey levels of 255, about 0 is best).
    """
    from lpips import lpips  # torch takes seconds to import, and nothing else here needs it

    picture = composite(np.clip(fill, 0, 1).astype(np.float32), truth, hole)
    return {
        "lpips": lpips(picture, truth),
        "psnr": hole_psnr(picture, truth, hole),
        "ssim": ssim(picture, truth),
        "seam": seam(picture, hole),
    }


def composite(fill: Image, truth: Image, hole: Hole) -> Image:
    """Return truth outside the hole and fill inside: what every figure is computed on."""
    return np.where(hole[..., None], fill, truth)


def hole_psnr(fill: Image, truth: Image, hole: Hole) -> float:
    """Return the PSNR over the missing pixels alone, in dB, at most `PSNR_CAP`.

    Parameters
    ----------
    fill, truth : (H, W, C), [0, 1].
    hole : (H, W). True is missing.
    """
    error = float(np.square(fill[hole].astype(np.float64) - truth[hole]).mean())
    return PSNR_CAP if error <= 0 else min(PSNR_CAP, -10 * float(np.log10(error)))


def ssim(fill: Image, truth: Image) -> float:
    """Return the mean SSIM of the whole (composited) picture over its channels; 1 = equal.

    Gaussian window of σ = 1.5 px and population variance, as in Wang et al. 2004 (IEEE TIP 13(4)).
    """
    return float(
        structural_similarity(
            fill, truth, channel_axis=2, data_range=1.0, gaussian_weights=True, use_sample_covariance=False
        )
    )


def seam(fill: Image, hole: Hole) -> float:
    """Return by how much the picture jumps at the rim, in grey levels of 255.

    For each known pixel p with a missing neighbour q: the step from p to q less the mean of the step before
    and the step after it on the same line, so that texture and slopes that simply go on give about 0.
    Positive: an edge runs along the rim. Needs no truth.

    Parameters
    ----------
    fill : (H, W, C), [0, 1], composited.
    hole : (H, W). True is missing.
    """
    excess: list[NDArray[np.float32]] = []
    for axis in (0, 1):
        image, missing = np.moveaxis(fill, axis, 0), np.moveaxis(hole, axis, 0)
        for a, m in ((image, missing), (image[::-1], missing[::-1])):
            if len(a) < 4:
                continue
            steps = np.abs(np.diff(a, axis=0)).mean(axis=2)  # steps[i]: from line i to line i + 1
            rim = ~m[:-3] & ~m[1:-2] & m[2:-1] & m[3:]
            excess.append((steps[1:-1] - (steps[:-2] + steps[2:]) / 2)[rim])
    values = np.concatenate(excess) if excess else np.zeros(0)
    return 255 * float(values.mean()) if values.size else 0.0


def bootstrap(differences: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Return the mean of paired differences and its 95 % percentile interval over resampled pictures.

    Parameters
    ----------
    differences : (N,), one per picture: method minus rival, or any per-picture figure.

    References
    ----------
    .. [1] Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    values = np.asarray(differences, dtype=np.float64)
    generator = np.random.Generator(np.random.PCG64(seed))
    picks = generator.integers(0, len(values), size=(resamples, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))
