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
    first = max((low + _HALF - 1) >> 8, 0)  # the least column with 256 * column + 128 >= low
    last = min((high - _HALF) >> 8, out.shape[1] - 1)
    new = 0
    for column in range(first, last + 1):  # two plain loops: both become vector instructions
        new += not out[row, column]
    for column in range(first, last + 1):
        out[row, column] = True
    return new


@jit
def _rows(out: Array, low: Number, high: Number) -> Number:
    """Return the rows whose centres lie in low … high: first, and one after the last."""
    return max((low + _HALF - 1) >> 8, 0), min((high - _HALF) >> 8, out.shape[0] - 1) + 1


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
    square = dx * dx + dy * dy
    # In 1/256 of a unit where it fits: a whole number would be far off for a segment of two or three units.
    fine = UNIT if square < 2**44 else 1
    length = max(_root(square * fine * fine), 1)
    across, down = -dy * radius * fine // length, dx * radius * fine // length
    first, last = _rows(out, min(y0, y1) - radius, max(y0, y1) + radius)
    bounds = np.empty(2, dtype=np.int64)
    corners = np.empty((4, 2), dtype=np.int64)
    for i in range(4):
        side = -1 if i in (1, 2) else 1
        corners[i, 0] = (x0 if i < 2 else x1) + side * across
        corners[i, 1] = (y0 if i < 2 else y1) + side * down
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
        for i in range(4):
            j = (i + 1) & 3
            _cross(bounds, yc, corners[i, 0], corners[i, 1], corners[j, 0], corners[j, 1])
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
    top = max((y0 + _HALF - 1) >> 8, first)
    bottom = min((y1 + _HALF - 1) >> 8, first + turns.shape[0])
    for row in range(top, bottom):
        at = x0 - ((y0 - row * UNIT - _HALF) * (x1 - x0)) // (y1 - y0)  # rounded up
        column = min(max((at + _HALF - 1) >> 8, 0), turns.shape[1] - 1)
        turns[row - first, column] += sign


# Random masks. `draws` is (N,) uint64 from a PCG64, `cursor` (1,) the number of those that are used up; a
# kernel that needs more than there are says so by going beyond the end. Angles are in 1/1024 of a turn.

TURN = 1024
_WHOLE = TURN - 1
COSINE = np.rint(np.cos(2 * np.pi * np.arange(TURN) / TURN) * 16384).astype(np.int64)
"""Cosines in 1/16384: rounded once, so that no machine's last digit matters."""

WALK, BRUSH, FREE, BOXES, BLOB = range(5)
"""Kinds of elements that `scatter` paints."""


@jit
def _below(draws: Array, cursor: Array, n: Number) -> Number:
    """Return a random whole number from 0 to n − 1; n is at most 2³¹."""
    high = np.int64(draws[min(cursor[0], len(draws) - 1)] >> np.uint64(33))
    cursor[0] += 1
    return (high * n) >> 31


@jit
def _between(draws: Array, cursor: Array, low: Number, high: Number) -> Number:
    """Return a random whole number from low to high, both included."""
    return low + _below(draws, cursor, max(high - low + 1, 1))


