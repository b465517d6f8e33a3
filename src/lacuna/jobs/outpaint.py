"""Outpaint: extend a picture beyond its frame."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np

from lacuna.errors import LimitError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, on_canvas, open_image
from lacuna.image.container import Pixels, has_alpha, pixels_in_words
from lacuna.image.jpeg import JpegFile
from lacuna.image.jpeg_moving import begins_at_mcu
from lacuna.image.resizing import placed
from lacuna.image.verify import differing
from lacuna.jobs.found import Found
from lacuna.types import Box

MOST = 8.0
"""The canvas has at most so many times the picture's pixels: what lies further out is invention."""

_MCU = 32  # no MCU of a JPEG is longer

_ANCHORS = {
    "centre": (0.5, 0.5),
    "center": (0.5, 0.5),
    "left": (0.5, 0.0),
    "right": (0.5, 1.0),
    "top": (0.0, 0.5),
    "bottom": (1.0, 0.5),
    "top-left": (0.0, 0.0),
    "top-right": (0.0, 1.0),
    "bottom-left": (1.0, 0.0),
    "bottom-right": (1.0, 1.0),
}
ANCHORS = tuple(name for name in _ANCHORS if name != "center")


def outpaint(
    image: Any,
    *,
    left: int | str = 0,
    right: int | str = 0,
    top: int | str = 0,
    bottom: int | str = 0,
    aspect: str | float | None = None,
    size: str | tuple[int, int] | None = None,
    anchor: str = "centre",
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
) -> Found:
    """Lay a picture on a larger canvas, whose empty part is the hole.

    Parameters
    ----------
    image : whatever `lacuna.image.open_image` takes.
    left, right, top, bottom : pixels to add, or a share of the picture's side: ``"20%"``.
    aspect : width to height of the canvas, ``"16:9"`` or a number; the shorter side grows until it fits.
    size : width and height of the canvas, ``"1920x1080"`` or a pair; excludes ``aspect``.
    anchor : where the picture stands on the canvas, as far as ``aspect`` or ``size`` leave that open: with
        ``"left"`` the new area is on the right. One of `ANCHORS`.
    max_pixels : refuse larger files, and larger canvases.

    Returns
    -------
    The canvas. Every pixel of the picture is in it, bit for bit; ``facts["box"]`` says where, and `moved`
    counts those that differ. Where the picture's edge is transparent, so is the canvas beside it.

    Raises
    ------
    OptionError : nothing to add, a negative number, a canvas that is smaller than the picture, an aspect or
        anchor that is none.
    LimitError : a canvas of more than ``max_pixels``, or of more than `MOST` times the picture.

    Examples
    --------
    >>> found = outpaint(np.zeros((40, 60), dtype=np.uint8), aspect="2:1", anchor="left")
    >>> found.hole.shape, bool(found.hole[:, :60].any())
    ((40, 80), False)
    >>> found.words
    ('60x40 becomes 80x40: 20 new pixels right; 25.0 % of the canvas is new',)
    """
    picture = open_image(image, max_pixels=max_pixels)
    sides = {"left": left, "right": right, "top": top, "bottom": bottom}
    margins = _margins(picture.shape, **sides)
    given = {side: 0 if str(n).strip().endswith("%") else margins[side] for side, n in sides.items()}
    margins = _completed(picture.shape, margins, _ratio(aspect), _pair(size), _anchor(anchor))
    margins = _snapped(picture, margins, given)
    height = picture.shape[0] + margins["top"] + margins["bottom"]
    width = picture.shape[1] + margins["left"] + margins["right"]
    _check_room(picture, height, width, max_pixels)
    place: Box = (
        margins["top"],
        margins["left"],
        margins["top"] + picture.shape[0],
        margins["left"] + picture.shape[1],
    )
    canvas = on_canvas(picture, _placed(picture.pixels, height, width, place), place=place[:2])
    hole = np.ones((height, width), dtype=np.bool_)
    hole[place[0] : place[2], place[1] : place[3]] = False
    hole &= canvas.known
    new = ", ".join(f"{n} new pixels {side}" for side, n in margins.items() if n)
    words = f"{picture.size} becomes {width}x{height}: {new}; {100 * hole.mean():.1f} % of the canvas is new"
    facts = {"box": [place[1], place[0], place[3], place[2]], "margins": margins}
    return Found("outpaint", canvas, hole, (words,), facts)


def moved(before: Picture, after: Picture, place: Box) -> int:
    """Return how many pixels of a picture differ from those at its place on a canvas, bit for bit.

    Parameters
    ----------
    before : the picture, as it was opened.
    after : the canvas, filled.
    place : top, left, bottom, right of the picture on the canvas.
    """
    top, left, bottom, right = place
    return int(np.count_nonzero(differing(before.pixels, after.pixels[top:bottom, left:right])))


def _margins(shape: tuple[int, int], **sides: int | str) -> dict[str, int]:
    found = {}
    for name, value in sides.items():
        length = shape[0] if name in ("top", "bottom") else shape[1]
        number = re.fullmatch(r"\s*(\d{1,7})\s*(?:px)?\s*|\s*(\d{1,4}(?:\.\d+)?)\s*%\s*", str(value))
        if isinstance(value, bool) or number is None:
            raise OptionError(f"{name} is {value!r}; expected pixels, 0 or more, or a share such as 20%")
        found[name] = int(number[1]) if number[1] else round(float(number[2]) / 100 * length)
    return found


