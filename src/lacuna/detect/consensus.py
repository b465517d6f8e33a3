"""What many pictures agree on: gradients that stay when the scene changes, and the surface behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.types import Hole, OnStep

SIGNS = 2.3
"""Standard errors by which one direction of a gradient has to outnumber the other."""

AGREE = ((4, 0.35), (7, 0.5), (15, 1.0))
"""Up to so many pictures, the median deviation of a gradient may be at most so many times its median: a few
pictures have the same sign by chance all too often."""

EDGE = 2.5
"""Grey levels of a gradient that is an edge of an overlay for sure."""

REACH = 6
"""Pixels around such edges that belong to the overlay's neighbourhood."""

_TOLERANCE = 0.05

Gradients = tuple[NDArray[np.float32], NDArray[np.float32]]


STILL = 3.0
"""Grey levels that an opaque overlay may vary by (the median deviation, in every channel)."""


def still_pixels(stack: NDArray[np.uint8]) -> Hole:
    """Return where more than half of N pictures have the same colour: bool (H, W).

    Black and white do not count: nights are black and skies burn out in many pictures alike.

    Parameters
    ----------
    stack : (N, H, W, C) uint8.
    """
    values = stack.astype(np.int16)
    usual = np.median(values, axis=0).astype(np.int16)
    deviation = np.median(np.abs(values - usual), axis=0)
    coloured = (usual.max(axis=-1) > 5) & (usual.min(axis=-1) < 250)
    return np.asarray((deviation.max(axis=-1) <= STILL) & coloured)


def agreed_gradients(stack: NDArray[np.uint8]) -> Gradients:
    """Return the median of the gradients of N pictures, and 0 where they do not agree on its sign.

    Parameters
    ----------
    stack : (N, H, W, C) uint8.

    Returns
    -------
    (H, W - 1, C) and (H - 1, W, C), grey levels from a pixel to the next one, to the right and down.
    """
    across, down = (_agreed(stack, axis) for axis in (2, 1))
    return across, down


def _agreed(stack: NDArray[np.uint8], axis: int) -> NDArray[np.float32]:
    count = len(stack)
    change = np.diff(stack.astype(np.int16), axis=axis)
    middle = np.median(change, axis=0).astype(np.float32)
    rising, falling = (np.count_nonzero(side, axis=0) for side in (change > 0, change < 0))
    surplus = (rising - falling) / np.sqrt(np.maximum(rising + falling, 1))
    sure = np.sqrt(np.mean(np.square(surplus), axis=-1)) >= min(SIGNS, 0.95 * np.sqrt(count))
    most = next((share for number, share in AGREE if count <= number), None)
    if most is not None:
        deviation = np.median(np.abs(change - middle.astype(np.int16)), axis=0)
        sure &= deviation.max(axis=-1) <= most * np.abs(middle).max(axis=-1)
    return np.where(sure[..., None], middle, np.float32(0))


def strength(
    gradients: Gradients, still: Hole, on_step: OnStep | None = None
) -> tuple[NDArray[np.float32], float]:
    """Return how much an overlay changes each pixel, and how much is noise.

    A first surface over the whole picture shows roughly where the overlay is. What lies far from its edges
    and is not raised is then held at 0, so that no error of an edge spreads, and it is found anew.

    Parameters
    ----------
    gradients, still : see `agreed_gradients` and `still_pixels`.

    Returns
    -------
    (H, W), grey levels, 0 or more, and the spread of what is no overlay, grey levels.
    """
    import cv2

    from lacuna.progress import scaled

    right = _divergence(gradients)
    inner = np.zeros(right.shape[:2], np.bool_)
    inner[1:-1, 1:-1] = True
    first = _surface(right, inner, scaled(on_step, 0.0, 0.6))
    rough = np.abs(first - np.median(first, axis=(0, 1))).max(axis=-1)
    noise = 1.4826 * float(np.median(rough)) + 0.3
    edges = _edges(gradients).astype(np.float32)
    dense = (cv2.boxFilter(edges, -1, (5, 5)) > 0.3).astype(np.uint8)
    side = 2 * REACH + 1
    near = cv2.dilate(dense, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))) > 0
    free = near | still | (rough > max(7.0, 6 * noise))
    free &= inner if free.all() else True
    second = _surface(right, free, scaled(on_step, 0.6, 1.0))
    return np.abs(second).max(axis=-1), noise


def _divergence(gradients: Gradients) -> NDArray[np.float32]:
    """Return, for each pixel, the sum over its neighbours of its value minus the neighbour's."""
    across, down = gradients
    right = np.zeros((across.shape[0], down.shape[1], across.shape[2]), np.float32)
    right[:, :-1] -= across
    right[:, 1:] += across
    right[:-1] -= down
    right[1:] += down
    return right


def _surface(right: NDArray[np.float32], free: Hole, on_step: OnStep | None) -> NDArray[np.float32]:
    from lacuna.multigrid.poisson import solve_poisson

    out = np.zeros_like(right)
    if free.any():
        out[free] = solve_poisson(right[free], free, tolerance=_TOLERANCE, on_step=on_step)
    return out


def _edges(gradients: Gradients) -> NDArray[Any]:
    """Return where a gradient begins or ends that is an edge of an overlay for sure: bool (H, W)."""
    across, down = np.abs(gradients[0]).max(axis=-1) >= EDGE, np.abs(gradients[1]).max(axis=-1) >= EDGE
    edges = np.zeros((across.shape[0], down.shape[1]), np.bool_)
    edges[:, :-1] |= across
    edges[:, 1:] |= across
    edges[:-1] |= down
    edges[1:] |= down
    return edges
