"""Poisson's equation on the hole, for corrections that vanish at the rim."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MaskError
from lacuna.multigrid import solver
from lacuna.multigrid.levels import HARMONIC, build
from lacuna.progress import scaled
from lacuna.types import Hole, OnStep


def solve_poisson(
    right: NDArray[Any], hole: Hole, *, tolerance: float, on_step: OnStep | None = None
) -> NDArray[np.float64]:
    """Find the surface over the hole, 0 outside it, with given sums of differences to its neighbours.

    Parameters
    ----------
    right : (N, C). For each missing pixel, in reading order, the sum over its neighbours inside the picture
        of its value minus the neighbour's.
    hole : (H, W). True = missing; N of them, and at least one known.
    tolerance : largest error, in the units of the result; judged as in `solve_harmonic`.

    Returns
    -------
    (N, C), the surface on the missing pixels.

    Raises
    ------
    MaskError : every pixel is missing.

    References
    ----------
    .. [1] Pérez, Gangnet & Blake, Poisson Image Editing, ACM Trans. Graph. 22(3), 2003: equation 7.

    Examples
    --------
    >>> hole = np.array([[False, True, True, False]])
    >>> solve_poisson(np.array([[3.0], [0.0]]), hole, tolerance=1e-6).round(4).ravel().tolist()
    [2.0, 1.0]
    """
    if hole.all():
        raise MaskError("mask covers the whole image; at least one known pixel is needed")
    hole = np.ascontiguousarray(hole).view()
    hole.flags.writeable = False  # one type of argument, so that the kernels are compiled once
    levels = build(hole, HARMONIC)
    solution = np.ascontiguousarray(right.T, dtype=np.float64)
    if solution is right.base or np.shares_memory(solution, right):
        solution = solution.copy()
    for c, values in enumerate(solution):
        if values.any():
            solver.solve(
                levels,
                HARMONIC,
                values,
                0.0,
                tolerance,
                scaled(on_step, c / len(solution), (c + 1) / len(solution)),
            )
    return solution.T