def _ratio(aspect: str | float | None) -> float | None:
    """Return width / height.

    Examples
    --------
    >>> _ratio("3:2"), _ratio(1.5), _ratio("3/2")
    (1.5, 1.5, 1.5)
    """
    if aspect is None:
        return None
    numbers = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:[:/x]\s*(\d+(?:\.\d+)?))?\s*", str(aspect))
    wide, high = (float(numbers[1]), float(numbers[2] or 1)) if numbers else (0.0, 0.0)
    if not (wide > 0 and high > 0 and 0.02 <= wide / high <= 50):
        raise OptionError(f"aspect is {aspect!r}; expected width:height from 1:50 to 50:1, for example 16:9")
    return wide / high


def _pair(size: str | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return (width, height)."""
    if size is None:
        return None
    numbers = re.fullmatch(
        r"\s*(\d{1,6})\s*[x×]\s*(\d{1,6})\s*", size if isinstance(size, str) else "x".join(map(str, size))
    )
    if numbers is None or 0 in (int(numbers[1]), int(numbers[2])):
        raise OptionError(f"size is {size!r}; expected WIDTHxHEIGHT, for example 1920x1080")
    return int(numbers[1]), int(numbers[2])


def _anchor(name: str) -> tuple[float, float]:
    if name not in _ANCHORS:
        raise OptionError(f"anchor is {name!r}; expected one of {', '.join(ANCHORS)}")
    return _ANCHORS[name]


def _completed(
    shape: tuple[int, int],
    margins: dict[str, int],
    ratio: float | None,
    size: tuple[int, int] | None,
    anchor: tuple[float, float],
) -> dict[str, int]:
    """Return margins that lead to the aspect or size that was asked for."""
    if ratio is not None and size is not None:
        raise OptionError("aspect and size both say how large the canvas is to be; give one of them")
    height, width = (
        shape[0] + margins["top"] + margins["bottom"],
        shape[1] + margins["left"] + margins["right"],
    )
    target = size or (width, height)
    if ratio is not None:
        target = max(width, round(height * ratio)), max(height, round(width / ratio))
    if target[0] < width or target[1] < height:
        raise OptionError(
            f"size {target[0]}x{target[1]} is smaller than the picture with what is added, {width}x{height}; "
            "outpainting only adds"
        )
    if (target[1], target[0]) == shape:
        raise OptionError(
            f"nothing to add: the picture is {width}x{height} already; give --left, --right, --top, "
            "--bottom, --aspect or --size (left=, …)"
        )
    down, across = target[1] - height, target[0] - width
    before = round(down * anchor[0]), round(across * anchor[1])
    return {
        "left": margins["left"] + before[1],
        "right": margins["right"] + across - before[1],
        "top": margins["top"] + before[0],
        "bottom": margins["bottom"] + down - before[0],
    }


def _snapped(picture: Picture, margins: dict[str, int], given: dict[str, int]) -> dict[str, int]:
    """Return margins moved by a few pixels so that a JPEG begins at a whole MCU and keeps its blocks.

    Only what an aspect, a size or a share leaves open is moved, never pixels that were given.
    """
    container = picture.container
    if not isinstance(container, JpegFile):
        return margins
    # Where both sides got some of what was to be shared out, a few pixels more or less are nobody's wish.
    free = [
        min(margins[a] - given[a], margins[b] - given[b]) for a, b in (("top", "bottom"), ("left", "right"))
    ]
    steps = [range(-min(room, _MCU), min(room, _MCU) + 1) for room in free]
    for down, across in sorted(
        itertools.product(*steps), key=lambda step: (abs(step[0]) + abs(step[1]), step)
    ):
        moved_by = {"top": down, "bottom": -down, "left": across, "right": -across}
        found = {side: margins[side] + moved_by[side] for side in margins}
        canvas = (
            picture.shape[0] + found["top"] + found["bottom"],
            picture.shape[1] + found["left"] + found["right"],
        )
        if begins_at_mcu(placed(container, picture.shape, (found["top"], found["left"]), canvas)):
            return found
    return margins


def _check_room(picture: Picture, height: int, width: int, max_pixels: int | None) -> None:
    area = height * width
    if max_pixels is not None and area > max_pixels:
        raise LimitError(
            f"the canvas would be {width}x{height} = {pixels_in_words(area)}; the limit is "
            f"{pixels_in_words(max_pixels)}; add less, or raise max_pixels (--max-pixels)"
        )
    times = area / (picture.shape[0] * picture.shape[1])
    if times > MOST:
        raise LimitError(
            f"the canvas would be {times:.1f} times as large as the picture, {MOST:g} times is the limit; "
            "add less, or extend the picture in steps and look at each"
        )


def _placed(pixels: Pixels, height: int, width: int, place: Box) -> Pixels:
    """Return the picture on a canvas. New colours are meaningless; new alpha is that of the nearest edge."""
    top, left, bottom, right = place
    canvas = np.zeros((height, width, *pixels.shape[2:]), dtype=pixels.dtype)
    canvas[top:bottom, left:right] = pixels
    if has_alpha(pixels):
        around = (top, height - bottom), (left, width - right)
        canvas[..., -1] = np.pad(pixels[..., -1], around, mode="edge")
    return canvas
