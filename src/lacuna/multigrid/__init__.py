"""The smoothest surface over a hole: membranes and thin plates, for holes of any size and shape.

The cost is linear in the hole's area, in time and in memory, whatever the size of the picture. Results do not
depend on the number of threads.

This package loads numba when it is imported; import it where it is needed.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, MaskError
from lacuna.jit import run_bands
from lacuna.multigrid import kernels, solver
from lacuna.multigrid.levels import HARMONIC, PLATE, Equation, build, grid_of
from lacuna.multigrid.runs import scatter
from lacuna.progress import scaled
from lacuna.types import FloatImage, Hole, OnStep

__all__ = ["fill_biharmonic", "fill_harmonic", "solve_biharmonic", "solve_harmonic"]

Values = TypeVar("Values", bound=NDArray[Any])

TOLERANCE = 1e-4
NARROW = 8


def fill_harmonic(
    image: FloatImage, hole: Hole, *, tolerance: float = TOLERANCE, on_step: OnStep | None = None
) -> FloatImage:
    """Fill the hole with the smoothest surface that meets its rim, a soap film.

    Parameters
    ----------
    image : (H, W, C), any range. What lies under the hole is ignored.
    hole : (H, W). True = missing. At least one pixel must be known.
    tolerance : see `solve_harmonic`.

    Returns
    -------
    (H, W, C), new array. Never brighter or darker than the rim (maximum principle).

    Raises
    ------
    MaskError : every pixel is missing, or the sizes differ.
    ImageError : a pixel at the rim is not finite.

    References
    ----------
    .. [1] Chan & Shen, Mathematical Models for Local Nontexture Inpaintings, 2002.

    Examples
    --------
    >>> ramp = np.array([0, 9, 9, 9, 1], dtype=np.float32).reshape(1, 5, 1)
    >>> fill_harmonic(ramp, ramp[..., 0] == 9).ravel().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return _solve(image, hole, HARMONIC, tolerance, True, on_step)


def fill_biharmonic(
    image: FloatImage,
    hole: Hole,
    *,
    clamp: bool = True,
    tolerance: float = TOLERANCE,
    on_step: OnStep | None = None,
) -> FloatImage:
    """Fill the hole with a thin plate, which continues the values and the slopes at its rim.

    Parameters
    ----------
    image : (H, W, C), any range. What lies under the hole is ignored.
    hole : (H, W). True = missing. At least one pixel must be known.
    clamp : keep the fill of each channel between the lowest and the highest known value within two pixels of
        the hole. A plate that continues the slope of a textured rim otherwise overshoots in large holes;
        turn it off where the true surface may well rise above its rim.
    tolerance : see `solve_biharmonic`.

    Returns
    -------
    (H, W, C), new array.

    Raises
    ------
    MaskError : every pixel is missing, or the sizes differ.
    ImageError : a pixel at the rim is not finite.

    Notes
    -----
    The 13-point stencil of [1]_ inside the picture. At the picture's edge the plate is free, so that a plane
    is continued as a plane up to the edge; scikit-image mirrors the picture there, which makes slopes vanish.
    Clamping to the rim is our deviation; scikit-image clamps to the range of the whole picture.

    References
    ----------
    .. [1] Damelin & Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions, Int. J. Math.
       Math. Sci. 2018, 3950312, doi:10.1155/2018/3950312.
    .. [2] Chui & Mhaskar, MRA Contextual-Recovery Extension of Smooth Functions on Manifolds, Appl. Comput.
       Harmon. Anal. 28, 2010, doi:10.1016/j.acha.2009.04.004.

    Examples
    --------
    >>> square = np.array([0, 1, 4, 9, 16, 25, 36, 49], dtype=np.float32).reshape(1, 8, 1)
    >>> hole = np.array([[False, False, False, True, True, False, False, False]])
    >>> fill_biharmonic(square, hole)[0, 3:5, 0].round(3).tolist()
    [9.0, 16.0]
    """
    return _solve(image, hole, PLATE, tolerance, clamp, on_step)


