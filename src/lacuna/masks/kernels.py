"""The rasteriser: polygons, ellipses and thick lines in whole numbers, so that every machine paints the same.

Conventions shared by all kernels here. Coordinates are integers in units of 1/256 pixel; pixel (row, column)
is painted if its centre, at 256 * index + 128, lies inside. `out` is a bool (H, W) array that is painted
into, and every painting kernel returns how many pixels it turned from False to True.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lacuna.jit import jit

Array = Any  # numpy arrays outside, numba's inside; shapes are in the docstrings
Number = Any

UNIT = 256
"""Units in a pixel."""
_HALF = 128


@jit
def _root(n: Number) -> Number:
    """Return the whole part of a square root, exact where the float is not."""
    root = np.int64(math.sqrt(np.float64(n)))
    while root * root > n:
        root -= 1
    while (root + 1) * (root + 1) <= n:
        root += 1
    return root


@jit
def _span(out: Array, row: Number, low: Number, high: Number) -> Number:
    """Paint the pixels of a row whose centres lie in low … high, both included."""
    first = max(-((_HALF - low) // UNIT), 0)  # the least column with 256 * column + 128 >= low
    last = min((high - _HALF) // UNIT, out.shape[1] - 1)
    new = 0
    for column in range(first, last + 1):
        if not out[row, column]:
            out[row, column] = True
            new += 1
    return new


@jit
def _rows(out: Array, low: Number, high: Number) -> Number:
    """Return the rows whose centres lie in low … high: first, and one after the last."""
    return max(-((_HALF - low) // UNIT), 0), min((high - _HALF) // UNIT, out.shape[0] - 1) + 1


@jit
def box(out: Array, x0: Number, y0: Number, x1: Number, y1: Number) -> Number:
    """Paint a rectangle; its left and upper edges belong to it, the others do not."""
    first, last = _rows(out, y0, y1 - 1)
    new = 0
    for row in range(first, last):
        new += _span(out, row, x0, x1 - 1)
    return new


@jit
def ellipse(out: Array, x: Number, y: Number, a: Number, b: Number) -> Number:
    """Paint an ellipse with half axes a (across) and b (down), at least 1 each."""
    first, last = _rows(out, y - b, y + b)
    new = 0
    for row in range(first, last):
        dy = row * UNIT + _HALF - y
        half = _root(b * b - dy * dy) * a // b
        new += _span(out, row, x - half, x + half)
    return new


@jit
def _cross(bounds: Array, yc: Number, x0: Number, y0: Number, x1: Number, y1: Number) -> None:
    """Widen (low, high) to where a segment meets the line y = yc, if it does."""
    if (y0 < yc and y1 < yc) or (y0 > yc and y1 > yc):
        return
    if y0 == y1:
        bounds[0] = min(bounds[0], x0, x1)
        bounds[1] = max(bounds[1], x0, x1)
        return
    at = x0 + (yc - y0) * (x1 - x0) // (y1 - y0)
    bounds[0] = min(bounds[0], at)
    bounds[1] = max(bounds[1], at)


@jit
def line(out: Array, x0: Number, y0: Number, x1: Number, y1: Number, radius: Number) -> Number:
    """Paint a line with round ends: all within a radius of the segment."""
    dx, dy = x1 - x0, y1 - y0
    length = max(_root(dx * dx + dy * dy), 1)
    across, down = -dy * radius // length, dx * radius // length
    first, last = _rows(out, min(y0, y1) - radius, max(y0, y1) + radius)
    bounds = np.empty(2, dtype=np.int64)
    new = 0
    for row in range(first, last):
        yc = row * UNIT + _HALF
        bounds[0], bounds[1] = 2**62, -(2**62)
        for end in range(2):
            x, y = (x0, y0) if end == 0 else (x1, y1)
            rest = radius * radius - (yc - y) * (yc - y)
            if rest >= 0:
                half = _root(rest)
                bounds[0] = min(bounds[0], x - half)
                bounds[1] = max(bounds[1], x + half)
        _cross(bounds, yc, x0 + across, y0 + down, x1 + across, y1 + down)
        _cross(bounds, yc, x0 - across, y0 - down, x1 - across, y1 - down)
        _cross(bounds, yc, x0 + across, y0 + down, x0 - across, y0 - down)
        _cross(bounds, yc, x1 + across, y1 + down, x1 - across, y1 - down)
        if bounds[0] <= bounds[1]:
            new += _span(out, row, bounds[0], bounds[1])
    return new


@jit
def polyline(out: Array, points: Array, radius: Number) -> Number:
    """Paint a chain of lines through points (N, 2), x first; one point is a dot."""
    new = 0
    for i in range(max(len(points) - 1, 1)):
        x0, y0 = points[i]
        x1, y1 = points[min(i + 1, len(points) - 1)]
        new += line(out, x0, y0, x1, y1, radius)
    return new


@jit
def polygon(out: Array, points: Array, starts: Array, evenodd: bool) -> Number:
    """Paint closed rings.

    Parameters
    ----------
    points : (N, 2), x first, all rings one after the other.
    starts : (R + 1,), where each ring begins in points; the last entry is N.
    evenodd : paint what an odd number of rings surrounds, else what they wind around (SVG's fill rules).
    """
    width = out.shape[1]
    low, high = points[:, 1].min(), points[:, 1].max()
    first, last = _rows(out, low, high)
    if last <= first:
        return 0
    turns = np.zeros((last - first, width + 1), dtype=np.int32)
    for ring in range(len(starts) - 1):
        for i in range(starts[ring], starts[ring + 1]):
            j = i + 1 if i + 1 < starts[ring + 1] else starts[ring]
            _edge(turns, first, points[i, 0], points[i, 1], points[j, 0], points[j, 1])
    new = 0
    for row in range(last - first):
        wound = 0
        for column in range(width):
            wound += turns[row, column]
            inside = wound % 2 != 0 if evenodd else wound != 0
            if inside and not out[first + row, column]:
                out[first + row, column] = True
                new += 1
    return new


@jit
def _edge(turns: Array, first: Number, x0: Number, y0: Number, x1: Number, y1: Number) -> None:
    """Note in which column each row crosses an edge, +1 downwards and −1 upwards."""
    if y0 == y1:
        return
    sign = 1
    if y0 > y1:
        x0, y0, x1, y1, sign = x1, y1, x0, y0, -1
    # Rows whose centre lies in y0 … y1, the lower end excluded: a corner is counted once.
    top = max(-((_HALF - y0) // UNIT), first)
    bottom = min(-((_HALF - y1) // UNIT), first + turns.shape[0])
    for row in range(top, bottom):
        at = x0 - ((y0 - row * UNIT - _HALF) * (x1 - x0)) // (y1 - y0)  # rounded up
        column = min(max(-((_HALF - at) // UNIT), 0), turns.shape[1] - 1)
        turns[row - first, column] += sign
