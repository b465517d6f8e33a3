"""Which pixels are unknown, and their way in and out of the picture.

The unknown pixels of a level are stored one after the other in row order. A *run* is a stretch of them in one
row: ``(row, first column, end column, position of the first)``. Kernels whose first arguments are ``start,
stop`` work on these runs only and may run side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.jit import jit

Array = NDArray[Any]

REACH = 2  # of every stencil, in pixels of its level; Galerkin products with the transfer keep it


@jit
def find_runs(hole: Array) -> Array:
    """Return the runs (n, 4) of the hole."""
    height, width = hole.shape
    count = 0
    for y in range(height):
        before = False
        for x in range(width):
            if hole[y, x] and not before:
                count += 1
            before = hole[y, x]
    runs = np.empty((count, 4), np.int32)
    k, position = 0, 0
    for y in range(height):
        x = 0
        while x < width:
            if not hole[y, x]:
                x += 1
                continue
            end = x + 1
            while end < width and hole[y, end]:
                end += 1
            runs[k, 0], runs[k, 1], runs[k, 2], runs[k, 3] = y, x, end, position
            position += end - x
            k += 1
            x = end
    return runs


@jit
def coarse_runs(runs: Array, row_ptr: Array, height: int, width: int, rows: int, columns: int) -> Array:
    """Return the runs of the coarse cells whose (up to) 2×2 children are all unknown."""
    found = np.empty((len(runs), 4), np.int32)
    k, position = 0, 0
    for row in range(rows):
        upper = 2 * row
        lower = min(upper + 1, height - 1)
        i, j = row_ptr[upper], row_ptr[lower]
        while i < row_ptr[upper + 1] and j < row_ptr[lower + 1]:
            first = max(runs[i, 1], runs[j, 1])
            end = min(runs[i, 2], runs[j, 2])
            begin = (first + 1) // 2
            stop = min((end + (end == width)) // 2, columns)
            if stop > begin:
                found[k, 0], found[k, 1], found[k, 2], found[k, 3] = row, begin, stop, position
                position += stop - begin
                k += 1
            if runs[i, 2] < runs[j, 2]:
                i += 1
            else:
                j += 1
    return found[:k].copy()


@jit
def coarse_bands(bands: Array, first: Array, weights: Array, columns: int) -> Array:
    """Return Pᵀ B P for a banded matrix B (n, 5) of one axis, banded again (columns, 5)."""
    n = len(bands)
    out = np.zeros((columns, 2 * REACH + 1))
    for x in range(n):
        for offset in range(-REACH, REACH + 1):
            u = x + offset
            if not 0 <= u < n:
                continue
            value = bands[x, offset + REACH]
            for a in range(2):
                for b in range(2):
                    weight = weights[x, a] * weights[u, b]
                    if weight != 0.0:
                        out[first[x] + a, first[u] + b - first[x] - a + REACH] += weight * value
    return out


@jit
def scatter(start: int, stop: int, runs: Array, solution: Array, out: Array) -> None:
    """Write the solution (C, N) into the picture out (H, W, C)."""
    for k in range(start, stop):
        for i in range(runs[k, 2] - runs[k, 1]):
            for c in range(len(solution)):
                out[runs[k, 0], runs[k, 1] + i, c] = solution[c, runs[k, 3] + i]
