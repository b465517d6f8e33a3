"""Torn corners: where the scanner's lid or bed shows instead of the photo."""

from __future__ import annotations

import numpy as np

from lacuna.detect.detection import Detection, Region, between, detect
from lacuna.types import FloatImage, Hole

TOLERANCE = (0.02, 0.04, 0.08)
"""So far a pixel may be from the ground's colour: at sensitivity 0, 0.5 and 1."""
WHITE, BLACK = 0.9, 0.12
"""A scanner's ground is at least so bright, or at most so dark, in every channel."""
LONGEST = 0.4
"""A corner takes at most this share of the picture's shorter side; more is a background."""
SHORTEST = 0.02
SOLID = (0.9, 0.8, 0.65)
"""Share of its convex hull that a torn corner covers."""
EDGE = (0.35, 0.2, 0.1)
"""The step from the ground to the photo."""
_EDGE_SHARE = 0.6
"""Share of the tear along which there must be such a step."""
TRIANGLE = (0.35, 0.7)
"""A tear runs from edge to edge: the piece takes about half of its bounding box."""
RIM = 7
"""Pixels of torn fibres and blur around the ground that are taken too."""


def find_torn_corners(image: FloatImage, *, sensitivity: float = 0.5, region: Region = None) -> Detection:
    """Find corners that are torn off, on a white or black ground.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1]. A scan cut to the photo's size.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like one).
    region : bool (H, W) or box (top, left, bottom, right) to look in; None is everywhere.

    Returns
    -------
    Compact, uniform, white or black pieces that hold a corner of the picture and end in a sharp step.

    Raises
    ------
    ImageError, OptionError, MaskError : see `lacuna.detect.detection.detect`.
    """
    return detect(_find, image, sensitivity=sensitivity, region=region, margin=None)


def _find(image: FloatImage, sensitivity: float) -> Detection:
    height, width = image.shape[:2]
    mask: Hole = np.zeros((height, width), dtype=np.bool_)
    reach = int(LONGEST * min(height, width))
    count = 0
    if reach >= 8:
        for flips in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            part = np.ascontiguousarray(image[:: flips[0], :: flips[1]][: reach + 1, : reach + 1])
            found = _corner(part, sensitivity)
            if found is not None:
                mask[:: flips[0], :: flips[1]][: reach + 1, : reach + 1] |= found
                count += 1
    notes = (f"torn corners: {count}",) if count else ()
    return Detection(mask, mask.astype(np.float32), notes)


def _corner(part: FloatImage, sensitivity: float) -> Hole | None:
    """Return the torn-off piece at the upper left of a square part, with its rim; None if there is none."""
    import cv2

    block = part[:5, :5]
    colour = np.median(block.reshape(-1, part.shape[2]), axis=0)
    if not (colour.min() >= WHITE or colour.max() <= BLACK):
        return None
    tolerance = between(sensitivity, *TOLERANCE)
    alike = np.abs(part - colour).max(axis=2) <= tolerance
    if alike[:5, :5].mean() < 0.9:
        return None
    labels = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)[1]
    ground: Hole = labels == labels[:5, :5][alike[:5, :5]][0]
    rows, columns = int(ground.any(axis=1).sum()), int(ground.any(axis=0).sum())
    side = len(part)
    least = SHORTEST / LONGEST * side
    if ground[-1].any() or ground[:, -1].any() or min(rows, columns) < least:
        return None
    outline = cv2.findNonZero(ground.astype(np.uint8))
    solid = float(ground.sum()) / max(cv2.contourArea(cv2.convexHull(outline)), 1)
    if not TRIANGLE[0] <= float(ground.sum()) / (rows * columns) <= TRIANGLE[1]:
        return None
    if solid < between(sensitivity, *SOLID) or not _steps(part, ground, colour, sensitivity):
        return None
    away = cv2.distanceTransform((~ground).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    torn: Hole = away <= RIM
    return torn


def _steps(part: FloatImage, ground: Hole, colour: FloatImage, sensitivity: float) -> bool:
    """Return whether the photo begins with a step nearly all along the tear."""
    import cv2

    away = cv2.distanceTransform((~ground).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    beside = (away > 2) & (away <= 6)
    step = np.abs(part - colour).max(axis=2)
    return (
        bool((step[beside] >= between(sensitivity, *EDGE)).mean() >= _EDGE_SHARE) if beside.any() else False
    )
