"""The loops that the solvers spend their time in: products with a level's matrix, and the way between levels.

Nothing here is the size of the picture; see `runs` for how unknown pixels are stored. Neighbours of a
stretch of pixels are a stretch again, so that a product with the matrix is a list of *segments* ``(to, from,
length)`` with one coefficient each, or *strips* with five for neighbours side by side. Long runs are then
handled by vector instructions, and scattered pixels cost no more than a sparse matrix would.

All of it is in one file because numba's disk cache does not notice changes in other ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.jit import jit
from lacuna.multigrid.runs import REACH

Array = NDArray[Any]

SHORTEST_STRIP = 8  # shorter stretches are handled pixel by pixel
TAPS = 6  # a coarse value is felt by at most so many fine ones per axis


class Grid(NamedTuple):
    """What the matrix of a level is made of.

    ``runs`` and ``row_ptr`` (rows + 1, the first run of each row); ``mix``, ``across`` and ``along`` as in
    `levels`; columns ``plain[0] … plain[1]`` have the same coefficients, elsewhere every column has its own.
    """

    runs: Array
    row_ptr: Array
    mix: Array
    across: Array
    along: Array
    plain: Array


class Matrix(NamedTuple):
    """The matrix of a level as a list of products.

    ``pointers`` (runs + 1, 4) is where each run's part of the other lists begins. Long runs have ``strips``
    (n, 3), to, from and length, with ``wide`` (n, 5) coefficients of the neighbours two left to two right, and
    ``segments`` (m, 3) with ``single`` (m,) coefficients. Each pixel of a short run has ``counts`` entries in
    ``origins`` and ``weights``.
    """

    pointers: Array
    strips: Array
    wide: Array
    segments: Array
    single: Array
    counts: Array
    origins: Array
    weights: Array


@jit
def _coefficient(grid: Grid, y: int, x: int, v: int, u: int) -> float:
    """Return the matrix entry between (y, x) and (v, u); beyond the picture's edge it is zero."""
    value = 0.0
    for a in range(3):
        for b in range(3):
            if grid.mix[a, b] != 0.0:
                value += grid.mix[a, b] * grid.across[a, y, v - y + REACH] * grid.along[b, x, u - x + REACH]
    return value


@jit
def _stencil(grid: Grid, y: int, x: int, begin: int, out: Array) -> None:
    """Have the coefficients (5, 5) of (y, x) in out, where those of (y, x - 1) are unless x is the first."""
    if x != begin and grid.plain[0] < x < grid.plain[1]:
        return
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            out[dy + REACH, dx + REACH] = _coefficient(grid, y, x, y + dy, x + dx)


@jit
def _first_run(runs: Array, row_ptr: Array, row: int, column: int) -> int:
    """Return the first run of a row that ends right of a column (or the row's end), by bisection."""
    low, high = row_ptr[row], row_ptr[row + 1]
    while low < high:
        middle = (low + high) // 2
        if runs[middle, 2] <= column:
            low = middle + 1
        else:
            high = middle
    return int(low)


@jit
def matrix(grid: Grid, stiff: float) -> Matrix:
    """Return the matrix of a level.

    Parameters
    ----------
    stiff : what the diagonal of an unknown cell gains for each known neighbour, as a share of itself.
    """
    used = np.zeros(4, np.int64)
    _list_all(grid, stiff, _room(len(grid.runs), used), used, False)
    out = _room(len(grid.runs), used)
    used[:] = 0
    _list_all(grid, stiff, out, used, True)
    return out


@jit
def _room(runs: int, used: Array) -> Matrix:
    """Return empty lists of the lengths that were used."""
    return Matrix(
        np.zeros((runs + 1, 4), np.int32),
        np.empty((used[0], 3), np.int32),
        np.empty((used[0], 2 * REACH + 1)),
        np.empty((used[1], 3), np.int32),
        np.empty(used[1]),
        np.empty(used[2], np.uint8),
        np.empty(used[3], np.int32),
        np.empty(used[3]),
    )


@jit
def _list_all(grid: Grid, stiff: float, out: Matrix, used: Array, fill: bool) -> None:
    """Fill the lists, or only count how much room they need."""
    stencil = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    for k in range(len(grid.runs)):
        y, begin, end, x = grid.runs[k, 0], grid.runs[k, 1], grid.runs[k, 2], grid.plain[0]
        extra = stiff * _coefficient(grid, y, x, y, x) if stiff > 0.0 else 0.0
        if end - begin < SHORTEST_STRIP:
            for x in range(begin, end):
                _stencil(grid, y, x, begin, stencil)
                _list_pixel(grid, k, x, stencil, extra, out, used, fill)
        else:
            _list_run(grid, k, extra, out, used, fill)
        out.pointers[k + 1] = used


