"""Masks as runs: what pages and programs send instead of a picture."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MaskError
from lacuna.types import Hole


def encode(hole: Hole) -> dict[str, Any]:
    """Return a hole as runs inside its bounding box, row by row, beginning with known pixels.

    Examples
    --------
    >>> encode(np.array([[False, False, False], [False, True, False]]))
    {'left': 1, 'top': 1, 'width': 1, 'height': 1, 'counts': [0, 1]}
    """
    rows = np.flatnonzero(hole.any(axis=1))
    if not rows.size:
        return {"left": 0, "top": 0, "width": 0, "height": 0, "counts": []}
    columns = np.flatnonzero(hole.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    part = hole[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    flat = part.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], ends, [flat.size]]))
    runs = ([0] if flat[0] else []) + counts.tolist()
    return {"left": left, "top": top, "width": part.shape[1], "height": part.shape[0], "counts": runs}


def decode(told: Any, shape: tuple[int, int]) -> Hole:
    """Return the hole that runs describe, in a picture of a size.

    Parameters
    ----------
    told : ``left``, ``top``, ``width``, ``height``, ``counts``, as `encode` gives them; from anybody.
    shape : (H, W).

    Raises
    ------
    MaskError : a rectangle outside of the picture, or runs that do not fill it.

    Examples
    --------
    >>> decode({"left": 1, "top": 0, "width": 2, "height": 1, "counts": [1, 1]}, (1, 3)).tolist()
    [[False, False, True]]
    """
    height, width = shape
    try:
        left, top, wide, high = (_whole(told[name]) for name in ("left", "top", "width", "height"))
        counts = _counts(told["counts"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MaskError(
            "runs are an object with left, top, width, height and counts, all whole numbers of 0 or more"
        ) from error
    if left + wide > width or top + high > height:
        raise MaskError(
            f"the runs cover {wide}x{high} at {left},{top}, beyond the {width}x{height} picture; "
            "send the mask for the version that is shown"
        )
    if (counts > wide * high).any() or int(counts.sum()) != wide * high:
        raise MaskError(f"the runs add up to {int(counts.sum())} pixels; the rectangle has {wide * high}")
    hole = np.zeros(shape, dtype=np.bool_)
    values = np.arange(counts.size) % 2 == 1
    hole[top : top + high, left : left + wide] = np.repeat(values, counts).reshape(high, wide)
    return hole


def parse(text: str) -> Any:
    """Return what the text of runs says, for `decode`.

    Raises
    ------
    MaskError : it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MaskError(
            "the runs of the mask are not JSON; send left, top, width, height and counts"
        ) from error


def as_png(hole: Hole) -> bytes:
    """Return a hole as a PNG, white on black, one bit a pixel."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(hole).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _counts(values: Any) -> NDArray[np.int64]:
    if not isinstance(values, list):
        raise TypeError(values)
    counts = np.asarray(values) if values else np.zeros(0, np.int64)
    if counts.ndim != 1 or counts.dtype != np.int64 or (counts < 0).any():
        raise TypeError("not whole numbers of 0 or more")
    return counts


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
        raise TypeError(value)
    return value
