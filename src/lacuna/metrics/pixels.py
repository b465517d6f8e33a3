"""L1, L2 and PSNR: differences of single pixels."""

from __future__ import annotations

import math

import numpy as np

from lacuna.metrics._inputs import Doubles, differences
from lacuna.types import FloatImage, Hole

PSNR_CAP = 60.0
"""dB. Equal pictures would be infinite, and one of them would make the mean of a table infinite; an error of
a quarter of an 8-bit step is 60 dB. `Running` counts how often the cap was met."""


def l1(image: FloatImage, truth: FloatImage, hole: Hole | None = None) -> float:
    """Return the mean absolute difference; 0 = equal, 1 = black against white.

    Parameters
    ----------
    image, truth : (H, W, C), [0, 1].
    hole : (H, W), True is missing. Given, only missing pixels count; a fill of ten per cent of a picture then
        has ten times the figure of the whole picture. Papers print the latter, in per cent.

    Raises
    ------
    ImageError, MaskError : shapes or types that do not fit; an empty hole.

    Examples
    --------
    >>> black, white = np.zeros((2, 2, 1)), np.ones((2, 2, 1))
    >>> l1(black, white), l1(white, white)
    (1.0, 0.0)
    """
    return float(np.abs(differences(image, truth, hole)).mean())


def l2(image: FloatImage, truth: FloatImage, hole: Hole | None = None) -> float:
    """Return the mean squared difference; 0 = equal. Parameters and errors as for `l1`."""
    return _squares_compute(*_squares_update(differences(image, truth, hole)))


def psnr(image: FloatImage, truth: FloatImage, hole: Hole | None = None, *, cap: float = PSNR_CAP) -> float:
    """Return the peak signal-to-noise ratio in dB, at most ``cap``; more is better.

    Parameters
    ----------
    image, truth : (H, W, C), [0, 1]: the peak is 1.
    hole : (H, W), True is missing. Given, only missing pixels count.
    cap : what equal pictures get. `math.inf` for no cap.

    Raises
    ------
    ImageError, MaskError : shapes or types that do not fit; an empty hole.

    Examples
    --------
    >>> grey = np.full((4, 4, 3), 0.5)
    >>> round(psnr(grey, grey + 0.1), 6), psnr(grey, grey)
    (20.0, 60.0)
    """
    return _psnr_compute(l2(image, truth, hole), cap)


def _squares_update(difference: Doubles) -> tuple[float, int]:
    return float(np.square(difference).sum()), difference.size


def _squares_compute(total: float, count: int) -> float:
    return total / count


def _psnr_compute(mean_square: float, cap: float) -> float:
    return cap if mean_square <= 0 else min(cap, -10 * math.log10(mean_square))
