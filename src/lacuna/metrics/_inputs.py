"""Checks that all figures share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, MaskError
from lacuna.types import FloatImage, Hole

Doubles = NDArray[np.float64]


def check_picture(image: FloatImage, name: str = "picture") -> None:
    """Raise ImageError unless the array is a canon picture of at least one pixel."""
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.size == 0 or image.dtype.kind != "f":
        raise ImageError(
            f"{name} is {image.dtype} of shape {image.shape}; expected floats of shape (H, W, 1) or (H, W, 3)"
        )


def check_pair(image: FloatImage, truth: FloatImage) -> None:
    """Raise ImageError unless both are canon pictures of one shape."""
    check_picture(image)
    check_picture(truth, "truth")
    if image.shape != truth.shape:
        raise ImageError(f"the picture is {image.shape} and the truth {truth.shape}; they must be alike")


def check_hole(hole: Hole, image: FloatImage) -> None:
    """Raise MaskError unless the hole is bool, of the picture's size, and not empty."""
    if hole.dtype != np.bool_ or hole.shape != image.shape[:2]:
        raise MaskError(
            f"the hole is {hole.dtype} {hole.shape}; expected bool {image.shape[:2]}, True where missing"
        )
    if not hole.any():
        raise MaskError("the hole is empty, so there is nothing to measure in it")


def differences(image: FloatImage, truth: FloatImage, hole: Hole | None) -> Doubles:
    """Return image minus truth in double precision, of all pixels or of the missing ones.

    Raises
    ------
    ImageError, MaskError : shapes or types that do not fit; an empty hole.
    """
    check_pair(image, truth)
    if hole is None:
        return image.astype(np.float64) - truth
    check_hole(hole, image)
    return image[hole].astype(np.float64) - truth[hole]


def check_features(first: NDArray[np.floating], second: NDArray[np.floating], least: int) -> None:
    """Raise ImageError unless both are finite ``(N, D)`` of one D with at least so many rows."""
    for features in (first, second):
        if features.ndim != 2 or len(features) < least or features.shape[1] == 0:
            raise ImageError(
                f"features have shape {features.shape}; expected (N, D) with N of {least} or more"
            )
        if not np.isfinite(features).all():
            raise ImageError("features hold values that are not finite")
    if first.shape[1] != second.shape[1]:
        raise ImageError(f"features have {first.shape[1]} and {second.shape[1]} columns; they must be alike")
