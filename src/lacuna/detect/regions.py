"""Extremal regions: patches that are brighter, or darker, than all that surrounds them, and their measures.

OpenCV finds them in each colour channel; the kernel here measures thousands of them in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.jit import jit

Array = Any  # numpy arrays outside, numba's inside; shapes are in the docstrings

SMALLEST = 5
"""Pixels of the smallest region."""

_DELTA, _VARIATION = 10, 4.0
_COLUMNS = 18


@dataclass(frozen=True, eq=False)
class Regions:
    """Measures of N regions; a row each.

    Parameters
    ----------
    box : (N, 4) int32: top, left, bottom, right, half open.
    area : (N,) pixels.
    colour, spread : (N, 3). Mean and standard deviation of the region's inner pixels, grey levels of 255.
    around, unrest : (N, 3). The same of the pixels two steps outside.
    width : (N,). Mean width of the strokes, pixels.
    points : N arrays (area, 2) of x, y.
    """

    box: NDArray[np.int32]
    area: NDArray[np.float32]
    colour: NDArray[np.float32]
    spread: NDArray[np.float32]
    around: NDArray[np.float32]
    unrest: NDArray[np.float32]
    width: NDArray[np.float32]
    points: list[NDArray[np.int32]]

    def __len__(self) -> int:
        return len(self.area)

    @property
    def height(self) -> NDArray[np.int32]:
        """(N,) rows of the box."""
        return self.box[:, 2] - self.box[:, 0]

    @property
    def breadth(self) -> NDArray[np.int32]:
        """(N,) columns of the box."""
        return self.box[:, 3] - self.box[:, 1]

    def take(self, which: NDArray[Any]) -> Regions:
        """Return some of them, by index or by truth."""
        index = np.flatnonzero(which) if which.dtype == np.bool_ else which
        arrays = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "points"}
        return Regions(**arrays, points=[self.points[i] for i in index])


def find_regions(pixels: NDArray[np.uint8], largest: int) -> Regions:
    """Return the extremal regions of every channel, bright and dark, nested ones included.

    Parameters
    ----------
    pixels : (H, W, C).
    largest : pixels of the largest region wanted.

    References
    ----------
    .. [1] Matas, Chum, Urban & Pajdla, Robust Wide Baseline Stereo from Maximally Stable Extremal Regions,
       BMVC 2002.
    """
    import cv2

    finder = cv2.MSER.create(
        delta=_DELTA, min_area=SMALLEST, max_area=largest, max_variation=_VARIATION, min_diversity=0.0
    )
    points: list[NDArray[np.int32]] = []
    for channel in range(pixels.shape[2]):
        found: Any = finder.detectRegions(np.ascontiguousarray(pixels[..., channel]))[0]
        points.extend(found)
    colours = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    starts = np.cumsum([0, *map(len, points)])
    flat = np.concatenate(points) if points else np.zeros((0, 2), np.int32)
    table = np.zeros((len(points), _COLUMNS), np.float32)
    measure(colours, flat, starts, table)
    return Regions(
        box=table[:, :4].astype(np.int32),
        area=table[:, 4],
        colour=table[:, 5:8],
        spread=table[:, 8:11],
        around=table[:, 11:14],
        unrest=table[:, 14:17],
        width=table[:, 17],
        points=points,
    )


@jit
def measure(pixels: Array, points: Array, starts: Array, table: Array) -> None:
    """Fill a row of measures for each region; the columns are those that `find_regions` reads.

    Parameters
    ----------
    pixels : (H, W, 3) uint8.
    points : (M, 2) int32, x and y of all regions, one after the other.
    starts : (N + 1,) int64, where each begins.
    table : (N, 18) float32, written to.
    """
    mark = np.zeros(pixels.shape[:2], np.int32)
    inside, outside = np.zeros(6), np.zeros(6)
    for n in range(len(starts) - 1):
        region, row = points[starts[n] : starts[n + 1]], table[n]
        row[0], row[1] = pixels.shape[:2]
        for i in range(len(region)):
            x, y = region[i]
            mark[y, x] = n + 1
            row[0], row[1] = min(row[0], y), min(row[1], x)
            row[2], row[3] = max(row[2], y + 1), max(row[3], x + 1)
        inside[:], outside[:] = 0, 0
        inner = outer = edges = 0
        for i in range(len(region)):
            free, beyond = _look_around(pixels, mark, region[i], outside)
            edges, outer = edges + free, outer + beyond
            if free == 0:
                inner += 1
                _add(pixels[region[i, 1], region[i, 0]], inside)
        if inner < 4:  # strokes of a pixel or two have no inside: all of them counts
            inner, inside[:] = len(region), 0
            for i in range(inner):
                _add(pixels[region[i, 1], region[i, 0]], inside)
        row[4], row[17] = len(region), 2.0 * len(region) / max(1, edges)
        _describe(inside, inner, row[5:11])
        row[11:14] = row[5:8]
        if outer:
            _describe(outside, outer, row[11:17])


@jit
def _look_around(pixels: Array, mark: Array, point: Array, sums: Array) -> tuple[int, int]:
    """Return how many sides of a pixel are free, and add what lies a step beyond to the sums, so many."""
    height, width = mark.shape
    x, y = point
    free = beyond = 0
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        v, u = y + dy, x + dx
        if 0 <= v < height and 0 <= u < width and mark[v, u] == mark[y, x]:
            continue
        free += 1
        v, u = v + dy, u + dx
        if 0 <= v < height and 0 <= u < width and mark[v, u] != mark[y, x]:
            beyond += 1
            _add(pixels[v, u], sums)
    return free, beyond


@jit
def _add(colour: Array, sums: Array) -> None:
    """Add a pixel's values and their squares."""
    for c in range(3):
        value = float(colour[c])
        sums[c] += value
        sums[3 + c] += value * value


