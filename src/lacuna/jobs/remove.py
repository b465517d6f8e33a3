"""Remove things: what lies in boxes, under clicks, or in a mask."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from lacuna.errors import MaskError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, open_image
from lacuna.jobs.found import Found
from lacuna.masks import Mask, as_mask, box, parse, to_hole
from lacuna.masks.doctor import examine
from lacuna.task import softness, whole_number
from lacuna.types import Hole

MOST = 0.9
"""More than this share of the picture is not a thing in it."""


def remove(
    image: Any,
    *,
    boxes: Sequence[tuple[float, float, float, float] | str] = (),
    clicks: Sequence[tuple[float, float] | Mask | str] = (),
    mask: Any = None,
    dilate: int | None = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
) -> Found:
    """Find what is to be removed from a picture.

    Parameters
    ----------
    image : whatever `lacuna.image.open_image` takes.
    boxes : x, y, width, height; everything inside goes.
    clicks : x, y on a thing; or a text as in ``click:``, with more points of the same thing, points that do
        not belong to it, and a box around it: ``"120,80;140,90;-20,20@100,60,80,80"``.
    mask : whatever `lacuna.masks.to_hole` takes.
    dilate : grow everything by so many pixels, so that shadow and rim go too. None: by as much as the rim of
        what was clicked differs from its surroundings; boxes and masks stay as they were drawn.
    max_pixels : refuse larger files.

    Returns
    -------
    What was selected, all of it together.

    Raises
    ------
    MaskError : nothing was named; a click or box outside the picture; nothing there, or nearly everything.
    OptionError : ``dilate`` is not a number of pixels.

    Examples
    --------
    >>> grey = np.full((60, 80), 90, dtype=np.uint8)
    >>> grey[20:30, 40:50] = 200
    >>> found = remove(grey, boxes=[(38, 18, 14, 14)])
    >>> found.words
    ('box:38,18,14,14 selected 196 pixels (4.1 % of the picture), x 38 to 52, y 18 to 32',)
    >>> int(found.fill("telea").image.max())
    90
    """
    if not (boxes or clicks or mask is not None):
        raise MaskError("nothing to remove: give a box, a click or a mask")
    boxes = [boxes] if isinstance(boxes, str) else boxes
    clicks = [clicks] if isinstance(clicks, str) else clicks
    radius = None if dilate is None else whole_number("dilate", dilate, 0)
    picture = open_image(image, max_pixels=max_pixels)
    # One after the other: what was found is said for each.
    drawn = [_drawn(_as_box(one), picture, radius or 0) for one in boxes]
    drawn += [_drawn(_as_click(one), picture, radius) for one in clicks]
    if mask is not None:
        drawn.append(_drawn(as_mask(mask), picture, radius or 0))
    hole = functools.reduce(operator.or_, (one for one, _, _ in drawn))
    if hole.mean() > MOST:
        raise MaskError(
            f"{100 * hole.mean():.0f} % of the picture would be removed; select less, "
            f"{100 * MOST:.0f} % at most"
        )
    return Found(
        job="remove",
        picture=picture,
        hole=hole,
        words=tuple(words for _, words, _ in drawn),
        facts={"selections": [facts for _, _, facts in drawn]},
        feather=softness(mask),
        opaque=isinstance(value := as_mask(mask), Mask) and value.takes_alpha,
        drawn=True,
    )


def _as_box(one: Any) -> Mask:
    if isinstance(one, str):
        return parse(f"box:{one}")
    if not isinstance(one, Sequence) or len(one) != 4:
        raise OptionError(f"a box is x, y, width, height; got {one!r}")
    return box(*one)


def _as_click(one: Any) -> Mask:
    if isinstance(one, Mask):
        return one
    if isinstance(one, str):
        return parse(f"click:{one}")
    if not isinstance(one, Sequence) or len(one) != 2:
        raise OptionError(f"a click is x, y, or a text such as '120,80;-20,20'; got {one!r}")
    return parse(f"click:{one[0]},{one[1]}")


def _drawn(mask: Any, picture: Picture, dilate: int | None) -> tuple[Hole, str, dict[str, Any]]:
    """Return the hole of one selection, and what is to be said of it."""
    hole, notes = to_hole(mask, picture.shape, picture=picture, dilate=dilate or 0)
    name = str(mask) if isinstance(mask, (Mask, str)) else "the mask"
    grown = dilate or 0
    if dilate is None:
        grown = max((one.dilate for one in examine(picture, hole) if one.code == "rim"), default=0)
        if grown:
            hole, _ = to_hole(hole, picture.shape, dilate=grown)
    size = int(hole.sum())
    if not size:
        raise MaskError(f"{name} selects nothing in the {picture.size} picture")
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    bounds = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    words = (
        f"{name} selected {size} pixels ({100 * size / hole.size:.1f} % of the picture), "
        f"x {bounds[0]} to {bounds[2]}, y {bounds[1]} to {bounds[3]}"
    )
    if grown:
        words += f", grown by {grown} for its rim" if dilate is None else f", grown by {grown}"
    kept = [note for note in notes if not note.startswith(("mask: ", f"{name} selected"))]
    facts = {"mask": name, "pixels": size, "bounds": bounds, "dilate": grown, "notes": kept}
    return hole, "; ".join([words, *kept]), facts
