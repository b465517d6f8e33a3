"""From a map of likelihoods to pieces: sure somewhere, likely everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.types import Hole


def connected_above(values: NDArray[np.float32], low: float, high: float, *, least: int = 1) -> Hole:
    """Return the connected pieces above ``low`` that reach ``high`` somewhere (Canny's hysteresis [1]_).

    Parameters
    ----------
    values : (H, W).
    low, high : both count as reached.
    least : pieces of fewer pixels are dropped; pixels that meet at a corner are connected.

    References
    ----------
    .. [1] Canny, A Computational Approach to Edge Detection, 1986, section VII.

    Examples
    --------
    >>> connected_above(np.float32([[0.4, 0.9, 0.1, 0.4, 0.5]]), 0.4, 0.8).astype(int).tolist()
    [[1, 1, 0, 0, 0]]
    """
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (values >= low).astype(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    keep = np.zeros(count, dtype=np.bool_)
    keep[labels[values >= high]] = True
    keep &= stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    found: Hole = keep[labels]
    return found
