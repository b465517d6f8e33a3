"""Uniform borders: the frame that a scanner, an editor or a film leaves around a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.detection import Detection, Region, between, detect
from lacuna.types import FloatImage, Hole

TOLERANCE = (1 / 255, 0.03, 0.1)
"""So far a pixel may be from the border's colour: at sensitivity 0, 0.5 and 1."""
_UNIFORM = 0.99
"""Share of a line's pixels that must have the border's colour."""
_ENDS = 0.25
"""Where the border ends, at least so many pixels have another colour; a plain background ends slowly."""
_WITHIN = 2
"""Lines over which it may end: JPEG and resizing blur the edge."""
_ROUNDS = 3
"""A frame within a frame within a frame."""


def find_borders(image: FloatImage, *, sensitivity: float = 0.5, region: Region = None) -> Detection:
    """Find uniform borders along the edges of a picture.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1].
    sensitivity : 0 (one colour exactly) to 1 (about one colour).
    region : bool (H, W) or box (top, left, bottom, right) to look in; None is everywhere.

    Returns
    -------
    Whole rows and columns of one colour, each side with a colour of its own, that end in an edge. A
    plain background that fades into the picture is no border; neither is a picture of one colour.

    Raises
    ------
    ImageError, OptionError, MaskError : see `lacuna.detect.detection.detect`.
    """
    return detect(_find, image, sensitivity=sensitivity, region=region, margin=None)


def _find(image: FloatImage, sensitivity: float) -> Detection:
    height, width = image.shape[:2]
    tolerance = between(sensitivity, *TOLERANCE)
    top, left, bottom, right = 0, 0, height, width
    for _ in range(_ROUNDS):
        before = top, left, bottom, right
        inner = image[:, left:right]
        top += _depth(inner[top:bottom], tolerance)
        bottom -= _depth(inner[top:bottom][::-1], tolerance)
        inner = image[top:bottom].transpose(1, 0, 2)
        left += _depth(inner[left:right], tolerance)
        right -= _depth(inner[left:right][::-1], tolerance)
        if (top, left, bottom, right) == before:
            break
    mask: Hole = np.ones((height, width), dtype=np.bool_)
    mask[top:bottom, left:right] = False
    sides = f"{top} above, {height - bottom} below, {left} left, {width - right} right"
    return Detection(mask, mask.astype(np.float32), (f"borders: {sides}",) if mask.any() else ())


def _depth(lines: FloatImage, tolerance: float) -> int:
    """Return how many lines, from the first one on, are of one colour; 0 if they never end in an edge."""
    if len(lines) < 2:
        return 0
    colour = np.median(lines[0], axis=0)
    depth = 0
    while depth < len(lines) and _others(lines[depth], colour, tolerance) <= 1 - _UNIFORM:
        depth += 1
    if depth in (0, len(lines)):
        return 0
    last = min(depth + _WITHIN, len(lines) - 1)
    # A gradient goes on as it went before; an edge does not.
    after = min(last + _WITHIN + 1, len(lines) - 1)
    slope = float(np.abs(np.median(lines[after] - lines[last], axis=0)).max())
    ends = _others(lines[last], lines[depth - 1], tolerance + slope)
    return depth if ends >= _ENDS else 0


def _others(line: NDArray[np.float32], colour: NDArray[np.float32], tolerance: float) -> float:
    """Return the share of a line's pixels that have another colour, or that of another line."""
    return float((np.abs(line - colour).max(axis=1) > tolerance).mean())
