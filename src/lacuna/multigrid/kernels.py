"""The loops that the solvers spend their time in: products with a level's matrix, and the way between levels.

Nothing here is the size of the picture; see `runs` for how unknown pixels are stored. Where all neighbours of
a stretch of pixels are unknown, they are five stretches again, and the product is one loop of vector
instructions over them. Any other pixel lists its unknown neighbours, as in a sparse matrix.

All of it is in one file because numba's disk cache does not notice changes in other ones. Arrays are filled
by plain loops because numba takes long to compile an assignment to a slice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.jit import jit
from lacuna.multigrid.runs import REACH

Array = NDArray[Any]

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
    """The matrix of a level.

    ``stretches`` (n, 7): first position, length, and the positions of the first one's neighbours two rows
    above to two below; ``stencils`` (rows, 5, 5) are their coefficients. Each pixel outside a stretch has
    ``counts`` entries in ``origins`` and ``weights``. ``pointers`` (runs + 1, 3) is where the stretches, the
    counts and the entries of each run begin.
    """

    pointers: Array
    stretches: Array
    stencils: Array
    counts: Array
    origins: Array
    weights: Array


@jit
def _coefficient(grid: Grid, y: int, x: int, v: int, u: int) -> float:
    """Return the matrix entry between (y, x) and (v, u); beyond the picture's edge it is zero."""
    value = 0.0
    for a in range(3):
        for b in range(3):
            value += grid.mix[a, b] * grid.across[a, y, v - y + REACH] * grid.along[b, x, u - x + REACH]
    return value


@jit
def _stencil(grid: Grid, y: int, x: int, out: Array) -> None:
    """Write the coefficients (5, 5) of (y, x)."""
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
def matrix(grid: Grid, stiff: float, shortest: int) -> Matrix:
    """Return the matrix of a level.

    Parameters
    ----------
    stiff : what the diagonal of an unknown cell gains for each known neighbour, as a share of itself.
    shortest : pixels that make a stretch.
    """
    rows, runs = grid.across.shape[1], len(grid.runs)
    stencils = np.zeros((rows, 2 * REACH + 1, 2 * REACH + 1))
    for k in range(runs):
        if k == 0 or grid.runs[k, 0] != grid.runs[k - 1, 0]:
            _stencil(grid, grid.runs[k, 0], grid.plain[0], stencils[grid.runs[k, 0]])
    out = Matrix(
        np.zeros((runs + 1, 3), np.int32),
        np.empty((0, 7), np.int32),
        stencils,
        np.empty(0, np.uint8),
        np.empty(0, np.int32),
        np.empty(0),
    )
    for fill in (False, True):
        if fill:
            stretches, pixels, entries = out.pointers[runs]
            out = Matrix(
                out.pointers,
                np.empty((stretches, 7), np.int32),
                stencils,
                np.empty(pixels, np.uint8),
                np.empty(entries, np.int32),
                np.empty(entries),
            )
        near = np.zeros((2, 2 * REACH + 1), np.int64)
        for k in range(runs):
            _list_run(grid, k, near, stiff, shortest, out, fill)
    return out


@jit
def _list_run(grid: Grid, k: int, near: Array, stiff: float, shortest: int, out: Matrix, fill: bool) -> None:
    """List the stretches and the other pixels of a run, or only count them.

    ``near`` (2, 5) are the runs in the rows around that the last search for a stretch and for pixels found.
    """
    y, begin, end = grid.runs[k, 0], grid.runs[k, 1], grid.runs[k, 2]
    used = out.pointers[k + 1]
    for i in range(3):
        used[i] = out.pointers[k, i]
    _enter(grid, y, near)
    stretch, own = np.empty(7, np.int64), np.empty((2 * REACH + 1, 2 * REACH + 1))
    x = begin
    while x < end:
        start, stop = end, end
        if end - x >= shortest:
            start, stop = _next_stretch(grid, k, x, near[0], shortest, stretch)
        while x < start:
            stencil = out.stencils[y]
            if not grid.plain[0] <= x < grid.plain[1]:
                _stencil(grid, y, x, own)
                stencil = own
            extra = stiff * out.stencils[y, REACH, REACH]
            _list_pixel(grid, k, x, near[1], stencil, extra, out, used, fill)
            x += 1
        if start < stop:
            if fill:
                for i in range(7):
                    out.stretches[used[0], i] = stretch[i]
            used[0] += 1
            x = stop


@jit
def _enter(grid: Grid, y: int, near: Array) -> None:
    """Begin the searches in the rows around y, unless they have begun."""
    for dy in range(2 * REACH + 1):
        if 0 <= y + dy - REACH < grid.across.shape[1]:
            for i in range(2):
                near[i, dy] = max(near[i, dy], grid.row_ptr[y + dy - REACH])


