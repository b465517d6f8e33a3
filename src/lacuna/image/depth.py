"""Native values to canon and back.

Unsigned 8- and 16-bit values are value / maximum. Floats inside [0, 1] stay as they are. Everything else
(floats beyond [0, 1], signed and 32-bit integers: depth maps, elevation, scans) is mapped by the smallest and
the largest known value, so that a method always sees [0, 1], and mapped back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError
from lacuna.types import FloatImage

SUPPORTED = "bool, uint8, uint16, uint32, int8, int16, int32, float16, float32, float64"


@dataclass(frozen=True)
class Scale:
    """A linear map: native = low + canon × (high − low)."""

    low: float
    high: float

    @property
    def span(self) -> float:
        """High − low, or 1 where that is 0."""
        return self.high - self.low or 1.0


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse dtypes that have no sensible canon.

    Raises
    ------
    ImageError : names the supported ones.
    """
    if dtype.name not in SUPPORTED.split(", "):
        raise ImageError(f"pixels of type {dtype.name} are not supported; supported: {SUPPORTED}")


def is_fixed(dtype: np.dtype[Any]) -> bool:
    """Say whether the scale follows from the dtype alone."""
    return dtype.kind == "b" or (dtype.kind == "u" and dtype.itemsize <= 2)


def full_scale(dtype: np.dtype[Any]) -> float:
    """Return the value that stands for opaque, or white: the largest integer, or 1."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def scale_for(values: NDArray[Any], known: NDArray[np.bool_]) -> Scale:
    """Return the scale of a picture.

    Parameters
    ----------
    values : (H, W, C), native, without alpha.
    known : (H, W). What is not known does not count.

    Raises
    ------
    ImageError : a known value is NaN or infinite.
    """
    dtype = values.dtype
    if is_fixed(dtype):
        return Scale(0.0, full_scale(dtype))
    inside = values if known.all() else values[known]
    if inside.size == 0:
        return Scale(0.0, 1.0)
    low, high = float(inside.min()), float(inside.max())
    # min and max carry NaN and infinity, so two numbers tell about all of them.
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int((~np.isfinite(inside)).any(axis=-1).sum())
        some = "1 known pixel is" if bad == 1 else f"{bad} known pixels are"
        raise ImageError(
            f"{some} NaN or infinite; only what lies under the mask may be: add "
            f"{'it' if bad == 1 else 'those pixels'} to the mask, or replace {'it' if bad == 1 else 'them'}"
        )
    if dtype.kind == "f" and low >= 0.0 and high <= 1.0:
        return Scale(0.0, 1.0)
    return Scale(low, high)


def decode(values: NDArray[Any], scale: Scale) -> FloatImage:
    """Return native values as float32 canon, a new array; non-finite values become 0.

    Examples
    --------
    >>> decode(np.array([0, 51, 255], dtype=np.uint8), Scale(0, 255)).tolist()
    [0.0, 0.20000000298023224, 1.0]
    """
    if is_fixed(values.dtype):
        canon: FloatImage = np.divide(values, np.float32(scale.high), dtype=np.float32)
        return canon
    if scale == Scale(0.0, 1.0) and values.dtype.itemsize <= 4:
        canon = values.astype(np.float32)
    else:
        canon = ((values.astype(np.float64) - scale.low) / scale.span).astype(np.float32)
    # Only values under the hole can be outside [0, 1] or not finite; methods must not meet them.
    np.nan_to_num(canon, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(canon, 0.0, 1.0, out=canon)
    return canon


def encode(canon: NDArray[Any], scale: Scale, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return canon values in the native type: the nearest integer, or the float itself.

    Examples
    --------
    >>> encode(np.array([-0.1, 0.2, 1.0]), Scale(0, 65535), np.dtype(np.uint16)).tolist()
    [0, 13107, 65535]
    """
    inside = np.clip(canon, 0.0, 1.0).astype(np.float64)
    native: NDArray[Any] = scale.low + inside * (scale.high - scale.low)
    if dtype.kind == "b":
        native = inside >= 0.5
    elif dtype.kind in "ui":
        np.rint(native, out=native)
    return native.astype(dtype)
