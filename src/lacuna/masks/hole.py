"""A mask of any kind to a hole, and the usual mistakes told or refused."""

from __future__ import annotations

import operator
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, MaskError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, open_image
from lacuna.image.container import channels, has_alpha
from lacuna.image.depth import full_scale
from lacuna.types import Hole

ALPHA = "alpha"
SOFT_SHARE = 0.001
"""More than this share of values between nothing and everything, and the mask is called soft."""

# Rec. 601, as Pillow's conversion to grey.
_LUMINANCE = np.array([0.299, 0.587, 0.114])


def to_hole(
    mask: Any,
    shape: tuple[int, int],
    *,
    picture: Picture | None = None,
    dilate: int = 0,
    invert: bool = False,
    resize: bool = False,
) -> tuple[Hole, tuple[str, ...]]:
    """Return the hole that a mask describes, and what was noticed on the way.

    Parameters
    ----------
    mask : path, bytes, binary file, PIL image, array, or ``"alpha"``
        White is missing: True, or at least half of the largest value (8-bit: 128, 16-bit: 32768, float: 0.5).
        Of several channels the luminance counts, or the alpha if only that varies. ``"alpha"`` takes the
        picture's fully transparent pixels.
    shape : (H, W) of the picture.
    picture : needed for ``"alpha"``.
    dilate : grow the hole by this many pixels, in all directions alike (Euclidean disc). After ``invert``.
    invert : black is missing instead.
    resize : accept a mask of another size and stretch it; shrinking never loses missing pixels.

    Returns
    -------
    hole : bool (H, W), new. May be empty or full: the caller decides what that means.
    notes : what was converted or looks odd.

    Raises
    ------
    MaskError : unreadable, of another size, or neither bool, 8-bit, 16-bit nor float in [0, 1].
    OptionError : ``dilate`` is negative or not a whole number.

    Examples
    --------
    >>> mask = np.array([[0, 127, 128, 255]], dtype=np.uint8)
    >>> to_hole(mask, (1, 4))[0].tolist()
    [[False, False, True, True]]
    """
    radius = _radius(dilate)
    if isinstance(mask, str) and mask == ALPHA:
        hole, notes = _from_alpha(picture)
    else:
        values, notes = _open(mask, max(DEFAULT_MAX_PIXELS, shape[0] * shape[1]))
        level, more = _one_channel(values)
        hole, soft = _cut(level)
        notes = (*notes, *more, *soft)
    if invert:
        hole = ~hole
    if hole.shape != shape:
        hole, told = _resized(hole, shape, allowed=resize)
        notes = (*notes, told)
    return _dilated(hole, radius), notes


def _radius(dilate: Any) -> int:
    try:
        radius = -1 if isinstance(dilate, bool) else operator.index(dilate)
    except TypeError:
        radius = -1
    if radius < 0:
        raise OptionError(f"dilate is {dilate!r}; expected a whole number of pixels, 0 or more")
    return radius


def _from_alpha(picture: Picture | None) -> tuple[Hole, tuple[str, ...]]:
    if picture is None or picture.alpha is None:
        raise MaskError("the picture has no alpha channel to take the mask from; give a mask file or array")
    alpha = picture.alpha
    hole = picture.alpha_hole()
    partly = int(np.count_nonzero(picture.known & (alpha < full_scale(alpha.dtype))))
    if partly:
        return hole, (f"{partly} partly transparent pixels count as known; only alpha 0 is missing",)
    return hole, ()