@jit
def _seek(grid: Grid, row: int, column: int, run: int) -> int:
    """Return the first run of a row, from the given one on, that ends right of a column; or the row's end."""
    while run < grid.row_ptr[row + 1] and grid.runs[run, 2] <= column:
        run += 1
    return run


@jit
def _next_stretch(grid: Grid, k: int, x: int, near: Array, shortest: int, out: Array) -> tuple[int, int]:
    """Find the next stretch of run k from column x on; without one, return the run's end twice."""
    runs, y, end = grid.runs, grid.runs[k, 0], grid.runs[k, 2]
    x = max(x, grid.plain[0])
    while x < end:
        start, stop = x, min(end, grid.plain[1])
        for dy in range(2 * REACH + 1):
            v = y + dy - REACH
            out[2 + dy] = runs[k, 3] + x - runs[k, 1]  # beyond the edge: harmless, its coefficients are zero
            if 0 <= v < grid.across.shape[1]:
                m = near[dy] = _seek(grid, v, x + REACH, near[dy])
                if m == grid.row_ptr[v + 1]:
                    return end, end
                start = max(start, runs[m, 1] + REACH)
                stop = min(stop, runs[m, 2] - REACH)
                out[2 + dy] = runs[m, 3] + x - runs[m, 1]
        if start == x and stop - x >= shortest:
            out[0], out[1] = runs[k, 3] + x - runs[k, 1], stop - x
            return x, stop
        x = start if start > x else max(stop, x + 1)
    return end, end


@jit
def _list_pixel(
    grid: Grid,
    k: int,
    x: int,
    near: Array,
    stencil: Array,
    extra: float,
    out: Matrix,
    used: Array,
    fill: bool,
) -> None:
    """List the entries of one pixel."""
    runs, y, begin = grid.runs, grid.runs[k, 0], used[2]
    known = 0
    for v in range(max(y - REACH, 0), min(y + REACH + 1, grid.across.shape[1])):
        m = near[v - y + REACH] = _seek(grid, v, x - REACH, near[v - y + REACH])
        for u in range(max(x - REACH, 0), min(x + REACH + 1, grid.along.shape[1])):
            m = _seek(grid, v, u, m)
            if m == grid.row_ptr[v + 1] or runs[m, 1] > u:
                known += abs(v - y) + abs(u - x) == 1
            elif stencil[v - y + REACH, u - x + REACH] != 0.0:
                if fill:
                    out.origins[used[2]] = runs[m, 3] + u - runs[m, 1]
                    out.weights[used[2]] = stencil[v - y + REACH, u - x + REACH]
                used[2] += 1
    if extra * known > 0.0:
        if fill:
            out.origins[used[2]] = runs[k, 3] + x - runs[k, 1]
            out.weights[used[2]] = extra * known
        used[2] += 1
    if fill:
        out.counts[used[1]] = used[2] - begin
    used[1] += 1


@jit
def right_side(start: int, stop: int, grid: Grid, values: Array, hole: Array, out: Array) -> Array:
    """Write what the known pixels (H, W, C) contribute to the equations into out (C, N).

    Returns
    -------
    (4, C), lowest, highest, sum and number of the known values in reach of these runs.
    """
    channels = values.shape[2]
    rim = np.zeros((4, channels))
    for c in range(channels):
        rim[0, c], rim[1, c] = np.inf, -np.inf
    stencil = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    for k in range(start, stop):
        y, begin = grid.runs[k, 0], grid.runs[k, 1]
        for x in range(begin, grid.runs[k, 2]):
            if x == begin or not grid.plain[0] < x < grid.plain[1]:
                _stencil(grid, y, x, stencil)
            i = grid.runs[k, 3] + x - begin
            for c in range(channels):
                out[c, i] = 0.0
            for near in range(stencil.size):
                dy, dx = near // (2 * REACH + 1), near % (2 * REACH + 1)
                v, u, weight = y + dy - REACH, x + dx - REACH, stencil[dy, dx]
                if weight != 0.0 and not hole[v, u]:
                    for c in range(channels):
                        value = values[v, u, c]
                        out[c, i] -= weight * value
                        rim[0, c] = min(rim[0, c], value)
                        rim[1, c] = max(rim[1, c], value)
                        rim[2, c] += value
                        rim[3, c] += 1
    return rim


