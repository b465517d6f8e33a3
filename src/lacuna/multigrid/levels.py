"""The pyramid of ever coarser equations.

One level is a matrix on the unknown cells of a grid. With the three matrices M (mass), T (squared first
differences) and K (squared second differences) of each axis it is

    A = Σ mix[a, b] · across[a] ⊗ along[b],     a, b in (M, T, K),

restricted to the rows and columns of the unknown cells. M⊗T + T⊗M is the Laplacian with free edges;
M⊗K + 2·T⊗T + K⊗M the thin plate with free edges, whose stencil inside has the well-known 13 points. A coarser
level has the Galerkin matrices PᵀMP, PᵀTP, PᵀKP on each axis, so that a level keeps six narrow bands and
never a stencil per pixel.

P is the two-scale relation of quadratic B-splines, (1 3 3 1)/4, smooth enough for a fourth-order equation. At
the picture's edge the missing neighbour is extrapolated linearly, so that every level holds all planes.

A cell is unknown if all its children are. The spline that belongs to it reaches half a cell into the known
pixels, where it is cut; that makes coarse holes too soft, and `RIM_STIFFNESS` makes up for it.

References
----------
.. [1] Trottenberg, Oosterlee & Schüller, Multigrid, 2001: 7.7 (Galerkin), 7.8 (as a preconditioner), 8.4
   (biharmonic).
.. [2] Höllig, Finite Element Methods with B-Splines, 2003: 4.3 (extension at the edge).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.multigrid import kernels, vectors
from lacuna.multigrid.kernels import Grid, Matrix
from lacuna.multigrid.runs import REACH, coarse_bands, coarse_runs, find_runs

Array = NDArray[Any]

BAND_SIZE = 32768  # pixels that a thread works on at once
DIRECT_WORK = 2e7  # multiplications that a Cholesky factor may cost; about 20 ms
DIRECT_SIZE = 4096  # pixels up to which a factor is thought of
SHORTEST_STRETCH = 8  # pixels; shorter ones go as single pixels
NEVER = 2**31 - 1  # no stretch is that long
RIM_STIFFNESS = 0.12  # best of 0 … 0.4 on discs, squares, blobs, combs and scattered pixels
COEFFICIENTS = ("stencils", "weights")


@dataclass(frozen=True)
class Equation:
    """What is solved, and how it is smoothed.

    Parameters
    ----------
    mix : (3, 3), see above.
    margin : how far the largest eigenvalue of a coarse level may exceed that of its stencil, at the edges.
    steps, width : the Chebyshev smoother damps the eigenvalues from largest / width in that many steps.
    """

    mix: Array
    margin: float
    steps: int
    width: float


HARMONIC = Equation(np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]]), margin=1.8, steps=2, width=10.0)
PLATE = Equation(np.array([[0.0, 0, 1], [0, 2, 0], [1, 0, 0]]), margin=1.25, steps=3, width=30.0)


@dataclass(frozen=True)
class Axis:
    """One axis of a level.

    Parameters
    ----------
    extent : length in cells, unrounded; the last cell may stick out of the picture or stop short of its edge.
    raw : (3, n, 5), the bands of M, T and K.
    scale : (n,), makes the diagonal of M one; the level's unknowns are counted in these units.
    """

    extent: float
    raw: Array
    scale: Array

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(self.raw.shape[1])

    def bands(self) -> Array:
        """Return the bands (3, n, 5) of M, T and K for scaled unknowns."""
        padded = np.pad(self.scale, REACH)
        neighbours = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1)
        scaled: Array = self.raw * (self.scale[:, None] * neighbours)
        return scaled


@dataclass(frozen=True)
class Transfer:
    """P on one axis: two parents per fine cell, and the same by coarse cells.

    Parameters
    ----------
    first, weights : (n,), (n, 2); cell x has the parents first[x] and first[x] + 1.
    children, taps : (m,), (m, 6); parent X feeds the cells from children[X] on.
    """

    first: Array
    weights: Array
    children: Array
    taps: Array


@dataclass(eq=False)
class Level:
    """The equations of one level, and the vectors that a V-cycle needs there, in single precision."""

    runs: Array
    row_ptr: Array
    matrix: Matrix
    rows: Axis
    columns: Axis
    bands: list[tuple[int, int]]
    largest: float
    size: int
    down: tuple[Transfer, Transfer] | None = None
    factor: Array | None = None
    x: Array = field(init=False)
    residual: Array = field(init=False)
    step: Array = field(init=False)
    spare: Array = field(init=False)
    smoother: Matrix = field(init=False)

    def __post_init__(self) -> None:
        self.x, self.residual, self.step, self.spare = np.zeros((4, self.size), np.float32)
        coefficients = {name: getattr(self.matrix, name).astype(np.float32) for name in COEFFICIENTS}
        self.smoother = self.matrix._replace(**coefficients)


def build(hole: Array, equation: Equation) -> list[Level]:
    """Return the levels for a hole that has at least one pixel, finest first.

    The last one has a factor, or nothing coarser because its hole is thin everywhere.
    """
    rows, columns = fine_axis(hole.shape[0]), fine_axis(hole.shape[1])
    runs = find_runs(hole)
    level = _level(runs, rows, columns, equation, 0)
    levels = [level]
    while level.factor is None and max(rows.size, columns.size) > 1:
        coarse_rows, row_transfer = coarsen_axis(rows)
        coarse_columns, column_transfer = coarsen_axis(columns)
        sizes = (rows.size, columns.size, coarse_rows.size, coarse_columns.size)
        runs = coarse_runs(level.runs, level.row_ptr, *sizes)
        if len(runs) == 0:
            break
        level.down = (row_transfer, column_transfer)
        rows, columns = coarse_rows, coarse_columns
        level = _level(runs, rows, columns, equation, len(levels))
        levels.append(level)
    return levels


def _level(runs: Array, rows: Axis, columns: Axis, equation: Equation, depth: int) -> Level:
    row_ptr = np.searchsorted(runs[:, 0], np.arange(rows.size + 1))
    grid = grid_of(runs, row_ptr, equation.mix, rows, columns)
    stiff = RIM_STIFFNESS if depth else 0.0
    ends = runs[:, 3] + runs[:, 2] - runs[:, 1]
    size = int(ends[-1])
    factor = _factor(kernels.matrix(grid, stiff, NEVER), size) if size <= DIRECT_SIZE else None
    matrix = kernels.matrix(grid, stiff, SHORTEST_STRETCH)
    cuts = np.searchsorted(ends, np.arange(0, size, BAND_SIZE), side="right")
    cuts = np.unique(np.append(cuts, len(runs)))
    bands = list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
    largest = largest_eigenvalue(equation.mix, depth) * (equation.margin if depth else 1.0)
    return Level(runs, row_ptr, matrix, rows, columns, bands, largest, size, factor=factor)


def _factor(matrix: Matrix, size: int) -> Array | None:
    """Return the Cholesky factor of a matrix that has no stretches, unless that is too much work."""
    rows = np.repeat(np.arange(size), matrix.counts)
    distance = rows - matrix.origins
    bandwidth = int(distance.max())
    if size * bandwidth**2 > DIRECT_WORK:
        return None
    lower = distance >= 0
    band = np.zeros((size, bandwidth + 1))
    np.add.at(band, (rows[lower], distance[lower]), matrix.weights[lower])
    factor: Array = vectors.band_factor(band)
    return factor


def grid_of(runs: Array, row_ptr: Array, mix: Array, rows: Axis, columns: Axis) -> Grid:
    """Return what the kernels need to know to make the matrix of a level."""
    across, along = rows.bands(), columns.bands()
    return Grid(runs, row_ptr, mix, across, along, plain_part(along))


def fine_axis(size: int) -> Axis:
    """Return the axis of the pixels themselves, with free ends."""
    raw = np.zeros((3, size, 2 * REACH + 1))
    for order, difference in enumerate(((1,), (-1, 1), (1, -2, 1))):
        count = max(size - order, 0)  # only differences that lie inside the picture
        for i, left in enumerate(difference):
            for j, right in enumerate(difference):
                raw[order, i : i + count, j - i + REACH] += left * right
    return Axis(float(size), raw, np.ones(size))


def coarsen_axis(fine: Axis) -> tuple[Axis, Transfer]:
    """Return the axis of half the cells, and P between the two."""
    extent = fine.extent / 2
    size = max(1, int(extent + 0.5))
    odd = (np.arange(fine.size) % 2)[:, None]
    parents = np.arange(fine.size)[:, None] // 2 + np.where(odd, [0, 1], [-1, 0])
    shares = np.where(odd, [0.75, 0.25], [0.25, 0.75])
    first = np.clip(parents[:, 0], 0, max(size - 2, 0))
    beyond = parents - first[:, None] if size > 1 else np.zeros_like(parents)
    # Linear in the cells first, first + 1: extrapolates the parents that do not exist.
    weights = np.stack([(shares * (1 - beyond)).sum(1), (shares * beyond).sum(1)], axis=1)
    raw = np.stack([coarse_bands(bands, first, weights, size) for bands in fine.raw])
    coarse = Axis(extent, raw, 1 / np.sqrt(raw[0, :, REACH]))
    weights = weights * np.pad(coarse.scale, (0, 1))[first[:, None] + [0, 1]] / fine.scale[:, None]
    return coarse, _transfer(first, weights, size)


def _transfer(first: Array, weights: Array, size: int) -> Transfer:
    cells, parents = np.repeat(np.arange(len(first)), 2), (first[:, None] + [0, 1]).ravel()
    used = weights.ravel() != 0
    cells, parents = cells[used], parents[used]
    children = np.full(size, len(first))
    np.minimum.at(children, parents, cells)
    taps = np.zeros((size, kernels.TAPS), np.float32)
    taps[parents, cells - children[parents]] = weights.ravel()[used]
    return Transfer(first, weights.astype(np.float32), children, taps)


def plain_part(bands: Array) -> Array:
    """Return the interval (2,) around the middle in which all rows of the bands are the same."""
    middle = bands.shape[1] // 2
    same: Array = np.all(np.isclose(bands, bands[:, middle : middle + 1], rtol=1e-9, atol=1e-12), axis=(0, 2))
    other = np.flatnonzero(~same)
    at = int(np.searchsorted(other, middle))
    low = other[at - 1] + 1 if at > 0 else 0
    high = other[at] if at < len(other) else len(same)
    return np.array([low, high])


def largest_eigenvalue(mix: Array, depth: int) -> float:
    """Return the largest eigenvalue of a level's stencil on the whole plane, from its Fourier transform."""
    bands = fine_axis(9).raw[:, 4]
    two_scale = np.convolve(
        [0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25]
    )  # PᵀBP = this * B, every second
    for _ in range(depth):
        bands = np.stack([np.convolve(two_scale, band)[1::2] for band in bands])
    bands = bands / bands[0, REACH]
    waves = np.cos(np.linspace(0, np.pi, 65)[:, None] * np.arange(-REACH, REACH + 1)) @ bands.T
    return float(np.einsum("ab,ya,xb->yx", mix, waves, waves).max())
