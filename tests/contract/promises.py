"""What several files of this folder ask of every method."""

from __future__ import annotations

from typing import Any

import numpy as np

from lacuna.inpainting import Inpainter, Result


def checked(method: Inpainter, picture: np.ndarray, hole: np.ndarray, **how: Any) -> Result:
    """Fill read-only arrays and check all that is promised of every result."""
    given = picture.copy(), hole.copy()
    locked = picture.view(), hole.view()
    for array in locked:
        array.flags.writeable = False
    result = method.run(*locked, **how)
    assert np.array_equal(picture, given[0])
    assert np.array_equal(hole, given[1])
    assert not np.shares_memory(result.image, picture)
    exact(result, picture, hole)
    return result


def exact(result: Result, picture: np.ndarray, hole: np.ndarray) -> None:
    """Check that a result is a picture of the same kind, with every known pixel as it was."""
    assert (result.image.shape, result.image.dtype) == (picture.shape, picture.dtype)
    assert np.isfinite(result.image).all()
    assert np.array_equal(result.image[~hole], picture[~hole])
    assert result.changed_outside == 0


def some_hole(height: int, width: int) -> np.ndarray:
    """Return a hole near the middle of a picture of any size."""
    hole = np.zeros((height, width), dtype=bool)
    hole[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = True
    return hole


def holes() -> dict[str, np.ndarray]:
    """Return holes of 33 by 41 pixels that are hard, each in its own way."""
    made = {n: np.zeros((33, 41), dtype=bool) for n in ("pixel", "corner", "huge", "lines", "known", "apart")}
    made["pixel"][17, 20] = True
    made["corner"][-7:, -9:] = True
    made["huge"][2:-2, 4:] = True
    made["lines"][1::2] = True
    made["known"][...] = True
    made["known"][16, 20] = False
    made["apart"][3:6, 3:9] = made["apart"][20:28, 30:36] = made["apart"][30, 2] = True
    return made
