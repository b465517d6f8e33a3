"""Figures that need no truth: total variation, and the jump at the rim."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.metrics._inputs import check_hole, check_picture
from lacuna.types import FloatImage, Hole


def total_variation(image: FloatImage, hole: Hole | None = None) -> float:
    """Return the mean absolute step between neighbours (right and below), [0, 1].

    Neither high nor low is good: compare it with the truth's. A blurred fill has less, noise has more.

    Parameters
    ----------
    image : (H, W, C), [0, 1].
    hole : (H, W), True is missing. Given, steps with a missing pixel on either side count.

    Returns
    -------
    0 for a picture of one pixel.

    References
    ----------
    .. [1] Rudin, Osher & Fatemi, Nonlinear Total Variation Based Noise Removal Algorithms, Physica D 60,
       1992; anisotropic form.

    Examples
    --------
    >>> total_variation(np.array([0.0, 1.0, 1.0]).reshape(1, 3, 1))
    0.5
    """
    check_picture(image)
    if hole is not None:
        check_hole(hole, image)
    total, count = 0.0, 0
    for axis in (0, 1):
        steps = np.abs(np.diff(image.astype(np.float64), axis=axis))
        if hole is not None:
            missing = np.moveaxis(hole, axis, 0)
            steps = np.moveaxis(steps, axis, 0)[missing[:-1] | missing[1:]]
        total, count = total + float(steps.sum()), count + steps.size
    return total / count if count else 0.0


def seam(image: FloatImage, hole: Hole) -> float:
    """Return by how much the picture jumps at the rim of the hole, in grey levels of 255.

    For each known pixel p with a missing neighbour q: the step from p to q less the mean of the step before
    and the step after it on the same line, so that texture and slopes that simply go on give about 0.
    Positive: an edge runs along the rim. Our own figure; it has no paper and no witness but its examples.

    Parameters
    ----------
    image : (H, W, C), [0, 1], known pixels and fill.
    hole : (H, W), True is missing.

    Returns
    -------
    0 where no line has two known and two missing pixels side by side.

    Raises
    ------
    ImageError, MaskError : shapes or types that do not fit; an empty hole.

    Examples
    --------
    >>> hole = np.tile(np.arange(8) >= 4, (8, 1))
    >>> step = np.where(hole, 0.5, 0.3)[..., None]
    >>> round(seam(step, hole)), round(seam(np.zeros((8, 8, 1)), hole))
    (51, 0)
    """
    check_picture(image)
    check_hole(hole, image)
    excess: list[NDArray[np.float64]] = []
    for axis in (0, 1):
        picture, missing = np.moveaxis(image, axis, 0).astype(np.float64), np.moveaxis(hole, axis, 0)
        for a, m in ((picture, missing), (picture[::-1], missing[::-1])):
            if len(a) < 4:
                continue
            steps = np.abs(np.diff(a, axis=0)).mean(axis=2)  # steps[i]: from line i to line i + 1
            rim = ~m[:-3] & ~m[1:-2] & m[2:-1] & m[3:]
            excess.append((steps[1:-1] - (steps[:-2] + steps[2:]) / 2)[rim])
    values = np.concatenate(excess) if excess else np.zeros(0)
    return 255 * float(values.mean()) if values.size else 0.0