@jit
def _describe(sums: Array, count: int, row: Array) -> None:
    """Write mean and standard deviation of what was added."""
    for c in range(3):
        mean = sums[c] / count
        row[c] = mean
        row[3 + c] = np.sqrt(max(0.0, sums[3 + c] / count - mean * mean))


@jit
def keep_best(box: Array, order: Array, overlap: float) -> Array:
    """Return which regions no better one overlaps: (N,) bool.

    Parameters
    ----------
    box : (N, 4) int32.
    order : (N,) int64, the best first.
    overlap : share of the union of two boxes from which on they are the same thing.
    """
    kept = np.zeros(len(order), np.int64)
    number = 0
    out = np.zeros(len(order), np.bool_)
    for i in order:
        area = (box[i, 2] - box[i, 0]) * (box[i, 3] - box[i, 1])
        free = True
        for k in range(number):
            j = kept[k]
            high = min(box[i, 2], box[j, 2]) - max(box[i, 0], box[j, 0])
            broad = min(box[i, 3], box[j, 3]) - max(box[i, 1], box[j, 1])
            if high > 0 and broad > 0:
                both = high * broad
                other = (box[j, 2] - box[j, 0]) * (box[j, 3] - box[j, 1])
                if both > overlap * (area + other - both):
                    free = False
                    break
        if free:
            kept[number] = i
            number += 1
            out[i] = True
    return out


@jit
def link(box: Array, colour: Array, width: Array, limits: Array) -> Array:
    """Return the number of the line that each letter belongs to: (N,) int64.

    Parameters
    ----------
    box : (N, 4) int32. colour : (N, 3) float32. width : (N,) float32.
    limits : (4,) most that heights may differ (factor), gap (heights), colour (grey levels), stroke width
        (factor).
    """
    count = len(width)
    parent = np.arange(count)
    for i in range(count):
        for j in range(i + 1, count):
            a, b = (i, j) if box[i, 1] <= box[j, 1] else (j, i)
            tall, low = box[a, 2] - box[a, 0], box[b, 2] - box[b, 0]
            large, small = max(tall, low), min(tall, low)
            gap = box[b, 1] - box[a, 3]
            if gap > limits[1] * large or gap < -0.3 * large or large > limits[0] * small:
                continue
            shared = min(box[a, 2], box[b, 2]) - max(box[a, 0], box[b, 0])
            if shared < 0.6 * small:
                continue
            if max(width[a], width[b]) > limits[3] * min(width[a], width[b]):
                continue
            apart = max(
                abs(colour[a, 0] - colour[b, 0]),
                abs(colour[a, 1] - colour[b, 1]),
                abs(colour[a, 2] - colour[b, 2]),
            )
            if apart > limits[2]:
                continue
            one, two = _root(parent, a), _root(parent, b)
            if one != two:
                parent[max(one, two)] = min(one, two)
    for i in range(count):
        parent[i] = _root(parent, i)
    return parent


@jit
def _root(parent: Array, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
