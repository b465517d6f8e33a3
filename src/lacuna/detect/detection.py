"""What every detector returns, and what all of them do alike: check the input, keep to a region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, MaskError, OptionError
from lacuna.types import Box, FloatImage, Hole

Region = Hole | Box | None
"""Where to look: bool ``(H, W)``, or a box ``(top, left, bottom, right)``; None is everywhere."""


@dataclass(frozen=True, eq=False)
class Detection:
    """What a detector found.

    Parameters
    ----------
    mask : bool (H, W). True = found.
    confidence : float32 (H, W), 0 to 1. How sure the detector is that a pixel belongs to what it looks for; 0
        where it saw nothing at all. A pixel with some confidence need not be in the mask.
    notes : sentences for people.
    """

    mask: Hole
    confidence: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of the picture that was found, 0 to 1."""
        return float(self.mask.mean()) if self.mask.size else 0.0

    @property
    def pieces(self) -> int:
        """How many connected pieces the mask has; pixels that meet at a corner are connected."""
        import cv2

        return int(cv2.connectedComponents(self.mask.astype(np.uint8), connectivity=8)[0]) - 1

    def within(self, region: Region) -> Detection:
        """Return only what lies in a region.

        Raises
        ------
        MaskError : the region does not fit the picture, or is empty.
        """
        inside = region_mask(region, self.mask.shape)
        if inside is None:
            return self
        confidence = np.where(inside, self.confidence, np.float32(0))
        return Detection(self.mask & inside, confidence, self.notes)


class Detector(Protocol):
    """How every detector of one picture is called."""

    def __call__(self, image: FloatImage, *, sensitivity: float = 0.5, region: Region = None) -> Detection:
        """Return what was found; parameters and errors as in `detect`."""
        ...


Find = Callable[[FloatImage, float], Detection]
"""The heart of a detector: canon and sensitivity, both checked, to what was found in all of it."""


def detect(find: Find, image: FloatImage, *, sensitivity: float, region: Region, margin: int) -> Detection:
    """Check the input, look at the part of the picture that a region spans, and keep what lies in it.

    Parameters
    ----------
    image : (H, W, C), C = 1 or 3, [0, 1].
    sensitivity : 0 to 1.
    region : where to look.
    margin : pixels around the region's bounding box that `find` sees too, for context.

    Raises
    ------
    ImageError : not canon.
    OptionError : sensitivity is not a number from 0 to 1.
    MaskError : the region does not fit the picture, or is empty.
    """
    check_image(image)
    level = check_sensitivity(sensitivity)
    height, width = image.shape[:2]
    inside = region_mask(region, (height, width))
    if inside is None:
        return find(image, level)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    top, left = max(int(rows[0]) - margin, 0), max(int(columns[0]) - margin, 0)
    near = (slice(top, int(rows[-1]) + margin + 1), slice(left, int(columns[-1]) + margin + 1))
    seen = find(np.ascontiguousarray(image[near]), level)
    mask, confidence = np.zeros((height, width), np.bool_), np.zeros((height, width), np.float32)
    mask[near], confidence[near] = seen.mask, seen.confidence
    return Detection(mask, confidence, seen.notes).within(inside)


def check_image(image: Any) -> None:
    """Raise `ImageError` unless it is canon: float32 (H, W, 1 or 3), not empty, finite."""
    if not isinstance(image, np.ndarray) or image.dtype != np.float32 or image.ndim != 3:
        seen = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ImageError(f"a detector takes float32 (H, W, 1 or 3) in [0, 1], got {seen}")
    if image.shape[2] not in (1, 3) or image.size == 0:
        raise ImageError(f"a detector takes float32 (H, W, 1 or 3) in [0, 1], got shape {image.shape}")
    if not np.isfinite(image).all():
        raise ImageError("the picture holds NaN or infinite values; a detector cannot look at them")


def check_sensitivity(value: Any) -> float:
    """Return a sensitivity as a float, or raise `OptionError`."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise OptionError(
            f"sensitivity is {value!r}; expected a number from 0 (only what is certain) to 1 (whatever looks "
            "like it)"
        )
    return float(value)


def region_mask(region: Any, shape: tuple[int, ...]) -> Hole | None:
    """Return a region as bool (H, W); None for everywhere.

    Raises
    ------
    MaskError : of another size or type, a box without area or outside the picture, or nothing in it.

    Examples
    --------
    >>> region_mask((0, 1, 2, 9), (2, 3)).tolist()
    [[False, True, True], [False, True, True]]
    """
    if region is None:
        return None
    if isinstance(region, tuple) and len(region) == 4:
        inside = np.zeros(shape, dtype=np.bool_)
        top, left, bottom, right = (int(value) for value in region)
        inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        if not inside.any():
            raise MaskError(
                f"the region {region} holds no pixel of the {shape[1]}x{shape[0]} picture; a box is top, "
                "left, bottom, right"
            )
        return inside
    if not isinstance(region, np.ndarray) or region.dtype != np.bool_ or region.shape != tuple(shape):
        seen = f"{region.dtype} {region.shape}" if isinstance(region, np.ndarray) else repr(region)
        raise MaskError(f"a region is bool {tuple(shape)} or a box (top, left, bottom, right); got {seen}")
    if not region.any():
        raise MaskError("the region is empty; leave it out to look everywhere")
    return region


def between(sensitivity: float, strict: float, middle: float, eager: float) -> float:
    """Return a threshold for a sensitivity: ``strict`` at 0, ``middle`` at 0.5, ``eager`` at 1.

    In between it runs along straight lines on a logarithmic scale, because thresholds multiply a noise level.

    Examples
    --------
    >>> [round(between(level, 8.0, 4.0, 1.0), 6) for level in (0.0, 0.5, 0.75, 1.0)]
    [8.0, 4.0, 2.0, 1.0]
    """
    low, high = (strict, middle) if sensitivity <= 0.5 else (middle, eager)
    share = 2 * sensitivity - (sensitivity > 0.5)
    return float(low * (high / low) ** share)