@jit
def _list_pixel(
    grid: Grid, k: int, x: int, stencil: Array, extra: float, out: Matrix, used: Array, fill: bool
) -> None:
    """List the entries of one pixel of a short run."""
    runs, y, begin = grid.runs, grid.runs[k, 0], used[3]
    known = 0
    for v in range(max(y - REACH, 0), min(y + REACH + 1, grid.across.shape[1])):
        m = _first_run(runs, grid.row_ptr, v, x - REACH)
        for u in range(max(x - REACH, 0), min(x + REACH + 1, grid.along.shape[1])):
            while m < grid.row_ptr[v + 1] and runs[m, 2] <= u:
                m += 1
            weight = stencil[v - y + REACH, u - x + REACH]
            if m == grid.row_ptr[v + 1] or runs[m, 1] > u:
                known += abs(v - y) + abs(u - x) == 1
            elif weight != 0.0:
                _put_entry(out, used, fill, runs[m, 3] + u - runs[m, 1], weight)
    if known and extra > 0.0:
        _put_entry(out, used, fill, runs[k, 3] + x - runs[k, 1], known * extra)
    if fill:
        out.counts[used[2]] = used[3] - begin
    used[2] += 1


@jit
def _put_entry(out: Matrix, used: Array, fill: bool, origin: int, weight: float) -> None:
    if fill:
        out.origins[used[3]], out.weights[used[3]] = origin, weight
    used[3] += 1


@jit
def _put_segment(
    out: Matrix, used: Array, fill: bool, to: int, origin: int, length: int, weight: float
) -> None:
    if fill:
        n = used[1]
        out.segments[n, 0], out.segments[n, 1], out.segments[n, 2] = to, origin, length
        out.single[n] = weight
    used[1] += 1


@jit
def _list_run(grid: Grid, k: int, extra: float, out: Matrix, used: Array, fill: bool) -> None:
    """List the strips and segments of a long run."""
    runs, y = grid.runs, grid.runs[k, 0]
    for v in range(max(y - REACH, 0), min(y + REACH + 1, grid.across.shape[1])):
        m = _first_run(runs, grid.row_ptr, v, runs[k, 1] - REACH)
        if extra > 0.0 and abs(v - y) <= 1:
            _stiffen(grid, k, v, m, extra, out, used, fill)
        while m < grid.row_ptr[v + 1] and runs[m, 1] < runs[k, 2] + REACH:
            _overlap(grid, k, m, out, used, fill)
            m += 1


@jit
def _stiffen(grid: Grid, k: int, v: int, m: int, extra: float, out: Matrix, used: Array, fill: bool) -> None:
    """Add to the diagonal of run k where its neighbours in row v (above, below or its own) are known."""
    runs, begin, end = grid.runs, grid.runs[k, 1], grid.runs[k, 2]
    shift = runs[k, 3] - begin
    if v == runs[k, 0]:
        if begin > 0:
            _put_segment(out, used, fill, shift + begin, shift + begin, 1, extra)
        if end < grid.along.shape[1]:
            _put_segment(out, used, fill, shift + end - 1, shift + end - 1, 1, extra)
        return
    x = begin
    while m < grid.row_ptr[v + 1] and runs[m, 1] < end:
        if runs[m, 1] > x:
            _put_segment(out, used, fill, shift + x, shift + x, runs[m, 1] - x, extra)
        x = max(x, runs[m, 2])
        m += 1
    if x < end:
        _put_segment(out, used, fill, shift + x, shift + x, end - x, extra)


@jit
def _overlap(grid: Grid, k: int, m: int, out: Matrix, used: Array, fill: bool) -> None:
    """List what run m contributes to run k: one strip where that is possible, and segments for the rest."""
    runs, plain = grid.runs, grid.plain
    y, v = runs[k, 0], runs[m, 0]
    shift, origin = runs[k, 3] - runs[k, 1], runs[m, 3] - runs[m, 1]
    low = max(runs[k, 1], runs[m, 1] + REACH, plain[0])
    high = min(runs[k, 2], runs[m, 2] - REACH, plain[1])
    if high - low >= SHORTEST_STRIP and _coefficient(grid, y, low, v, low + 1) != 0.0:
        if fill:
            n = used[0]
            out.strips[n, 0], out.strips[n, 1], out.strips[n, 2] = shift + low, origin + low, high - low
            for dx in range(-REACH, REACH + 1):
                out.wide[n, dx + REACH] = _coefficient(grid, y, low, v, low + dx)
        used[0] += 1
    else:
        low = high = runs[k, 2]
    for dx in range(-REACH, REACH + 1):
        x, end = max(runs[k, 1], runs[m, 1] - dx), min(runs[k, 2], runs[m, 2] - dx)
        while x < end:
            if low <= x < high:
                x = high
                continue
            stop = min(end, low) if x < low else end
            stop = min(stop, plain[1]) if plain[0] <= x < plain[1] else x + 1
            weight = _coefficient(grid, y, x, v, x + dx)
            if weight != 0.0:
                _put_segment(out, used, fill, shift + x, origin + x + dx, stop - x, weight)
            x = stop


