"""The loops of the solver that know nothing of pixels: vectors, and the banded Cholesky factor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.jit import jit

Array = NDArray[Any]

SINGULAR = 1e-12  # share of its diagonal below which a pivot is taken for zero
HUGE = 1e150  # … and becomes this: an unknown that nothing determines is then not corrected


@jit
def band_factor(band: Array) -> Array:
    """Overwrite a banded matrix (size, bandwidth + 1) with its Cholesky factor, and return it.

    Entry d of a row is d places left of the diagonal.
    """
    size, bandwidth = band.shape[0], band.shape[1] - 1
    for i in range(size):
        for d in range(min(i, bandwidth), -1, -1):
            j = i - d
            total = diagonal = band[i, d]
            for m in range(max(0, i - bandwidth), j):
                total -= band[i, i - m] * band[j, j - m]
            if d:
                band[i, d] = total / band[j, 0]
            else:
                band[i, d] = np.sqrt(total) if total > SINGULAR * diagonal else HUGE
    return band


@jit
def band_solve(factor: Array, right: Array, x: Array) -> None:
    """Solve the equations with their Cholesky factor."""
    size, reach = factor.shape
    work = right.astype(np.float64)
    for i in range(size):
        for d in range(1, min(i + 1, reach)):
            work[i] -= factor[i, d] * work[i - d]
        work[i] /= factor[i, 0]
    for i in range(size - 1, -1, -1):
        work[i] /= factor[i, 0]
        for d in range(1, min(i + 1, reach)):
            work[i - d] -= factor[i, d] * work[i]
    for i in range(size):
        x[i] = work[i]


@jit(fastmath=True)
def advance(
    start: int, stop: int, alpha: float, p: Array, ap: Array, u: Array, r: Array, rough: Array
) -> None:
    """Go alpha along p: u and its residual r follow; rough is that residual in single precision."""
    for i in range(start, stop):
        u[i] += alpha * p[i]
        r[i] -= alpha * ap[i]
        rough[i] = r[i]


@jit(fastmath=True)
def turn(start: int, stop: int, beta: float, z: Array, p: Array) -> None:
    """Make the next search direction, z + beta · p."""
    for i in range(start, stop):
        p[i] = z[i] + beta * p[i]


@jit(fastmath=True)
def measure(start: int, stop: int, r: Array, z: Array) -> tuple[float, float]:
    """Return r · z and the largest |z|."""
    total, largest = 0.0, 0.0
    for i in range(start, stop):
        total += r[i] * z[i]
        largest = max(largest, abs(z[i]))
    return total, largest
