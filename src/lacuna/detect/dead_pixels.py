"""Pixels and lines of a sensor that do not see: dead, hot or stuck."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.detection import Detection, Region, between, detect
from lacuna.types import FloatImage, Hole

STEP = (0.3, 0.1, 0.04)
"""By so much a dead pixel differs from all of its neighbours: at sensitivity 0, 0.5 and 1."""
AGAINST_SPREAD = (3.0, 1.5, 0.75)
"""And by so many times the spread among these neighbours."""
LINE_STEP = (0.06, 0.02, 0.008)
"""By so much a sensor line differs from the lines beside it, in the middle of all of its pixels."""
SAME_SIDE = 0.85
"""Share of a line's pixels that are brighter than their neighbours, or darker; half of them by chance."""
_SHORTEST = 32
"""A line of fewer pixels says nothing."""


def find_dead_pixels(image: FloatImage, *, sensitivity: float = 0.5, region: Region = None) -> Detection:
    """Find dead, hot and stuck pixels, and rows and columns that a sensor reads wrongly.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1]. As it left the camera: a resized picture has none left.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like one).
    region : bool (H, W) or box (top, left, bottom, right) to look in; None is everywhere.

    Returns
    -------
    Single pixels that stand out from all eight neighbours in a channel or more, and lines from edge to edge
    that are brighter or darker than both lines beside them. A star in the sky looks the same.

    Raises
    ------
    ImageError, OptionError, MaskError : see `lacuna.detect.detection.detect`.
    """
    return detect(_find, image, sensitivity=sensitivity, region=region, margin=0)


def _find(image: FloatImage, sensitivity: float) -> Detection:
    height, width = image.shape[:2]
    confidence = np.zeros((height, width), dtype=np.float32)
    mask = np.zeros((height, width), dtype=np.bool_)
    lines = []
    for turned, name in ((image, "rows"), (image.transpose(1, 0, 2), "columns")):
        found = _lines(turned, between(sensitivity, *LINE_STEP))
        target = mask if name == "rows" else mask.T
        target[found] = True
        lines.append(f"{int(found.sum())} {name}")
    confidence[mask] = 1
    if min(height, width) >= 3:
        surprise = _surprise(image, between(sensitivity, *STEP), between(sensitivity, *AGAINST_SPREAD))
        single = (surprise > 1) & ~mask
        mask |= single
        confidence = np.maximum(confidence, (surprise / (1 + surprise)).astype(np.float32))
        note = f"dead pixels: {int(single.sum())} single, {' and '.join(lines)}"
        return Detection(mask, confidence, (note,))
    return Detection(mask, confidence)


def _surprise(image: FloatImage, step: float, times: float) -> NDArray[np.float32]:
    """Return (H, W): how far a pixel is beyond all of its neighbours, in units of what counts."""
    import cv2

    around = np.ones((3, 3), np.uint8)
    around[1, 1] = 0
    out = np.zeros(image.shape[:2], dtype=np.float32)
    for channel in cv2.split(image):
        high, low = cv2.dilate(channel, around), cv2.erode(channel, around)
        beyond = np.maximum(channel - high, low - channel)
        # What a texture of single pixels does here, it does next door too.
        spread = cv2.blur(high - low, (5, 5))
        out = np.maximum(out, beyond / np.maximum(step, times * np.minimum(spread, high - low + 1 / 255)))
    return np.maximum(out, 0)


def _lines(image: FloatImage, step: float) -> Hole:
    """Return (H,): the rows that differ from both rows beside them nearly all along."""
    height, width = image.shape[:2]
    found = np.zeros(height, dtype=np.bool_)
    if height < 5 or width < _SHORTEST:
        return found
    for channel in range(image.shape[2]):
        plane = image[..., channel]
        for row in range(2, height - 2):
            beside = plane[[row - 2, row - 1, row + 1, row + 2]]
            over = plane[row] - beside.max(axis=0)
            under = beside.min(axis=0) - plane[row]
            for beyond in (over, under):
                if (beyond > 0).mean() >= SAME_SIDE and float(np.median(beyond)) >= step:
                    found[row] = True
    return found
