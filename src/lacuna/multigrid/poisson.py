"""Poisson's equation on the hole, for corrections that vanish at the rim.

`lacuna.multigrid` solves for membranes and plates to the last digit and on holes of any shape. A correction
that nobody sees directly needs two digits, on each fill, at once, in a process that has just started: this is
the textbook's multigrid (Trottenberg, Oosterlee & Schüller 2001, chapters 2 and 7.8), red-black Gauss–Seidel
on the box around the hole as a preconditioner, in four kernels that compile in a second.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MaskError
from lacuna.jit import jit, row_bands, run_bands
from lacuna.progress import report, scaled
from lacuna.types import Hole, OnStep

Array = Any

MAX_CYCLES = 60
SWEEPS = 2
"""Red-black sweeps before and after each coarse correction."""

COARSEST_SWEEPS = 10
"""On the coarsest level, where the hole is a few pixels thick."""

BAND = 64
"""Rows that a thread works on at once."""

SPARSE = 0.15
"""A hole that fills a smaller share of its box is taken apart, and its pieces are packed closely: else the
scratches of a scan, which lie all over it, would cost what the whole picture costs."""

JOINT = 2_000_000
"""Missing pixels up to which all planes are solved for at once, until the last of them is exact. With 15
million, one plane after the other takes 12 s and 1.0 GB instead of 16 s and 1.9 GB."""


def solve_poisson(
    right: NDArray[Any],
    hole: Hole,
    *,
    tolerance: float,
    edges: bool = False,
    on_step: OnStep | None = None,
) -> NDArray[np.float32]:
    """Find the surface over the hole, 0 outside it, with given sums of differences to its neighbours.

    Parameters
    ----------
    right : (N, C). For each missing pixel, in reading order, the sum over its neighbours inside the picture
        of its value minus the neighbour's.
    hole : (H, W). True = missing; N of them, and at least one known.
    tolerance : largest error, in the units of the result, judged by what one more V-cycle would change.
    edges : whether the coarse levels know that the surface is free at the picture's edge. Else they take what
        lies beyond for known, and a hole that reaches the edge takes the more cycles the larger it is (42
        instead of 6 with 15 million pixels) and misses the tolerance, twentyfold at worst.

    Returns
    -------
    (N, C), the surface on the missing pixels.

    Raises
    ------
    MaskError : every pixel is missing.

    References
    ----------
    .. [1] Pérez, Gangnet & Blake, Poisson Image Editing, ACM Trans. Graph. 22(3), 2003: equation 7.
    .. [2] Saad, Iterative Methods for Sparse Linear Systems, 2003: algorithm 9.1.

    Examples
    --------
    >>> hole = np.array([[False, True, True, False]])
    >>> solve_poisson(np.array([[3.0], [0.0]]), hole, tolerance=1e-5).round(3).ravel().tolist()
    [2.0, 1.0]
    """
    if hole.all():
        raise MaskError("mask covers the whole image; at least one known pixel is needed")
    rows, columns = (axis.astype(np.int32) for axis in np.nonzero(hole))
    place = _places(hole, rows, columns)
    sides: Array = np.full(len(rows), 4, np.float32)  # neighbours inside the picture
    for axis, last in ((rows, hole.shape[0] - 1), (columns, hole.shape[1] - 1)):
        sides -= axis == 0
        sides -= axis == last
    planes = right.shape[1]
    joint = planes if len(right) <= JOINT else 1
    free = _free_sides(hole, rows, columns, place) if edges else RIMS
    shape = int(place[0].max()) + 2, int(place[1].max()) + 2
    at = np.ravel_multi_index(place, shape)
    levels = _levels(at, shape, sides, joint, free)
    del rows, columns, place, sides  # the solver has the peak of memory
    found = np.empty(right.shape, np.float32)
    for first in range(0, planes, joint):
        some = slice(first, first + joint)
        share = scaled(on_step, first / planes, (first + joint) / planes)
        found[:, some] = _solve(levels, at, right[:, some], tolerance, share)
    return found


def _solve(levels: list[_Level], at: Array, right: Array, tolerance: float, on_step: OnStep | None) -> Array:
    """Solve for some planes by conjugate gradients, with V-cycles as the preconditioner.

    ``at`` (N,) is where the missing pixels lie in the flat finest level.
    """
    unknown, count, residual, correction, image, _ = levels[0]
    residual.reshape(-1, right.shape[1])[at] = right
    # Not zeros_like, which would fill them now: the last one is only read and never takes up memory.
    solution, direction, nothing = (np.zeros(residual.shape, np.float32) for _ in range(3))
    bands, before = _bands(unknown), np.full(right.shape[1], np.inf)
    for cycle in range(MAX_CYCLES):
        report(on_step, cycle / MAX_CYCLES, "melding")
        correction[:] = 0
        _v_cycle(levels, 0)
        if max(correction.max(), -correction.min()) <= tolerance:
            break
        product = _dot(residual, correction)
        direction *= (product / before).astype(np.float32)
        direction += correction
        run_bands(_residual, bands, unknown, count, nothing, direction, image)  # minus the matrix times it
        step = (product / np.minimum(_dot(direction, image), -1e-30)).astype(np.float32)
        image *= step
        residual -= image
        solution -= np.multiply(direction, step, out=image)  # without a temporary of its size
        before = np.maximum(product, 1e-30)
    solution += correction
    return solution.reshape(-1, right.shape[1])[at]


def _dot(a: Array, b: Array) -> Array:
    """Return the inner products of the planes of two (h, w, C) arrays, (C,), summed row by row."""
    return np.einsum("yxk,yxk->yk", a, b).sum(axis=0, dtype=np.float64)


def _bands(unknown: Array) -> list[tuple[int, int]]:
    return [(start + 1, stop + 1) for start, stop in row_bands(len(unknown) - 2, BAND)]


_Sides = tuple[bool, bool, bool, bool]
"""Top, bottom, left, right."""

RIMS: _Sides = (False, False, False, False)
"""No side is free."""


class _Level(NamedTuple):
    """One level; its arrays have a margin of one pixel, which is never unknown.

    ``unknown`` (h + 2, w + 2) uint8; ``count`` (h + 2, w + 2) float32, the neighbours inside the picture;
    ``right``, ``surface`` and ``residual`` (h + 2, w + 2, C) float32; ``free`` are the sides of the box
    beyond which the next coarser surface goes on as it ends.
    """

    unknown: Array
    count: Array
    right: Array
    surface: Array
    residual: Array
    free: _Sides


_Places = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Row and column of each missing pixel on the finest level, in reading order of the picture."""


