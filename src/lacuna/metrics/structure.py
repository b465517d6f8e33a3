"""SSIM and MS-SSIM: likeness of local means, contrasts and patterns."""

from __future__ import annotations

import numpy as np

from lacuna.errors import ImageError
from lacuna.metrics._inputs import Doubles, check_hole, check_pair
from lacuna.types import FloatImage, Hole

SIGMA, RADIUS = 1.5, 5
"""The window of Wang et al. 2004: a Gaussian over 11 × 11 pixels."""

C1, C2 = 0.01**2, 0.03**2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

_AXIS = np.arange(-RADIUS, RADIUS + 1)
_TAPS: Doubles = np.exp(-0.5 * np.square(_AXIS / SIGMA))
_TAPS /= _TAPS.sum()


def ssim(image: FloatImage, truth: FloatImage, hole: Hole | None = None) -> float:
    """Return the mean structural similarity over pixels and channels; 1 = equal.

    Parameters
    ----------
    image, truth : (H, W, C), [0, 1], both sides 11 or more.
    hole : (H, W), True is missing. Given, the windows centred on missing pixels count (over a mirrored edge
        where they leave the picture), so that known pixels near the hole count as their neighbours. Without
        it, the windows that lie wholly in the picture count.

    Raises
    ------
    ImageError, MaskError : shapes or types that do not fit, a side under 11; an empty hole.

    References
    ----------
    .. [1] Wang, Bovik, Sheikh & Simoncelli, Image Quality Assessment: From Error Visibility to Structural
       Similarity, IEEE TIP 13(4), 2004, eq. 13 (population variance).

    Examples
    --------
    >>> ramp = np.linspace(0, 1, 15 * 15).reshape(15, 15, 1)
    >>> round(ssim(ramp, ramp), 6), round(ssim(np.full_like(ramp, 0.5), ramp), 3) < 0.7
    (1.0, True)
    """
    check_pair(image, truth)
    _check_side(image, 2 * RADIUS + 1, "SSIM")
    if hole is None:
        luminance, contrast = _maps(image.astype(np.float64), truth.astype(np.float64))
        return float((luminance * contrast).mean())
    check_hole(hole, image)
    around = [(RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)]
    padded = [np.pad(a.astype(np.float64), around, mode="symmetric") for a in (image, truth)]
    luminance, contrast = _maps(*padded)
    return float((luminance * contrast)[hole].mean())


def ms_ssim(image: FloatImage, truth: FloatImage) -> float:
    """Return the multi-scale structural similarity, the mean over channels; 1 = equal.

    Parameters
    ----------
    image, truth : (H, W, C), [0, 1], both sides 176 or more: eleven pixels are needed at a sixteenth.

    Raises
    ------
    ImageError : shapes or types that do not fit, a side under 176.

    Notes
    -----
    Each scale halves the picture by means of 2 × 2 pixels; an odd last line is dropped. A negative mean
    contrast counts as 0, since its power is not real.

    References
    ----------
    .. [1] Wang, Simoncelli & Bovik, Multi-scale Structural Similarity for Image Quality Assessment, Asilomar
       2003, eq. 7.
    """
    check_pair(image, truth)
    _check_side(image, (2 * RADIUS + 1) << (len(SCALE_WEIGHTS) - 1), "MS-SSIM")
    a, b = image.astype(np.float64), truth.astype(np.float64)
    product = np.ones(image.shape[2])
    for scale, weight in enumerate(SCALE_WEIGHTS):
        luminance, contrast = _maps(a, b)
        last = scale == len(SCALE_WEIGHTS) - 1
        likeness = (luminance * contrast if last else contrast).mean(axis=(0, 1))
        product *= np.maximum(likeness, 0) ** weight
        a, b = _halved(a), _halved(b)
    return float(product.mean())


def _check_side(image: FloatImage, least: int, name: str) -> None:
    height, width = image.shape[:2]
    if min(height, width) < least:
        raise ImageError(f"{name} needs sides of {least} pixels or more; the picture is {width} × {height}")


def _maps(a: Doubles, b: Doubles) -> tuple[Doubles, Doubles]:
    """Return the luminance and the contrast-structure terms of every window inside the picture."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a = _blurred(a * a) - mean_a * mean_a
    variance_b = _blurred(b * b) - mean_b * mean_b
    covariance = _blurred(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1)
    return luminance, (2 * covariance + C2) / (variance_a + variance_b + C2)


def _blurred(image: Doubles) -> Doubles:
    """Return the Gaussian mean of every window that lies inside, ``(H - 10, W - 10, C)``."""
    for axis in (0, 1):
        length = image.shape[axis] - 2 * RADIUS
        out = np.zeros_like(np.take(image, range(length), axis=axis))
        for offset, tap in enumerate(_TAPS):
            part = image[offset : offset + length] if axis == 0 else image[:, offset : offset + length]
            out += tap * part
        image = out
    return image


def _halved(image: Doubles) -> Doubles:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    return np.asarray(blocks.mean(axis=(1, 3)))