def solve_harmonic(
    values: Values, unknown: Hole, *, tolerance: float = TOLERANCE, on_step: OnStep | None = None
) -> Values:
    """Spread known values over the unknown pixels so that each is the mean of its neighbours.

    Given the difference between two pictures at the rim of a hole, this is the membrane that makes one of
    them meet the other [1]_. Only known values within two pixels of an unknown one are read.

    Parameters
    ----------
    values : (H, W) or (H, W, C), float, any range.
    unknown : (H, W). True = to be solved for. Beyond the picture's edge there is nothing (free edge).
    tolerance : largest error, as a share of the range of the known values at the rim. It is judged by the
        correction that a V-cycle would still make, and was kept on all shapes tried; a plate that is held by
        a line one pixel wide may be off by four times as much. 1e-2 takes two thirds of the time and is
        below what can be seen in a soft correction.

    Returns
    -------
    Like values, new array.

    Raises
    ------
    MaskError : every pixel is unknown, or the sizes differ.
    ImageError : a value at the rim is not finite.

    References
    ----------
    .. [1] Pérez, Gangnet & Blake, Poisson Image Editing, ACM Trans. Graph. 22(3), 2003: equation 10.

    Examples
    --------
    >>> rim = np.array([[0.0, 7, 7, 3]])
    >>> solve_harmonic(rim, rim == 7).round(6).tolist()
    [[0.0, 1.0, 2.0, 3.0]]
    """
    return _solve(values, unknown, HARMONIC, tolerance, False, on_step)


def solve_biharmonic(
    values: Values, unknown: Hole, *, tolerance: float = TOLERANCE, on_step: OnStep | None = None
) -> Values:
    """Continue known values over the unknown pixels as a thin plate with free edges.

    As `solve_harmonic`, with the plate of `fill_biharmonic`. Where the known pixels do not hold the plate
    (all of them on one line, and the picture's edge free) the answer is one of many.
    """
    return _solve(values, unknown, PLATE, tolerance, False, on_step)


def _solve(
    values: Values, hole: Hole, equation: Equation, tolerance: float, clamp: bool, on_step: OnStep | None
) -> Values:
    if values.shape[:2] != hole.shape:
        raise MaskError(f"the mask is {hole.shape[::-1]} pixels, the picture {values.shape[1::-1]}")
    if not hole.any():
        return values.copy()
    if hole.all():
        raise MaskError("mask covers the whole image; at least one known pixel is needed")
    out = np.array(values, dtype=np.result_type(values.dtype, np.float32), order="C")
    canvas, hole = out.reshape(*hole.shape, -1), np.ascontiguousarray(hole)
    if hole.shape[0] <= NARROW < hole.shape[1]:  # a strip is solved directly, if it runs down and not across
        turned = np.ascontiguousarray(canvas.swapaxes(0, 1))
        _solve_upright(turned, np.ascontiguousarray(hole.T), equation, tolerance, clamp, on_step)
        canvas[:] = turned.swapaxes(0, 1)
    else:
        _solve_upright(canvas, hole, equation, tolerance, clamp, on_step)
    return cast(Values, out)


def _solve_upright(
    canvas: NDArray[Any],
    hole: Hole,
    equation: Equation,
    tolerance: float,
    clamp: bool,
    on_step: OnStep | None,
) -> None:
    """Overwrite the missing values of canvas (H, W, C)."""
    hole = hole.view()
    hole.flags.writeable = False  # one type of argument, so that the kernels are compiled once
    levels = build(hole, equation)
    fine = levels[0]
    solution = np.empty((canvas.shape[2], fine.size))
    grid = grid_of(fine.runs, fine.row_ptr, equation.mix, fine.rows, fine.columns)
    rims = np.stack(run_bands(kernels.right_side, fine.bands, grid, canvas, hole, solution))
    low, high, mean = rims[:, 0].min(0), rims[:, 1].max(0), rims[:, 2].sum(0) / rims[:, 3].sum(0)
    if not np.isfinite(mean).all():
        raise ImageError("a known pixel next to the hole is not finite (NaN or infinite)")
    for c in range(len(solution)):
        channel = scaled(on_step, c / len(solution), (c + 1) / len(solution))
        if low[c] < high[c]:
            solver.solve(levels, equation, solution[c], mean[c], tolerance * (high[c] - low[c]) / 2, channel)
        else:
            solution[c] = mean[c]
        if clamp or low[c] == high[c]:
            np.clip(solution[c], low[c], high[c], out=solution[c])
    run_bands(scatter, fine.bands, fine.runs, solution, canvas)
