"""How a fill meets the picture at the hole's rim.

hard
    Every pixel of the hole from the fill, every other pixel from the picture. This is what `inpaint` does
    unless told otherwise, and needs no function.
membrane
    `membrane` shifts the fill so that no step is left at the rim. Only pixels of the hole change.
feather
    `feather_weight` also mixes known pixels near the hole, the one thing in Lacuna that changes known pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.types import FloatImage, Hole, OnStep

RIM_SIGMA = 2.0
"""Differences are averaged along the rim with a Gaussian of so many pixels: steps stay, texture cancels."""

TOLERANCE = 0.01
"""The correction may be wrong by this share of the largest step; so smooth an error does not show."""


def membrane(image: FloatImage, fill: FloatImage, hole: Hole, *, on_step: OnStep | None = None) -> FloatImage:
    """Add to a fill the smoothest surface that takes the step at the rim away.

    Parameters
    ----------
    image : (H, W, C), [0, 1]. The picture; what lies under the hole is ignored.
    fill : (H, W, C), [0, 1]. Only the values inside the hole are read.
    hole : (H, W). True is missing.
    on_step : progress out, cancellation in.

    Returns
    -------
    (H, W, C), [0, 1], new array: ``fill`` plus the correction inside the hole, ``image`` elsewhere. Without a
    known pixel there is no rim and the fill comes back as it is.

    Notes
    -----
    Seamless cloning [1]_ compares source and picture on the same pixels of the rim. A fill ends where the
    picture begins, so here a known pixel is compared with its missing neighbours, and a fill that continues a
    slope perfectly is flattened at the rim by at most the slope of one pixel. In texture, single differences
    are noise: they are averaged along the rim first.

    References
    ----------
    .. [1] Pérez, Gangnet & Blake, Poisson Image Editing, ACM Trans. Graph. 22(3), 2003.

    Examples
    --------
    >>> grey, hole = np.full((5, 5, 1), 0.5, dtype=np.float32), np.zeros((5, 5), dtype=bool)
    >>> hole[1:4, 1:4] = True
    >>> dark = np.full_like(grey, 0.25)
    >>> float(np.ptp(membrane(grey, dark, hole)))
    0.0
    """
    from lacuna.multigrid import solve_harmonic  # its kernels take numba, which few callers need

    out = np.where(hole[..., None], fill, image)
    if hole.all() or not hole.any():
        return out
    correction = solve_harmonic(_steps(image, fill, hole), hole, tolerance=TOLERANCE, on_step=on_step)
    out[hole] = np.clip(out[hole] + correction[hole], 0.0, 1.0)
    return out


def feather_weight(hole: Hole, radius: float) -> NDArray[np.float32]:
    """Return how much of each pixel is to come from the fill.

    Parameters
    ----------
    hole : (H, W). True is missing; at least one pixel.
    radius : pixels outside the hole that take part; 0 is a hard edge.

    Returns
    -------
    (H, W), [0, 1]: 1 in the hole, falling along half a cosine outside it, 0 beyond the radius.

    Examples
    --------
    >>> feather_weight(np.array([[True, False, False, False]]), 1).round(3).tolist()
    [[1.0, 0.5, 0.0, 0.0]]
    """
    import cv2  # slow to import, and wanted only here

    distance = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    falling = 0.5 + 0.5 * np.cos(np.pi * np.minimum(distance / (radius + 1), 1))
    weight: NDArray[np.float32] = np.where(distance <= radius, falling, 0).astype(np.float32)
    return weight


def _steps(image: FloatImage, fill: FloatImage, hole: Hole) -> FloatImage:
    """Return picture minus fill on the known pixels beside the hole, averaged along the rim; 0 elsewhere."""
    import cv2

    steps = np.zeros_like(image)
    count = np.zeros(hole.shape, dtype=np.float32)
    for axis in (0, 1):
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            known = (here, slice(None)) if axis == 0 else (slice(None), here)
            missing = (there, slice(None)) if axis == 0 else (slice(None), there)
            beside = ~hole[known] & hole[missing]
            steps[known][beside] += image[known][beside] - fill[missing][beside]
            count[known] += beside
    rim = count > 0
    steps[rim] /= count[rim, None]
    share = cv2.GaussianBlur(rim.astype(np.float32), (0, 0), RIM_SIGMA)
    smooth = cv2.GaussianBlur(steps, (0, 0), RIM_SIGMA).reshape(steps.shape)  # OpenCV drops a single channel
    steps[rim] = smooth[rim] / share[rim, None]
    return steps