@jit(fastmath=True)
def multiply(start: int, stop: int, runs: Array, matrix: Matrix, v: Array, out: Array) -> float:
    """Write the product of the matrix with v into out; return v · out of these runs."""
    low, high = runs[start, 3], runs[stop - 1, 3] + runs[stop - 1, 2] - runs[stop - 1, 1]
    for i in range(low, high):
        out[i] = 0.0
    _subtract(start, stop, runs, matrix, v, out)
    total = 0.0
    for i in range(low, high):
        out[i] = -out[i]
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
    _subtract(start, stop, runs, matrix, step, residual)
    low, high = runs[start, 3], runs[stop - 1, 3] + runs[stop - 1, 2] - runs[stop - 1, 1]
    last, following, error, total = step[low:high], next_step[low:high], residual[low:high], x[low:high]
    for i in range(len(last)):
        value = keep * last[i] + gain * error[i]
        following[i] = value
        total[i] += value


@jit(fastmath={"contract"})  # to reorder such short sums for vectors would take longer
def _subtract(start: int, stop: int, runs: Array, matrix: Matrix, v: Array, out: Array) -> None:
    """Take the product of the matrix with v off out."""
    counts, origins, weights = matrix.counts, matrix.origins, matrix.weights
    pixel, entry = matrix.pointers[start, 1], matrix.pointers[start, 2]
    for k in range(start, stop):
        position, end = runs[k, 3], runs[k, 3] + runs[k, 2] - runs[k, 1]
        for s in range(matrix.pointers[k, 0], matrix.pointers[k + 1, 0] + 1):
            more = s < matrix.pointers[k + 1, 0]
            first = matrix.stretches[s, 0] if more else end
            for i in range(position, first):
                total = weights[entry] * v[np.uint32(origins[entry])]
                for n in range(entry + 1, entry + counts[pixel]):
                    total += weights[n] * v[np.uint32(origins[n])]
                entry += counts[pixel]
                pixel += 1
                out[i] -= total
            if more:
                position = first + matrix.stretches[s, 1]
                _subtract_stretch(matrix.stretches[s], matrix.stencils[runs[k, 0]], v, out[first:position])


@jit(fastmath=True)
def _subtract_stretch(stretch: Array, stencil: Array, v: Array, out: Array) -> None:
    """Take the product with a stencil of 5×5 points off out."""
    for row in range(2 * REACH + 1):
        a, b, c, d, e = stencil[row, 0], stencil[row, 1], stencil[row, 2], stencil[row, 3], stencil[row, 4]
        near = v[stretch[2 + row] - REACH : stretch[2 + row] + len(out) + REACH]
        if b != 0.0:
            for i in range(len(out)):
                out[i] -= a * near[i] + b * near[i + 1] + c * near[i + 2] + d * near[i + 3] + e * near[i + 4]
        elif c != 0.0:
            for i in range(len(out)):
                out[i] -= c * near[i + 2]


@jit(fastmath=True)
def _add_row(
    runs: Array,
    row_ptr: Array,
    row: int,
    left: int,
    right: int,
    weight: float,
    values: Array,
    line: Array,
) -> None:
    """Add the values of a row, between two columns, to a line that begins at the first; 0 where none is."""
    k = _first_run(runs, row_ptr, row, left)
    while k < row_ptr[row + 1] and runs[k, 1] < right:
        a, b = max(runs[k, 1], left), min(runs[k, 2], right)
        to = line[a - left : b - left]
        origin = values[runs[k, 3] + a - runs[k, 1] : runs[k, 3] + b - runs[k, 1]]
        for i in range(len(to)):
            to[i] += weight * origin[i]
        k += 1


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
    line = np.zeros(len(columns_of) * 2 + 2 * TAPS, np.float32)
    height = len(row_ptr) - 1
    for k in range(start, stop):
        row, begin, end, position = coarse[k, 0], coarse[k, 1], coarse[k, 2], coarse[k, 3]
        left, right = columns_of[begin], columns_of[end - 1] + TAPS
        for i in range(right - left):
            line[i] = 0.0
        for tap in range(min(TAPS, height - rows_of[row])):
            weight = row_taps[row, tap]
            if weight == 0.0:
                continue
            _add_row(runs, row_ptr, rows_of[row] + tap, left, right, weight, fine, line)
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
    line = np.zeros(len(column_first) // 2 + TAPS, np.float32)
    for k in range(start, stop):
        row, begin, end, position = runs[k, 0], runs[k, 1], runs[k, 2], runs[k, 3]
        left, right = column_first[begin], column_first[end - 1] + 2
        for i in range(right - left):
            line[i] = 0.0
        for tap in range(2):
            weight = row_weights[row, tap]
            if weight == 0.0:
                continue
            _add_row(coarse, coarse_ptr, row_first[row] + tap, left, right, weight, values, line)
        for u in range(begin, end):
            i = column_first[u] - left
            value = column_weights[u, 0] * line[i] + column_weights[u, 1] * line[i + 1]
            out[position + u - begin] = value
            x[position + u - begin] += value
