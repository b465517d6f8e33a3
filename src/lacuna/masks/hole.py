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
from lacuna.masks.grammar import is_expression, parse
from lacuna.masks.shape import dilated
from lacuna.masks.sources import Alpha
from lacuna.masks.values import Mask
from lacuna.types import Hole

ALPHA = "alpha"
SOFT_SHARE = 0.001
"""More than this share of values between nothing and everything, and the mask is called soft."""

# How notes begin that `lacuna.masks.doctor` knows.
IS_SOFT = "the mask is soft or has JPEG noise"
IN_ALPHA = "the mask is in its alpha channel"
IN_COLOUR = "the mask is in colour"

# Rec. 601, as Pillow's conversion to grey.
LUMINANCE = np.array([0.299, 0.587, 0.114])


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
    mask : path, bytes, binary file, PIL image, array, `Mask`, or an expression
        White is missing: True, or at least half of the largest value (8-bit: 128, 16-bit: 32768, float: 0.5).
        Of several channels the luminance counts, or the alpha if only that varies. A text that
        names no file may be an expression (`lacuna.masks.grammar`); ``"alpha"`` is the shortest: the
        picture's fully transparent pixels.
    shape : (H, W) of the picture.
    picture : needed for masks that look at it, such as ``"alpha"``.
    dilate : grow the hole by this many pixels, in all directions alike (Euclidean disc). After ``invert``.
    invert : black is missing instead.
    resize : accept a mask of another size and stretch it; shrinking never loses missing pixels.

    Returns
    -------
    hole : bool (H, W), new. May be empty or full: the caller decides what that means.
    notes : what was converted or looks odd.

    Raises
    ------
    MaskError : unreadable, of another size, neither bool, 8-bit, 16-bit nor float in [0, 1], or an expression
        that cannot be read or covers nothing of the picture.
    OptionError : ``dilate`` is negative or not a whole number.

    Examples
    --------
    >>> mask = np.array([[0, 127, 128, 255]], dtype=np.uint8)
    >>> to_hole(mask, (1, 4))[0].tolist()
    [[False, False, True, True]]
    """
    radius = _radius(dilate)
    mask = as_mask(mask)
    if isinstance(mask, Mask):
        hole, notes = mask.draw(shape, picture)
        if not isinstance(mask, Alpha):
            notes = (f"mask: {mask}", *notes)
    else:
        hole, notes = _read(mask, shape)
    if invert:
        hole = ~hole
    if hole.shape != shape:
        hole, told = _resized(hole, shape, allowed=resize)
        notes = (*notes, told)
    return dilated(hole, radius), notes


def as_mask(mask: Any) -> Any:
    """Return a text that is an expression as a `Mask`, and everything else as it is.

    A file of that name comes first, so that any file can be named.
    """
    if not isinstance(mask, str):
        return mask
    if mask == ALPHA:
        return Alpha()
    if is_expression(mask) and not _exists(mask):
        return parse(mask)
    return mask


def _exists(name: str) -> bool:
    try:
        return os.path.exists(name)
    except ValueError:  # a null character
        return False


def _radius(dilate: Any) -> int:
    try:
        radius = -1 if isinstance(dilate, bool) else operator.index(dilate)
    except TypeError:
        radius = -1
    if radius < 0:
        raise OptionError(f"dilate is {dilate!r}; expected a whole number of pixels, 0 or more")
    return radius


def read_mask(mask: Any, shape: tuple[int, int]) -> tuple[Hole, tuple[str, ...]]:
    """Return the hole of a mask that is drawn already, for use in an expression.

    Raises
    ------
    MaskError : unreadable, or not of the picture's size.
    """
    hole, notes = _read(mask, shape)
    if hole.shape != shape:
        there, here = (f"{s[1]}x{s[0]}" for s in (hole.shape, shape))
        name = mask if isinstance(mask, str | os.PathLike) else "a mask"
        raise MaskError(
            f"{name} is {there}, the picture is {here}; masks that are combined must have the picture's size"
            + _turned(hole.shape, shape)
        )
    return hole, notes


def _read(mask: Any, shape: tuple[int, int]) -> tuple[Hole, tuple[str, ...]]:
    values, notes = _open(mask, max(DEFAULT_MAX_PIXELS, shape[0] * shape[1]))
    level, more = _one_channel(values)
    hole, soft = _cut(level)
    return hole, (*notes, *more, *soft)


def _open(mask: Any, max_pixels: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the mask's native values, upright."""
    if isinstance(mask, np.ndarray):
        # Not through the door: what a picture may be and what a mask may be differ.
        return mask, ()
    try:
        picture = open_image(mask, max_pixels=max_pixels)
    except ImageError as error:
        if isinstance(mask, str) and not os.path.exists(mask):
            raise MaskError(
                f"mask {mask} does not exist (or say 'alpha' for the picture's own, or box:x,y,width,height)"
            ) from error
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
            f"{IN_ALPHA} (the colour is the same everywhere): opaque is missing; "
            "invert it if transparent should be",
        )
    level, notes = _grey(colour)
    laid = (level.astype(np.float64) * (alpha / opaque)).astype(level.dtype)
    return laid, (*notes, "the mask has colours and transparency: it was laid on black")


def _grey(colour: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    first = colour[..., 0]
    if all(np.array_equal(first, colour[..., i]) for i in range(1, colour.shape[2])):
        return first, ()
    level = colour.astype(np.float64) @ LUMINANCE
    if colour.dtype.kind in "ub":
        level = np.rint(level)
    return level.astype(colour.dtype), (f"{IN_COLOUR}: its luminance was taken",)


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
        f"{IS_SOFT}: {100 * between:.1f} % of its values lie between nothing and everything, it was cut at "
        f"{half:g}; save masks as PNG, and grow this one if a rim is left: --dilate 2 (dilate=2)",
    )


def _resized(hole: Hole, shape: tuple[int, int], *, allowed: bool) -> tuple[Hole, str]:
    there, here = (f"{s[1]}x{s[0]}" for s in (hole.shape, shape))
    if not allowed:
        raise MaskError(
            f"the mask is {there}, the picture is {here}; give a mask of the picture's size, or accept this "
            "one stretched: --resize-mask (resize_mask=True)" + _turned(hole.shape, shape)
        )
    words = f"the mask was resized from {there} to {here}"
    if hole.shape[0] * shape[1] != hole.shape[1] * shape[0]:
        words += ", which changes its proportions"
    return _stretched(_stretched(hole, shape[0], 0), shape[1], 1), words


def _turned(there: tuple[int, ...], here: tuple[int, int]) -> str:
    """Return a hint if the sizes differ by a quarter turn."""
    if there != here[::-1]:
        return ""
    return (
        ". Its sides are those of the picture, swapped: it was probably drawn on a picture lying on its side"
    )


def _stretched(hole: Hole, length: int, axis: int) -> Hole:
    """Return the hole with another length along an axis: repeated, or True where any of the merged is."""
    before = hole.shape[axis]
    starts = (np.arange(length) * before) // length
    if length >= before:
        repeated: Hole = np.take(hole, starts, axis=axis)
        return repeated
    merged: Hole = np.logical_or.reduceat(hole, starts, axis=axis)
    return merged
