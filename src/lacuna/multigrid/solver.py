"""Conjugate gradients with a multigrid V-cycle as preconditioner.

The gradients run in double precision; the V-cycle, which only has to be roughly right, in single precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MethodError
from lacuna.jit import row_bands, run_bands
from lacuna.multigrid import kernels, vectors
from lacuna.multigrid.levels import BAND_SIZE, Equation, Level
from lacuna.progress import report
from lacuna.types import OnStep

Array = NDArray[Any]

MAX_ITERATIONS = 1000


def solve(
    levels: list[Level],
    equation: Equation,
    right: Array,
    start: float,
    tolerance: float,
    on_step: OnStep | None = None,
) -> int:
    """Solve the finest level's equations in place: right (N,) becomes the solution.

    Parameters
    ----------
    start : what every unknown is thought to be at first.
    tolerance : stop when no value of the preconditioned residual, which estimates the error, is larger.

    Returns
    -------
    The number of iterations.

    Raises
    ------
    MethodError : no convergence in `MAX_ITERATIONS`; far more than any hole has been seen to need.

    References
    ----------
    .. [1] Saad, Iterative Methods for Sparse Linear Systems, 2003: algorithm 9.1.
    """
    fine = levels[0]
    chunks = row_bands(fine.size, BAND_SIZE)
    product = (fine.runs, fine.matrix)
    r, u, p, ap = right, np.full(fine.size, start), np.zeros(fine.size), np.empty(fine.size)
    run_bands(kernels.multiply, fine.bands, *product, u, ap)
    r -= ap
    fine.residual[:] = r
    rz, first, error = 0.0, 0.0, math.inf
    for iteration in range(MAX_ITERATIONS):
        v_cycle(levels, 0, equation)
        parts = run_bands(vectors.measure, chunks, r, fine.x)
        rz, before = math.fsum(part[0] for part in parts), rz
        error = float(max(part[1] for part in parts))
        first = first or error
        report(on_step, _share(error, first, tolerance), "solving")
        if error <= tolerance:
            np.add(u, fine.x, out=right)
            return iteration + 1
        run_bands(vectors.turn, chunks, rz / before if iteration else 0.0, fine.x, p)
        curvature = math.fsum(run_bands(kernels.multiply, fine.bands, *product, p, ap))
        run_bands(vectors.advance, chunks, rz / curvature, p, ap, u, r, fine.residual)
    raise MethodError(
        f"the equations of a hole of {fine.size} pixels did not converge in {MAX_ITERATIONS} iterations: "
        f"the error is still about {error:.1e}, wanted {tolerance:.1e}"
    )


def _share(error: float, first: float, tolerance: float) -> float:
    """Return how much of the way from the first error to the tolerance is done, in orders of magnitude."""
    if error <= tolerance:
        return 1.0
    return math.log(first / error) / math.log(first / tolerance) if error < first else 0.0


def v_cycle(levels: list[Level], depth: int, equation: Equation) -> None:
    """Turn the residual of a level into a correction, its ``x``."""
    level = levels[depth]
    if level.factor is not None:
        vectors.band_solve(level.factor, level.residual, level.x)
        return
    if level.down is None:  # the hole is thin here, and smoothing twice as hard will do
        _smooth(level, chebyshev(level.largest, 2 * equation.steps, 4 * equation.width), fresh=True)
        return
    gains = chebyshev(level.largest, equation.steps, equation.width)
    _smooth(level, [*gains, (0.0, 0.0)], fresh=True)
    coarse = levels[depth + 1]
    rows, columns = level.down
    taps = (rows.children, rows.taps, columns.children, columns.taps)
    from_to = (level.residual, coarse.residual)
    run_bands(kernels.restrict, coarse.bands, coarse.runs, level.runs, level.row_ptr, *taps, *from_to)
    v_cycle(levels, depth + 1, equation)
    weights = (rows.first, rows.weights, columns.first, columns.weights)
    from_to = (coarse.x, level.step)
    run_bands(
        kernels.prolong, level.bands, level.runs, coarse.runs, coarse.row_ptr, *weights, *from_to, level.x
    )
    _smooth(level, gains)


def _smooth(level: Level, gains: list[tuple[float, float]], *, fresh: bool = False) -> None:
    """Improve x by one step per pair of gains; fresh: x and the last step count as zero."""
    if fresh:
        np.multiply(level.residual, np.float32(gains[0][1]), out=level.step)
        level.x[:] = level.step
        gains = gains[1:]
    for keep, gain in gains:
        vectors_ = (level.step, level.spare, level.residual, level.x)
        run_bands(
            kernels.smooth,
            level.bands,
            level.runs,
            level.smoother,
            *vectors_,
            np.float32(keep),
            np.float32(gain),
        )
        level.step, level.spare = level.spare, level.step


def chebyshev(largest: float, steps: int, width: float) -> list[tuple[float, float]]:
    """Return (share of the last step, share of the residual) for each step of the Chebyshev iteration.

    It damps the eigenvalues from largest / width to largest most evenly.

    References
    ----------
    .. [1] Saad, Iterative Methods for Sparse Linear Systems, 2003: algorithm 12.1.
    """
    centre, radius = largest * (1 + 1 / width) / 2, largest * (1 - 1 / width) / 2
    rho = radius / centre
    gains = [(0.0, 1 / centre)]
    for _ in range(steps - 1):
        following = 1 / (2 * centre / radius - rho)
        gains.append((following * rho, 2 * following / radius))
        rho = following
    return gains