@jit
def right_side(start: int, stop: int, grid: Grid, values: Array, hole: Array, out: Array) -> None:
    """Write what the known pixels (H, W, C) contribute to the equations into out (C, N)."""
    stencil = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    for k in range(start, stop):
        y, begin = grid.runs[k, 0], grid.runs[k, 1]
        for x in range(begin, grid.runs[k, 2]):
            _stencil(grid, y, x, begin, stencil)
            i = grid.runs[k, 3] + x - begin
            out[:, i] = 0.0
            for dy in range(-REACH, REACH + 1):
                for dx in range(-REACH, REACH + 1):
                    weight = stencil[dy + REACH, dx + REACH]
                    if weight != 0.0 and not hole[y + dy, x + dx]:
                        for c in range(values.shape[2]):
                            out[c, i] -= weight * values[y + dy, x + dx, c]


@jit(fastmath=True)
def multiply(start: int, stop: int, runs: Array, matrix: Matrix, v: Array, out: Array) -> float:
    """Write the product of the matrix with v into out; return v · out of these runs."""
    total = 0.0
    for k in range(start, stop):
        low, high = runs[k, 3], runs[k, 3] + runs[k, 2] - runs[k, 1]
        out[low:high] = 0.0
        _add_product(k, low, high, matrix, 1.0, v, out)
        for i in range(low, high):
            total += v[i] * out[i]
    return total


@jit(fastmath=True)
def smooth(
    start: int,
    stop: int,
    runs: Array,
    matrix: Matrix,
    step: Array,
    next_step: Array,
    residual: Array,
    x: Array,
    keep: float,
    gain: float,
) -> None:
    """Take the step, already added to x, off the residual; make the next one and add it to x."""
    for k in range(start, stop):
        low, high = runs[k, 3], runs[k, 3] + runs[k, 2] - runs[k, 1]
        _add_product(k, low, high, matrix, np.float32(-1.0), step, residual)
        last, following, error, total = step[low:high], next_step[low:high], residual[low:high], x[low:high]
        for i in range(len(last)):
            value = keep * last[i] + gain * error[i]
            following[i] = value
            total[i] += value


@jit(fastmath=True, inline="always")
def _add_product(k: int, low: int, high: int, matrix: Matrix, sign: float, v: Array, out: Array) -> None:
    """Add sign · (matrix · v) to out, for run k."""
    pointers, strips, segments = matrix.pointers, matrix.strips, matrix.segments
    for s in range(pointers[k, 0], pointers[k + 1, 0]):
        to = out[strips[s, 0] : strips[s, 0] + strips[s, 2]]
        origin = v[strips[s, 1] - REACH : strips[s, 1] + strips[s, 2] + REACH]
        a, b, c = sign * matrix.wide[s, 0], sign * matrix.wide[s, 1], sign * matrix.wide[s, 2]
        d, e = sign * matrix.wide[s, 3], sign * matrix.wide[s, 4]
        for i in range(len(to)):
            to[i] += (
                a * origin[i] + b * origin[i + 1] + c * origin[i + 2] + d * origin[i + 3] + e * origin[i + 4]
            )
    for s in range(pointers[k, 1], pointers[k + 1, 1]):
        m, n, length = np.uint32(segments[s, 0]), np.uint32(segments[s, 1]), np.uint32(segments[s, 2])
        a = sign * matrix.single[s]
        if length < SHORTEST_STRIP:
            for i in range(length):
                out[m + i] += a * v[n + i]
        else:
            to, origin = out[m : m + length], v[n : n + length]
            for i in range(len(to)):
                to[i] += a * origin[i]
    if pointers[k, 2] < pointers[k + 1, 2]:
        entry = pointers[k, 3]
        for i in range(high - low):
            total = sign * 0
            for n in range(entry, entry + matrix.counts[pointers[k, 2] + i]):
                total += matrix.weights[n] * v[np.uint32(matrix.origins[n])]
            entry += matrix.counts[pointers[k, 2] + i]
            out[low + i] += sign * total


@jit
def bandwidth(runs: Array, matrix: Matrix) -> int:
    """Return how far left of the diagonal the matrix reaches."""
    widest = 0
    for s in range(len(matrix.strips)):
        widest = max(widest, matrix.strips[s, 0] - matrix.strips[s, 1] + REACH)
    for s in range(len(matrix.segments)):
        widest = max(widest, matrix.segments[s, 0] - matrix.segments[s, 1])
    for k in range(len(runs)):
        if matrix.pointers[k, 3] < matrix.pointers[k + 1, 3]:
            for n in range(matrix.pointers[k, 3], matrix.pointers[k + 1, 3]):
                widest = max(widest, runs[k, 3] + runs[k, 2] - runs[k, 1] - 1 - matrix.origins[n])
    return int(widest)


