"""A picture turned or seen from elsewhere: Lanczos resampling in the picture's own depth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.image.container import Pixels, has_alpha
from lacuna.image.depth import full_scale
from lacuna.jit import jit, row_bands, run_bands
from lacuna.progress import report
from lacuna.types import Hole, OnStep

Homography = NDArray[np.float64]
"""``(3, 3)``: a point (x, y, 1) of the new picture to one of the old; pixel centres are whole numbers."""

_ROWS, _TURN = 32, 16  # rows of a band, and bands between two looks at the clock
_Array = Any  # numpy arrays outside, numba's inside; shapes are in the docstrings


def warp(
    pixels: Pixels, inverse: Homography, shape: tuple[int, int], *, on_step: OnStep | None = None
) -> tuple[Pixels, Hole]:
    """Return the picture on a new canvas, and where that has nothing of it.

    Parameters
    ----------
    pixels : (H, W[, C]), native, alpha included.
    inverse : from the new picture to the old one.
    shape : (H, W) of the new canvas.

    Returns
    -------
    pixels : new, of the same type. Colours weigh as much as they are opaque; alpha beyond the picture is that
        of its nearest edge.
    empty : (H, W). True where the old picture does not reach.

    Notes
    -----
    Six taps a side in floating point with exact positions. OpenCV's `warpPerspective` rounds positions to
    1/32 of a pixel, which shows as steps in 16-bit gradients.
    """
    wide = np.float64 if pixels.dtype.itemsize > 2 else np.float32
    source: _Array = np.atleast_3d(pixels).astype(wide)
    opaque = full_scale(pixels.dtype)
    if has_alpha(pixels):
        source[..., :-1] *= source[..., -1:] / opaque
    out = np.empty((*shape, source.shape[2]), dtype=wide)
    empty = np.empty(shape, dtype=np.bool_)
    bands = row_bands(shape[0], _ROWS)
    for start in range(0, len(bands), _TURN):
        report(on_step, start / len(bands), "turning")
        run_bands(_warp_rows, bands[start : start + _TURN], source, inverse, _table(), out, empty)
    if has_alpha(pixels):
        _unmultiply(out, opaque)
    return _native(out, pixels), empty


def _unmultiply(out: _Array, opaque: float) -> None:
    """Divide colours by alpha, in place.

    Alpha overshoots beside an edge, and so do colours multiplied by it: cut it only after the division, or
    a bright fringe is left.
    """
    share = out[..., -1:] / opaque
    visible = share > 1e-3
    out[..., :-1] = np.where(visible, out[..., :-1] / np.where(visible, share, 1), 0)
    np.clip(out[..., -1], 0, opaque, out=out[..., -1])


def _native(out: _Array, like: Pixels) -> Pixels:
    if like.dtype.kind == "b":
        out = out >= 0.5
    elif like.dtype.kind in "ui":
        limits = np.iinfo(like.dtype)
        out = np.clip(np.rint(out), limits.min, limits.max)
    native: Pixels = out.astype(like.dtype)
    return native[..., 0] if like.ndim == 2 else native


@jit
def _warp_rows(
    start: Any, stop: Any, source: _Array, inverse: _Array, table: _Array, out: _Array, empty: _Array
) -> None:
    """Fill the rows start … stop of the new picture.

    Parameters
    ----------
    source : (H, W, C), floats, colours multiplied by alpha.
    inverse : (3, 3).
    table : (N, 6), weights.
    out : (H', W', C), written to.
    empty : (H', W'), written to.
    """
    height, width, channels = source.shape
    across, down = np.empty(6), np.empty(6)
    columns, rows = np.empty(6, dtype=np.int64), np.empty(6, dtype=np.int64)
    total = np.empty(channels)
    for i in range(start, stop):
        for j in range(out.shape[1]):
            y0, x0 = np.float64(i), np.float64(j)
            depth = inverse[2, 0] * x0 + inverse[2, 1] * y0 + inverse[2, 2]
            x = y = -1.0
            if depth > 1e-9:  # else it lies behind the horizon
                x = (inverse[0, 0] * x0 + inverse[0, 1] * y0 + inverse[0, 2]) / depth
                y = (inverse[1, 0] * x0 + inverse[1, 1] * y0 + inverse[1, 2]) / depth
            # A hair beyond the edge is rounding, not emptiness.
            empty[i, j] = not (-1e-6 <= x <= width - 1 + 1e-6 and -1e-6 <= y <= height - 1 + 1e-6)
            x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
            _taps(x, width, table, across, columns)
            _taps(y, height, table, down, rows)
            for c in range(channels):
                total[c] = 0.0
            for k in range(6):
                for m in range(6):
                    weight = down[k] * across[m]
                    for c in range(channels):
                        total[c] += weight * source[rows[k], columns[m], c]
            for c in range(channels):
                out[i, j, c] = total[c]


@jit
def _taps(at: Any, length: Any, table: _Array, weights: _Array, places: _Array) -> None:
    """Write the six weights around a position, summing to 1, and where they apply."""
    first = math.floor(at)
    phase = (at - first) * (table.shape[0] - 1)
    row = min(int(phase), table.shape[0] - 2)
    share = phase - row
    for k in range(6):
        weights[k] = table[row, k] + share * (table[row + 1, k] - table[row, k])
        places[k] = min(max(first + k - 2, 0), length - 1)


def _table() -> NDArray[np.float64]:
    """Return the weights of Lanczos-3 for 2,048 positions between two pixels; those between are interpolated.

    That is exact to 1e-6, far below a step of 16 bits.
    """
    distance = np.linspace(0, 1, 2049)[:, np.newaxis] - np.arange(-2, 4)
    weights = np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0)
    table: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return table


def largest_rectangle(inside: Hole) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) of the largest upright rectangle in which everything is True.

    Parameters
    ----------
    inside : (H, W).

    Returns
    -------
    The first of the largest, from the top; (0, 0, 0, 0) where nothing is True.

    Examples
    --------
    >>> inside = np.array([[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 0]], dtype=bool)
    >>> largest_rectangle(inside)
    (0, 1, 3, 3)
    """
    top, left, bottom, right = _largest(np.ascontiguousarray(inside))
    return int(top), int(left), int(bottom), int(right)


@jit
def _largest(inside: _Array) -> Any:
    """Keep, row by row, how far each column reaches up, and the open rectangles on a stack."""
    height, width = inside.shape
    tall = np.zeros(width + 1, dtype=np.int64)
    starts, heights = np.zeros(width + 2, dtype=np.int64), np.zeros(width + 2, dtype=np.int64)
    best = 0
    box = (0, 0, 0, 0)
    for row in range(height):
        for column in range(width):
            tall[column] = tall[column] + 1 if inside[row, column] else 0
        depth = 0
        for column in range(width + 1):  # the last one is 0 and closes everything
            start = column
            while depth > 0 and heights[depth - 1] >= tall[column]:
                depth -= 1
                start = starts[depth]
                area = heights[depth] * (column - start)
                if area > best:
                    best = area
                    box = (row + 1 - heights[depth], start, row + 1, column)
            starts[depth], heights[depth] = start, tall[column]
            depth += 1
    return box
