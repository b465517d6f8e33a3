"""EXIF orientation: stored pixels to upright ones, and back."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=NDArray[Any])


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the pixels as a viewer shows them; a view where possible.

    Parameters
    ----------
    pixels : (H, W) or (H, W, C), as stored.
    orientation : 1 to 8; anything else counts as 1.

    Examples
    --------
    >>> upright(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    turned = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return turned


def stored(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo `upright`: the pixels as the file stores them.

    Examples
    --------
    >>> stored(upright(np.array([[1, 2, 3]]), 6), 6).tolist()
    [[1, 2, 3]]
    """
    # A quarter turn is undone by the opposite one; everything else undoes itself.
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def contiguous(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels in C order, copied only if they are not."""
    return np.ascontiguousarray(pixels)