@jit
def _onward(x: Number, y: Number, angle: Number, length: Number) -> Any:
    """Return the point at a length from (x, y)."""
    return x + (length * COSINE[angle & _WHOLE] >> 14), y + (
        length * COSINE[(angle - TURN // 4) & _WHOLE] >> 14
    )


@jit
def _note(lines: Array, i: Number, x0: Number, y0: Number, x1: Number, y1: Number, radius: Number) -> None:
    lines[i, 0], lines[i, 1], lines[i, 2], lines[i, 3], lines[i, 4] = x0, y0, x1, y1, radius


@jit
def _walk(
    lines: Array, size: Array, draws: Array, cursor: Array, unit: Number, thin: Number, thick: Number
) -> Number:
    """Note a random walk of one width, which may begin outside and leave: what a crop would show."""
    height, width = size
    x = _between(draws, cursor, -width // 8, width * 9 // 8)
    y = _between(draws, cursor, -height // 8, height * 9 // 8)
    radius = _between(draws, cursor, thin * unit, thick * unit) // 2
    angle = _below(draws, cursor, TURN)
    count = _between(draws, cursor, 3, 28)
    for i in range(count):
        angle += _between(draws, cursor, -TURN // 9, TURN // 9)
        if _below(draws, cursor, 8) == 0:
            angle += _between(draws, cursor, -TURN // 3, TURN // 3)
        end = _onward(x, y, angle, _between(draws, cursor, 6 * unit, 30 * unit))
        _note(lines, i, x, y, end[0], end[1], radius)
        x, y = end
    return count


@jit
def _brush(
    lines: Array, size: Array, draws: Array, cursor: Array, unit: Number, thin: Number, thick: Number
) -> Number:
    """Note a zigzag of one width with round corners (DeepFill v2)."""
    height, width = size
    reach = _root(height * height + width * width) // 8
    x, y = _below(draws, cursor, width), _below(draws, cursor, height)
    radius = _between(draws, cursor, thin * unit, thick * unit) // 2
    # 2π/5 give or take 2π/15, every other one mirrored.
    least = TURN // 5 - _below(draws, cursor, TURN // 15)
    most = TURN // 5 + _below(draws, cursor, TURN // 15)
    count = _between(draws, cursor, 4, 12)
    for i in range(count):
        angle = _between(draws, cursor, least, most)
        length = 0
        for _ in range(4):  # four uniforms add up to nearly a normal: mean one reach, half of it deviation
            length += _below(draws, cursor, reach * 2) * 7 // 8
        length = min(max(length // 2 - reach * 3 // 4, 0), 2 * reach)
        end = _onward(x, y, -angle if i % 2 == 0 else angle, length)
        end = min(max(end[0], 0), width), min(max(end[1], 0), height)
        _note(lines, i, x, y, end[0], end[1], radius)
        x, y = end
    return count


@jit
def _free(
    lines: Array,
    size: Array,
    draws: Array,
    cursor: Array,
    unit: Number,
    number: Number,
    longest: Number,
    thick: Number,
) -> Number:
    """Note a chain of up to five lines, each of its own width (LaMa)."""
    height, width = size
    x, y = _below(draws, cursor, width), _below(draws, cursor, height)
    count = _between(draws, cursor, 1, 5)
    for i in range(count):
        angle = _below(draws, cursor, TURN * 7 // 11)  # up to 4 radians
        length = _between(draws, cursor, 10 * unit, longest * unit)
        radius = _between(draws, cursor, 5 * unit, thick * unit) // 2
        end = _onward(x, y, -angle if number % 2 == 0 else angle, length)
        end = min(max(end[0], 0), width), min(max(end[1], 0), height)
        _note(lines, i, x, y, end[0], end[1], radius)
        x, y = end
    return count


@jit
def _box(out: Array, draws: Array, cursor: Array, unit: Number, least: Number, most: Number) -> Number:
    """Paint a rectangle that lies inside."""
    height, width = out.shape[0] * UNIT, out.shape[1] * UNIT
    w = min(_between(draws, cursor, least * unit, most * unit), width)
    h = min(_between(draws, cursor, least * unit, most * unit), height)
    x, y = _between(draws, cursor, 0, width - w), _between(draws, cursor, 0, height - h)
    return box(out, x, y, x + w, y + h)


@jit
def _blob(out: Array, draws: Array, cursor: Array, unit: Number, least: Number, most: Number) -> Number:
    """Paint the inside of a smooth closed curve: an ellipse with four waves around it, turned."""
    height, width = out.shape[0] * UNIT, out.shape[1] * UNIT
    x, y = _below(draws, cursor, width), _below(draws, cursor, height)
    radius = _between(draws, cursor, least * unit, most * unit) // 2
    narrow = _between(draws, cursor, 40, 100)
    turn = _below(draws, cursor, TURN)
    swing, phase = np.empty(4, dtype=np.int64), np.empty(4, dtype=np.int64)
    for k in range(4):
        swing[k] = _below(draws, cursor, 3000 // (k + 1))
        phase[k] = _below(draws, cursor, TURN)
    points = np.empty((64, 2), dtype=np.int64)
    for i in range(64):
        angle = i * TURN // 64
        wave = np.int64(16384)
        for k in range(4):
            wave += swing[k] * COSINE[((k + 2) * angle + phase[k]) & _WHOLE] >> 14
        reach = radius * wave >> 14
        along = _onward(0, 0, angle, reach)
        first = _onward(x, y, turn, along[0])
        points[i, 0], points[i, 1] = _onward(first[0], first[1], turn + TURN // 4, along[1] * narrow // 100)
    return polygon(out, points, np.array([0, 64]), False)


@jit
def element(
    out: Array, draws: Array, cursor: Array, kind: Number, number: Number, unit: Number, sizes: Array
) -> Number:
    """Paint one element of a kind and return how many pixels are new.

    Parameters
    ----------
    number : how many were painted before.
    unit : what a pixel of a 512-pixel picture is here, in units.
    sizes : (2,), what the kind makes of it: thinnest and thickest, longest and thickest, least and most.
    """
    if kind == BOXES:
        return _box(out, draws, cursor, unit, sizes[0], sizes[1])
    if kind == BLOB:
        return _blob(out, draws, cursor, unit, sizes[0], sizes[1])
    lines = np.empty((28, 5), dtype=np.int64)
    size = np.array([out.shape[0] * UNIT, out.shape[1] * UNIT])
    # Lines are noted first and painted in one place: the compiler copies `line` to wherever it is called.
    if kind == WALK:
        count = _walk(lines, size, draws, cursor, unit, sizes[0], sizes[1])
    elif kind == BRUSH:
        count = _brush(lines, size, draws, cursor, unit, sizes[0], sizes[1])
    else:
        count = _free(lines, size, draws, cursor, unit, number, sizes[0], sizes[1])
    new = 0
    for i in range(count):
        new += line(out, lines[i, 0], lines[i, 1], lines[i, 2], lines[i, 3], lines[i, 4])
    return new


@jit
def scatter(
    out: Array, draws: Array, kind: Number, unit: Number, sizes: Array, count: Array, area: Array
) -> Number:
    """Paint elements: a random number of them, or until enough is missing.

    Parameters
    ----------
    count : (2,), least and most elements where no area is wanted.
    area : (2,), (low, high]: so many pixels are to be missing; a low of −1 asks for none. An element that
        would be too much is taken back, and the next ones are smaller.

    Returns
    -------
    The missing pixels, or −1 if it did not come about.
    """
    cursor = np.zeros(1, dtype=np.int64)
    low, high = area
    wanted = _between(draws, cursor, count[0], count[1])
    target = low + 1 + _below(draws, cursor, max((high - low) * 15 // 16, 1))
    if low < 0:
        target, high = np.int64(out.size + 1), np.int64(out.size)
    else:
        wanted = len(draws)
    missing, number, refused = 0, 0, 0
    before = out.copy()
    while missing < target and number < wanted:
        new = element(out, draws, cursor, kind, number, unit, sizes)
        if cursor[0] > len(draws):
            return -1
        number += 1
        if missing + new <= high:
            missing += new
            if low >= 0 and new:
                before[:] = out
            continue
        out[:] = before
        refused += 1
        unit = max(unit * 7 // 8, 8)
        if refused > 24 and missing > low:
            break
    return missing if low < missing <= high else -1