@jit
def to_band(runs: Array, matrix: Matrix, band: Array) -> None:
    """Write the diagonal and what is left of it into a band (N, bandwidth + 1)."""
    band[:] = 0.0
    for s in range(len(matrix.strips)):
        to, length = matrix.strips[s, 0], matrix.strips[s, 2]
        for dx in range(-REACH, REACH + 1):
            distance = to - matrix.strips[s, 1] - dx
            if distance >= 0:
                band[to : to + length, distance] += matrix.wide[s, dx + REACH]
    for s in range(len(matrix.segments)):
        to, length, distance = matrix.segments[s, 0], matrix.segments[s, 2], 0
        distance = to - matrix.segments[s, 1]
        if distance >= 0:
            band[to : to + length, distance] += matrix.single[s]
    n = 0
    for k in range(len(runs)):
        for i in range(matrix.pointers[k + 1, 2] - matrix.pointers[k, 2]):
            to = runs[k, 3] + i
            for _ in range(matrix.counts[matrix.pointers[k, 2] + i]):
                if to >= matrix.origins[n]:
                    band[to, to - matrix.origins[n]] += matrix.weights[n]
                n += 1


@jit(fastmath=True)
def restrict(
    start: int,
    stop: int,
    coarse: Array,
    runs: Array,
    row_ptr: Array,
    rows_of: Array,
    row_taps: Array,
    columns_of: Array,
    column_taps: Array,
    fine: Array,
    out: Array,
) -> None:
    """Write Pᵀ · fine into out, for these coarse runs."""
    line = np.zeros(2 * (coarse[start:stop, 2] - coarse[start:stop, 1]).max() + 2 * TAPS, fine.dtype)
    height = len(row_ptr) - 1
    for k in range(start, stop):
        row, begin, end, position = coarse[k, 0], coarse[k, 1], coarse[k, 2], coarse[k, 3]
        left, right = columns_of[begin], columns_of[end - 1] + TAPS
        line[: right - left] = 0.0
        for tap in range(min(TAPS, height - rows_of[row])):
            weight = row_taps[row, tap]
            if weight == 0.0:
                continue
            low = _first_run(runs, row_ptr, rows_of[row] + tap, left)
            high = row_ptr[rows_of[row] + tap + 1]
            while low < high and runs[low, 1] < right:
                a, b = max(runs[low, 1], left), min(runs[low, 2], right)
                to = line[a - left : b - left]
                origin = fine[runs[low, 3] + a - runs[low, 1] : runs[low, 3] + b - runs[low, 1]]
                for i in range(len(to)):
                    to[i] += weight * origin[i]
                low += 1
        for x in range(begin, end):
            total = column_taps[x, 0] * line[columns_of[x] - left]
            for tap in range(1, TAPS):
                total += column_taps[x, tap] * line[columns_of[x] - left + tap]
            out[position + x - begin] = total


@jit(fastmath=True)
def prolong(
    start: int,
    stop: int,
    runs: Array,
    coarse: Array,
    coarse_ptr: Array,
    row_first: Array,
    row_weights: Array,
    column_first: Array,
    column_weights: Array,
    values: Array,
    out: Array,
    x: Array,
) -> None:
    """Write P · values into out for these fine runs, and add it to x."""
    line = np.zeros((runs[start:stop, 2] - runs[start:stop, 1]).max() // 2 + TAPS, out.dtype)
    for k in range(start, stop):
        row, begin, end, position = runs[k, 0], runs[k, 1], runs[k, 2], runs[k, 3]
        left, right = column_first[begin], column_first[end - 1] + 2
        line[: right - left] = 0.0
        for tap in range(2):
            weight = row_weights[row, tap]
            if weight == 0.0:
                continue
            low = _first_run(coarse, coarse_ptr, row_first[row] + tap, left)
            high = coarse_ptr[row_first[row] + tap + 1]
            while low < high and coarse[low, 1] < right:
                a, b = max(coarse[low, 1], left), min(coarse[low, 2], right)
                to = line[a - left : b - left]
                origin = values[coarse[low, 3] + a - coarse[low, 1] : coarse[low, 3] + b - coarse[low, 1]]
                for i in range(len(to)):
                    to[i] += weight * origin[i]
                low += 1
        for u in range(begin, end):
            i = column_first[u] - left
            value = column_weights[u, 0] * line[i] + column_weights[u, 1] * line[i + 1]
            out[position + u - begin] = value
            x[position + u - begin] += value
