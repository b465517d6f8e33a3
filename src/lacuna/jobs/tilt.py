"""By how much a picture is tilted: what its straight lines say, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.image import Picture

REACH = 15.0
"""Degrees: a picture that is tilted by more was probably meant to be."""
SURE = 0.5
"""From this confidence on an angle is believed."""

_SIDE = 1000
"""Longest side of what is looked at."""
_SHORTEST = 0.03
"""Lines that are shorter, as a share of the longer side, say little."""
_WIDTH = 0.4
"""Degrees by which lines that mean the same differ (deviation)."""
_NEAR = 1.0
_BEYOND = 3.0
"""Deviations beyond chance, without a rival, that are as good as a half."""
_STEP = 0.05


@dataclass(frozen=True)
class Tilt:
    """What the lines of a picture say.

    Parameters
    ----------
    angle : degrees by which the picture is tilted clockwise; turning it back by as much straightens it.
    confidence : 0 to 1.
    level, upright : number of lines that agree, of those near level and those near upright.
    lines : number of lines that were looked at.
    """

    angle: float
    confidence: float
    level: int
    upright: int
    lines: int


def find_tilt(picture: Picture) -> Tilt:
    """Return by how much the lines of a picture are tilted.

    Notes
    -----
    Line segments [1]_ are taken by how far they are from level or upright, whichever is nearer, weighted by
    their length. The angle is where most of that length is. Confidence grows with the deviations by which
    the length that agrees to 1 degree exceeds what lines in all directions would give, and shrinks with the
    best rival at another angle.

    References
    ----------
    .. [1] Grompone von Gioi et al., LSD: a Line Segment Detector, Image Processing On Line 2, 2012,
       doi:10.5201/ipol.2012.gjmr-lsd.
    """
    off, length, level = _segments(picture)
    near = np.abs(off) <= REACH + _NEAR
    off, length, level = off[near], length[near], level[near]
    if len(off) < 2:
        return Tilt(0.0, 0.0, 0, 0, 0)
    grid = np.arange(-REACH, REACH + _STEP / 2, _STEP)
    votes = (length * np.exp(-np.square((grid[:, np.newaxis] - off) / _WIDTH) / 2)).sum(axis=1)
    peak = int(votes.argmax())
    agree = np.abs(off - grid[peak]) <= _NEAR
    angle = _middle(off[agree], length[agree])
    support, total = float(length[agree].sum()), float(length.sum())
    rival = float(votes[np.abs(grid - grid[peak]) > 2 * _NEAR].max() / votes[peak])
    chance, number = 2 * _NEAR / (2 * REACH + 2 * _NEAR), total**2 / float(np.square(length).sum())
    beyond = (support / total - chance) / np.sqrt(chance * (1 - chance) / number)
    confidence = 1 - 2 ** -(max(float(beyond), 0.0) * (1 - rival) / _BEYOND)
    return Tilt(
        round(angle, 2), round(confidence, 3), int(level[agree].sum()), int((~level)[agree].sum()), len(off)
    )


def _segments(picture: Picture) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Return, for each line, degrees clockwise from level or upright, length, and whether it is level."""
    import cv2

    grey = picture.image.mean(axis=-1)
    grey = np.where(picture.known, grey, grey[picture.known].mean() if picture.known.any() else 0)
    scale = min(1.0, _SIDE / max(grey.shape))
    small: Any = np.ascontiguousarray(grey * 255, dtype=np.float32)
    if scale < 1:
        small = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    side = float(max(small.shape))
    found: Any = cv2.createLineSegmentDetector().detect(np.rint(small).astype(np.uint8))[0]
    if found is None:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_)
    x0, y0, x1, y1 = np.asarray(found, dtype=np.float64).reshape(-1, 4).T
    length = np.hypot(x1 - x0, y1 - y0)
    angle = np.degrees(np.arctan2(y1 - y0, x1 - x0))  # y runs down: clockwise is positive
    off = (angle + 45) % 90 - 45
    level = np.abs((angle + 90) % 180 - 90) < 45
    # The frame of a picture inside the picture's own edge is not a line of the scene.
    margin = 2.0
    rim = np.zeros(len(length), dtype=np.bool_)
    for ends, size in (((x0, x1), small.shape[1]), ((y0, y1), small.shape[0])):
        rim |= (ends[0] < margin) & (ends[1] < margin)
        rim |= (ends[0] > size - 1 - margin) & (ends[1] > size - 1 - margin)
    keep = (length >= _SHORTEST * side) & ~rim
    return off[keep], length[keep], level[keep]


def _middle(values: NDArray[Any], weights: NDArray[Any]) -> float:
    """Return the weighted median."""
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])