def _places(hole: Hole, rows: NDArray[np.int32], columns: NDArray[np.int32]) -> _Places:
    """Return where each missing pixel is solved for: in the hole's box, or in its packed pieces."""
    top, left = rows.min(), columns.min()
    area = int(rows.max() - top + 1) * int(columns.max() - left + 1)
    if len(rows) < SPARSE * area:
        packed = _packed(hole, rows, columns, area)
        if packed is not None:
            return packed
    return rows - top + 1, columns - left + 1


def _packed(hole: Hole, rows: Array, columns: Array, area: int) -> _Places | None:
    """Put the pieces of a hole, which do not touch and so are problems of their own, on shelves.

    None where that saves less than half of the area.
    """
    import cv2  # slow to import, and wanted only here

    _, labels, facts, _ = cv2.connectedComponentsWithStats(hole.view(np.uint8), connectivity=4)
    left, top, width, height = (facts[1:, k] for k in range(4))
    wide = max(int(width.max()), int(np.sqrt(((width + 1.0) * (height + 1)).sum())))
    corner = np.zeros((len(width), 2), np.int32)
    x, y, shelf = 0, 0, 0
    for i in np.argsort(-height, kind="stable").tolist():  # the highest first, so that shelves are full
        if x + width[i] > wide:
            x, y = 0, y + shelf + 1
        if x == 0:
            shelf = int(height[i])
        corner[i] = y, x
        x += int(width[i]) + 1
    if (y + shelf) * wide > area / 2:
        return None
    piece = labels[rows, columns] - 1
    return rows + (corner[:, 0] - top + 1)[piece], columns + (corner[:, 1] - left + 1)[piece]


def _free_sides(hole: Hole, rows: Array, columns: Array, place: _Places) -> _Sides:
    """Return which sides of the hole's box are the picture's edge; none if its pieces were packed."""
    if np.ptp(place[0] - rows) or np.ptp(place[1] - columns):
        return RIMS
    return bool(hole[0].any()), bool(hole[-1].any()), bool(hole[:, 0].any()), bool(hole[:, -1].any())


def _levels(
    at: Array, shape: tuple[int, int], sides: NDArray[np.float32], channels: int, free: _Sides
) -> list[_Level]:
    """Return the levels, finest first; a coarse pixel is unknown if its four are: no rim is crossed.

    Of the four of the last row, at an odd height, two do not exist; they are unknown if that side is free.
    """
    top, bottom, left, right = free
    unknown, count = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    unknown.ravel()[at], count.ravel()[at] = 1, sides
    levels = []
    while True:
        values = np.zeros((3, *unknown.shape, channels), np.float32)
        inner = unknown[1:-1, 1:-1]
        odd = inner.shape[0] % 2, inner.shape[1] % 2
        # Where a coarse pixel sticks out, nothing beyond it is looked at.
        reached = top, bottom and not odd[0], left, right and not odd[1]
        levels.append(_Level(unknown, count, values[0], values[1], values[2], reached))
        grow = ((0, odd[0]), (0, odd[1]))
        even = np.pad(inner, grow)
        if bottom and odd[0]:
            even[-1] = even[-2]
        if right and odd[1]:
            even[:, -1] = even[:, -2]
        coarse = even[0::2, 0::2] & even[0::2, 1::2] & even[1::2, 0::2] & even[1::2, 1::2]
        if not coarse.any():
            return levels
        # Where the fine pixels lack neighbours at the picture's edge, so does the coarse one.
        lacking = np.pad(4 - count[1:-1, 1:-1], grow)
        missing = lacking[0::2, 0::2] + lacking[0::2, 1::2] + lacking[1::2, 0::2] + lacking[1::2, 1::2]
        unknown, count = np.pad(coarse, 1), np.pad(4 - np.floor(missing / 2), 1).astype(np.float32)