def _open(mask: Any, max_pixels: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the mask's native values, upright."""
    if isinstance(mask, np.ndarray):
        # Not through the door: what a picture may be and what a mask may be differ.
        return mask, ()
    try:
        picture = open_image(mask, max_pixels=max_pixels)
    except ImageError as error:
        if isinstance(mask, str) and not os.path.exists(mask):
            raise MaskError(f"mask {mask} does not exist (or say 'alpha' for the picture's own)") from error
        raise MaskError(f"the mask cannot be used: {error}") from error
    values, notes = picture.pixels, tuple(f"mask: {note}" for note in picture.notes)
    if picture.kind == "pil" and values.dtype == np.int32:
        values = _mode_i(values)
    return values, notes


def _mode_i(values: NDArray[Any]) -> NDArray[Any]:
    """Return PIL's 32-bit mode I as the 16 bits that it usually carries."""
    if values.min() < 0 or values.max() > 65535:
        raise MaskError("a PIL mask of mode I holds values beyond 0 … 65535; convert it to L")
    return values.astype(np.uint16)


def _one_channel(values: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return (H, W): the channel that holds the mask.

    Raises
    ------
    MaskError : not (H, W) or (H, W, 1 to 4), or empty.
    """
    if values.ndim not in (2, 3) or values.size == 0 or not 1 <= channels(values) <= 4:
        raise MaskError(f"a mask of shape {values.shape} was given; expected (H, W) or (H, W, 1 to 4)")
    if values.ndim == 2:
        return values, ()
    if not has_alpha(values):
        return _grey(values)
    colour, alpha = values[..., :-1], values[..., -1]
    opaque = full_scale(alpha.dtype)
    if (alpha == opaque).all():
        return _grey(colour)
    visible = colour[alpha > 0]
    if len(visible) == 0 or (visible == visible[0]).all():
        return alpha, (
            "the mask is in its alpha channel (the colour is the same everywhere): opaque is missing; "
            "invert it if transparent should be",
        )
    level, notes = _grey(colour)
    laid = (level.astype(np.float64) * (alpha / opaque)).astype(level.dtype)
    return laid, (*notes, "the mask has colours and transparency: it was laid on black")


def _grey(colour: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    first = colour[..., 0]
    if all(np.array_equal(first, colour[..., i]) for i in range(1, colour.shape[2])):
        return first, ()
    level = colour.astype(np.float64) @ _LUMINANCE
    if colour.dtype.kind in "ub":
        level = np.rint(level)
    return level.astype(colour.dtype), ("the mask is in colour: its luminance was taken",)


def _cut(level: NDArray[Any]) -> tuple[Hole, tuple[str, ...]]:
    """Return what is at least half of the largest possible value.

    Raises
    ------
    MaskError : a type whose half is not clear, or floats outside [0, 1].
    """
    dtype = level.dtype
    if dtype == np.bool_:
        return level.copy(), ()
    if dtype.kind == "f":
        if not (np.isfinite(level).all() and level.min() >= 0 and level.max() <= 1):
            raise MaskError(
                "a float mask holds values outside 0 … 1, or NaN; scale it, or compare it yourself"
            )
        top, half = 1.0, 0.5
    elif dtype.kind == "u" and dtype.itemsize <= 2:
        top = full_scale(dtype)
        half = (top + 1) / 2
        if level.max() == 1:
            return level == 1, (f"the {dtype.name} mask holds only 0 and 1: 1 was taken as missing",)
    else:
        raise MaskError(
            f"a mask of type {dtype.name} was given; expected bool, uint8, uint16 or float in 0 … 1 "
            "(for example mask != 0)"
        )
    hole: Hole = np.asarray(level >= half)
    between = np.count_nonzero((level > 0) & (level < top)) / level.size
    if between <= SOFT_SHARE:
        return hole, ()
    return hole, (
        f"the mask is soft or has JPEG noise: {100 * between:.1f} % of its values lie between nothing and "
        f"everything; it was cut at {half:g}",
    )


def _resized(hole: Hole, shape: tuple[int, int], *, allowed: bool) -> tuple[Hole, str]:
    there, here = (f"{s[1]}x{s[0]}" for s in (hole.shape, shape))
    if not allowed:
        raise MaskError(
            f"the mask is {there}, the picture is {here}; give a mask of the picture's size, or accept this "
            "one stretched: --resize-mask (resize_mask=True)"
        )
    words = f"the mask was resized from {there} to {here}"
    if hole.shape[0] * shape[1] != hole.shape[1] * shape[0]:
        words += ", which changes its proportions"
    return _stretched(_stretched(hole, shape[0], 0), shape[1], 1), words


def _stretched(hole: Hole, length: int, axis: int) -> Hole:
    """Return the hole with another length along an axis: repeated, or True where any of the merged is."""
    before = hole.shape[axis]
    starts = (np.arange(length) * before) // length
    if length >= before:
        repeated: Hole = np.take(hole, starts, axis=axis)
        return repeated
    merged: Hole = np.logical_or.reduceat(hole, starts, axis=axis)
    return merged


def _dilated(hole: Hole, radius: int) -> Hole:
    """Return every pixel within a distance of a missing one."""
    if radius == 0 or not hole.any():
        return hole
    import cv2

    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    top, left = max(rows[0] - radius, 0), max(columns[0] - radius, 0)
    near = (slice(top, rows[-1] + radius + 1), slice(left, columns[-1] + radius + 1))
    away = cv2.distanceTransform((~hole[near]).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    out = hole.copy()
    # Squared distances are whole numbers; half of one absorbs the rounding of the root.
    out[near] = np.square(away) <= radius * radius + 0.5
    return out
