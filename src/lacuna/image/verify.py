"""How many known pixels differ between two pictures, anybody's, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, MaskError
from lacuna.image.container import DEFAULT_MAX_PIXELS, Pixels, has_alpha
from lacuna.image.depth import full_scale
from lacuna.image.picture import Picture, colour_of
from lacuna.image.reading import open_image
from lacuna.types import Hole

_BAND = 2**22


@dataclass(frozen=True)
class Verification:
    """What a comparison of the known pixels found.

    Parameters
    ----------
    known : pixels outside the hole.
    changed : those that differ in any channel, alpha included.
    max_difference, mean_difference : over all channels of the known pixels, in the unit of ``type``.
    type : the numpy name of the deeper of the two types, ``uint8`` for ordinary files.
    notes : what was converted to compare.
    """

    known: int
    changed: int
    max_difference: float
    mean_difference: float
    type: str
    notes: tuple[str, ...] = ()


def count_changed(before: Picture, after: Picture, hole: Hole) -> int:
    """Return how many pixels outside the hole differ in any channel, alpha included, bit for bit.

    Raises
    ------
    ImageError : the pictures differ in shape or type.
    """
    a, b = before.pixels, after.pixels
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ImageError(f"cannot compare {a.dtype} {a.shape} with {b.dtype} {b.shape} bit for bit")
    return int(np.count_nonzero(differing(a, b) & ~before.check_hole(hole)))


def differing(a: Pixels, b: Pixels) -> NDArray[np.bool_]:
    """Return (H, W), True where any channel differs; equal bits are equal, NaN included."""
    different: NDArray[np.bool_] = _bits(a) != _bits(b)
    if different.ndim == 2:
        return different
    # A reduction over a short last axis is slow; a few whole-image operations are not.
    out = different[..., 0].copy()
    for channel in range(1, different.shape[2]):
        out |= different[..., channel]
    return out


def _bits(pixels: Pixels) -> NDArray[Any]:
    return pixels.view(f"u{pixels.dtype.itemsize}") if pixels.dtype.kind == "f" else pixels


def verify_files(
    before: Any, after: Any, hole: Hole | None = None, *, max_pixels: int | None = DEFAULT_MAX_PIXELS
) -> Verification:
    """Compare two pictures outside a hole.

    Parameters
    ----------
    before, after : anything that `open_image` opens, of any format and depth; both are turned upright.
    hole : (H, W). True is missing. None: compare everything.

    Raises
    ------
    ImageError : cannot be opened, or the sizes differ.
    MaskError : the hole has another size.
    """
    first, second = (open_image(source, max_pixels=max_pixels) for source in (before, after))
    if hole is None:
        hole = np.zeros(first.shape, dtype=np.bool_)
    return compare(first, second, hole)


def compare(before: Picture, after: Picture, hole: Hole) -> Verification:
    """Compare two open pictures; see `verify_files`."""
    if before.shape != after.shape:
        raise ImageError(
            f"the pictures differ in size: before is {before.size}, after is {after.size}; nothing to compare"
        )
    if hole.shape != before.shape:
        raise MaskError(f"the mask is {hole.shape[1]}x{hole.shape[0]}, the pictures are {before.size}")
    first, second = before.pixels, after.pixels
    deeper = _deeper(first.dtype, second.dtype)
    grey = max(colour_of(p).shape[2] for p in (first, second)) == 1
    alpha = has_alpha(first) or has_alpha(second)
    known = changed = values = 0
    largest = total = 0.0
    rows = max(1, _BAND // max(before.shape[1], 1))
    for top in range(0, before.shape[0], rows):
        keep = ~hole[top : top + rows]
        a, b = (
            _as_common(p[top : top + rows], deeper, grey=grey, alpha=alpha)[keep] for p in (first, second)
        )
        different = (a != b) & ~(np.isnan(a) & np.isnan(b))
        known += len(a)
        changed += int(np.count_nonzero(different.any(axis=1)))
        # A value that is NaN on one side only is infinitely far off.
        apart = np.where(different, np.nan_to_num(np.abs(a - b), nan=np.inf, posinf=np.inf), 0.0)
        largest = max(largest, float(apart.max(initial=0.0)))
        total += float(apart.sum())
        values += apart.size
    notes = _converted(first, second)
    return Verification(known, changed, largest, total / max(values, 1), deeper.name, notes)


def _deeper(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type with more levels; a float beats integers."""
    return max((a.newbyteorder("="), b.newbyteorder("=")), key=lambda d: ("buif".index(d.kind), d.itemsize))


def _as_common(pixels: Pixels, target: np.dtype[Any], *, grey: bool, alpha: bool) -> NDArray[np.float64]:
    """Return (h, W, C) in the target's units; grey is spread over RGB, missing alpha is opaque."""
    scale = 1.0
    if pixels.dtype.newbyteorder("=") != target and pixels.dtype.kind in "ub":
        scale = full_scale(target) / full_scale(pixels.dtype)
    colour = colour_of(pixels).astype(np.float64)
    if colour.shape[2] == 1 and not grey:
        colour = np.repeat(colour, 3, axis=2)
    if scale != 1.0:
        colour *= scale
        if target.kind == "f" and np.finfo(target).nmant >= 8 * pixels.dtype.itemsize:
            # As the float type holds them, which has room for all levels: 1/255 differs from type to type.
            colour = colour.astype(target).astype(np.float64)
    if not alpha:
        return colour
    if has_alpha(pixels):
        last = pixels[..., -1:].astype(np.float64) * scale
    else:
        last = np.full((*pixels.shape[:2], 1), full_scale(target))
    return np.concatenate([colour, last], axis=2)


def _converted(a: Pixels, b: Pixels) -> tuple[str, ...]:
    notes = []
    if a.dtype != b.dtype:
        notes.append(f"compared in the deeper type: before is {a.dtype.name}, after is {b.dtype.name}")
    if colour_of(a).shape[2] != colour_of(b).shape[2]:
        notes.append("one picture is grey, the other has colours: grey was compared as equal R, G and B")
    if has_alpha(a) != has_alpha(b):
        notes.append("only one picture has alpha: the other was compared as opaque")
    return tuple(notes)