def _v_cycle(levels: list[_Level], depth: int) -> None:
    """Improve the surface of a level by relaxation and a correction from the next coarser one."""
    unknown, count, right, surface, residual, free = levels[depth]
    bands = _bands(unknown)
    if depth == len(levels) - 1:
        _sweep(levels[depth], bands, (0, 1) * COARSEST_SWEEPS + (1, 0) * COARSEST_SWEEPS)
        return
    _sweep(levels[depth], bands, (0, 1) * SWEEPS)
    coarse = levels[depth + 1]
    run_bands(_residual, bands, unknown, count, right, surface, residual)
    _continue(residual, free)
    coarse.surface[:] = 0
    run_bands(_restrict, _bands(coarse.unknown), coarse.unknown, residual, coarse.right)
    _v_cycle(levels, depth + 1)
    _continue(coarse.surface, free)
    run_bands(_prolong, bands, unknown, coarse.surface, surface)
    _sweep(levels[depth], bands, (1, 0) * SWEEPS)  # in reverse, so that the whole is symmetric


def _continue(values: Array, free: _Sides) -> None:
    """Let values go on beyond the free sides: for `_prolong`, and so that `_restrict` stays its transpose."""
    top, bottom, left, right = free
    if top:
        values[0] = values[1]
    if bottom:
        values[-1] = values[-2]
    if left:
        values[:, 0] = values[:, 1]
    if right:
        values[:, -1] = values[:, -2]


def _sweep(level: _Level, bands: list[tuple[int, int]], colours: tuple[int, ...]) -> None:
    for colour in colours:  # a pixel's neighbours have the other colour: the order within one does not matter
        run_bands(_relax, bands, level.unknown, level.count, level.right, level.surface, colour)


@jit
def _relax(
    start: int, stop: int, unknown: Array, count: Array, right: Array, surface: Array, colour: int
) -> None:
    """Set the pixels of one colour to what their equation wants of them."""
    for y in range(start, stop):
        for k in range(surface.shape[2]):
            for x in range(1 + (y + colour) % 2, unknown.shape[1] - 1, 2):
                if unknown[y, x]:
                    around = surface[y, x - 1, k] + surface[y, x + 1, k]
                    around += surface[y - 1, x, k] + surface[y + 1, x, k]
                    surface[y, x, k] = (right[y, x, k] + around) / count[y, x]


@jit
def _residual(
    start: int, stop: int, unknown: Array, count: Array, right: Array, surface: Array, out: Array
) -> None:
    """Compute by how much the equations are not met."""
    for y in range(start, stop):
        for k in range(surface.shape[2]):
            for x in range(1, unknown.shape[1] - 1):
                if unknown[y, x]:
                    around = surface[y, x - 1, k] + surface[y, x + 1, k]
                    around += surface[y - 1, x, k] + surface[y + 1, x, k]
                    out[y, x, k] = right[y, x, k] + around - count[y, x] * surface[y, x, k]


@jit
def _restrict(start: int, stop: int, unknown: Array, residual: Array, out: Array) -> None:
    """Sum the residuals of the fine pixels, weighted as `_prolong` would take from the coarse one."""
    height, width, channels = residual.shape
    for y in range(start, stop):
        for k in range(channels):
            for x in range(1, unknown.shape[1] - 1):
                if unknown[y, x]:
                    total = np.float32(0)
                    for dy in range(min(4, height - 2 * y + 2)):
                        wy = np.float32(0.75) if 0 < dy < 3 else np.float32(0.25)
                        for dx in range(min(4, width - 2 * x + 2)):
                            weight = wy * (np.float32(0.75) if 0 < dx < 3 else np.float32(0.25))
                            total += weight * residual[2 * y - 2 + dy, 2 * x - 2 + dx, k]
                    out[y, x, k] = total


@jit
def _prolong(start: int, stop: int, unknown: Array, coarse: Array, surface: Array) -> None:
    """Add the coarse correction, interpolated bilinearly between the centres of coarse pixels."""
    for y in range(start, stop):
        near_y = (y + 1) // 2
        far_y = near_y + (1 if y % 2 == 0 else -1)
        for k in range(surface.shape[2]):
            for x in range(1, unknown.shape[1] - 1):
                if unknown[y, x]:
                    near_x = (x + 1) // 2
                    far_x = near_x + (1 if x % 2 == 0 else -1)
                    near = (
                        np.float32(0.75) * coarse[near_y, near_x, k]
                        + np.float32(0.25) * coarse[near_y, far_x, k]
                    )
                    far = (
                        np.float32(0.75) * coarse[far_y, near_x, k]
                        + np.float32(0.25) * coarse[far_y, far_x, k]
                    )
                    surface[y, x, k] += np.float32(0.75) * near + np.float32(0.25) * far
