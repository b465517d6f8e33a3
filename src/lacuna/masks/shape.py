"""What happens to a hole whatever it came from: grow it, close it."""

from __future__ import annotations

import numpy as np

from lacuna.types import Hole


def dilated(hole: Hole, radius: int) -> Hole:
    """Return every pixel within a distance of a missing one (Euclidean disc).

    Parameters
    ----------
    hole : (H, W). True is missing.
    radius : pixels, 0 or more.
    """
    if radius == 0 or not hole.any():
        return hole
    import cv2

    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    top, left = max(rows[0] - radius, 0), max(columns[0] - radius, 0)
    near = (slice(top, rows[-1] + radius + 1), slice(left, columns[-1] + radius + 1))
    away = cv2.distanceTransform((~hole[near]).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    out = hole.copy()
    # Squared distances are whole numbers; half of one absorbs the rounding of the root.
    out[near] = np.square(away) <= radius * radius + 0.5
    return out


def filled(hole: Hole) -> Hole:
    """Return the hole and all known parts that it surrounds.

    Parameters
    ----------
    hole : (H, W). True is missing. A known part that touches the picture's edge is not surrounded; missing
        pixels that meet at a corner only do not let it out.

    Examples
    --------
    >>> ring = np.ones((3, 4), dtype=bool)
    >>> ring[1, 1:3] = False
    >>> bool(filled(ring).all())
    True
    """
    import cv2

    count, labels = cv2.connectedComponents((~hole).astype(np.uint8), connectivity=4)
    open_ = np.zeros(count, dtype=np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        open_[edge] = True
    open_[0] = False
    out: Hole = ~open_[labels]
    return out
