"""Straighten: turn a tilted picture, or correct its perspective, without cutting it smaller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, LimitError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, on_canvas, open_image
from lacuna.image.container import pixels_in_words
from lacuna.jobs.found import Found
from lacuna.jobs.tilt import SURE, find_tilt
from lacuna.types import Hole, OnStep

STEEPEST = 45.0
"""Degrees; beyond it a picture is lying on its side, which an orientation tag says without resampling."""
LEAST = 0.2
"""Degrees; a smaller tilt is no better known than that, and not worth resampling for."""
MOST = 4.0
"""A canvas has at most so many times the picture's pixels."""

Homography = NDArray[np.float64]  # (3, 3), see lacuna.jobs.resample
_Points = NDArray[np.float64]  # (N, 2): x, y


def straighten(
    image: Any,
    *,
    angle: float | Literal["auto"] | None = None,
    corners: Sequence[tuple[float, float]] | None = None,
    crop: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    on_step: OnStep | None = None,
) -> Found:
    """Lay a straightened picture on a canvas that holds all of it; what is empty there is the hole.

    Parameters
    ----------
    image : whatever `lacuna.image.open_image` takes.
    angle : degrees by which the picture is tilted clockwise, and turned back; ``"auto"`` finds it from the
        lines in the picture (`lacuna.jobs.tilt.find_tilt`). None is ``"auto"``, unless there are corners.
    corners : x, y of the four corners of something that is a rectangle in truth, in any order; instead of an
        angle. It comes out upright, as large as it is now or a little larger.
    crop : cut the largest full rectangle out instead; nothing is missing then.
    max_pixels : refuse larger files, and larger canvases.
    on_step : progress out, cancellation in.

    Returns
    -------
    The canvas, in the picture's own depth. An angle of 0 leaves every pixel as it is.

    Raises
    ------
    OptionError : angle and corners together; an angle beyond `STEEPEST`; corners that are not those of a
        rectangle seen from somewhere.
    ImageError : the lines of the picture do not agree on an angle; the message says how far they do.
    LimitError : a canvas of more than ``max_pixels``.

    Examples
    --------
    >>> found = straighten(np.zeros((30, 40), dtype=np.uint16), angle=10)
    >>> found.hole.shape, found.picture.pixels.dtype, bool(found.hole[0, 0])
    ((36, 44), dtype('uint16'), True)
    >>> straighten(np.zeros((30, 40), dtype=np.uint16), angle=10, crop=True).missing
    0
    """
    from lacuna.jobs.resample import warp  # its kernels take numba

    if angle is not None and corners is not None:
        raise OptionError("angle and corners both say how the picture is to be turned; give one of them")
    picture = open_image(image, max_pixels=max_pixels)
    if corners is not None:
        quad = _sorted(corners, picture)
        forward, words, facts = _upright(quad)
    else:
        degrees, words, facts = _angle(picture, "auto" if angle is None else angle)
        if degrees == 0:
            return Found("straighten", picture, np.zeros(picture.shape, dtype=np.bool_), words, facts)
        forward = _turn(degrees)
    moved, shape, cut = _fitted(forward, picture.shape, whole=corners is None)
    if max_pixels is not None and shape[0] * shape[1] > max_pixels:
        raise LimitError(
            f"the canvas would be {shape[1]}x{shape[0]}; the limit is {pixels_in_words(max_pixels)}"
        )
    if cut:
        words = (*words, "what lies too far out in the new perspective was cut off")
    inverse: Homography = np.asarray(np.linalg.inv(moved), dtype=np.float64)
    pixels, empty = warp(picture.pixels, inverse, shape, on_step=on_step)
    return _delivered(picture, pixels, empty, words, facts, crop=crop)


def _delivered(
    picture: Picture,
    pixels: NDArray[Any],
    empty: Hole,
    words: tuple[str, ...],
    facts: dict[str, Any],
    *,
    crop: bool,
) -> Found:
    if crop:
        from lacuna.jobs.resample import largest_rectangle

        top, left, bottom, right = largest_rectangle(~empty)
        if not bottom:
            raise ImageError("nothing of the picture is left to be cut out")
        pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
        empty = np.zeros(pixels.shape[:2], dtype=np.bool_)
    canvas = on_canvas(picture, pixels, ("resampled (Lanczos, three lobes) in the picture's own depth",))
    hole = empty & canvas.known
    if empty.all():
        raise ImageError(f"nothing of the {picture.size} picture is left after the turn; turn it by less")
    share = f"{100 * hole.mean():.1f} % of the canvas is empty"
    if crop:
        kept = hole.size / (picture.shape[0] * picture.shape[1])
        share = f"cut to the largest full rectangle, {100 * kept:.1f} % of the picture's size"
    told = f"{picture.size} becomes {canvas.size}: {share}"
    return Found("straighten", canvas, hole, (*words, told), {**facts, "crop": crop})


def _angle(picture: Picture, angle: Any) -> tuple[float, tuple[str, ...], dict[str, Any]]:
    """Return by how much the picture is tilted, and what is to be said of it."""
    if angle == "auto":
        tilt = find_tilt(picture)
        facts = {
            "angle": tilt.angle,
            "confidence": tilt.confidence,
            "lines": tilt.lines,
            "level": tilt.level,
            "upright": tilt.upright,
        }
        seen = (
            f"{tilt.level} level and {tilt.upright} upright of {tilt.lines} lines say "
            f"{_degrees(tilt.angle)}; confidence {tilt.confidence:.2f}"
        )
        if tilt.confidence < SURE:
            raise ImageError(
                f"the tilt cannot be told from this picture: {seen}, and {SURE:g} is needed; "
                f"give --angle DEGREES or --corners (angle=, corners=)"
            )
        if abs(tilt.angle) < LEAST:
            return 0.0, (f"{seen}: straight enough to be left as it is",), facts
        return tilt.angle, (seen,), facts
    try:
        degrees = float("nan") if isinstance(angle, bool) else float(angle)
    except (TypeError, ValueError):
        degrees = float("nan")
    if not abs(degrees) <= STEEPEST:
        raise OptionError(
            f"angle is {angle!r}; expected auto or degrees from -{STEEPEST:g} to {STEEPEST:g}, positive if "
            "the picture is tilted clockwise"
        )
    if degrees == 0:
        return 0.0, ("an angle of 0: the picture is left as it is",), {"angle": 0.0}
    return degrees, (f"tilted by {_degrees(degrees)}, and turned back",), {"angle": degrees}


def _degrees(angle: float) -> str:
    """Return words.

    Examples
    --------
    >>> _degrees(-1.5), _degrees(0.0)
    ('1.5° counter-clockwise', 'no tilt')
    """
    if angle == 0:
        return "no tilt"
    return f"{abs(angle):g}° {'clockwise' if angle > 0 else 'counter-clockwise'}"


def _turn(degrees: float) -> Homography:
    """Return the turn that undoes a clockwise tilt; y runs down."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def _sorted(corners: Sequence[tuple[float, float]], picture: Picture) -> _Points:
    """Return four corners clockwise from the top left.

    Raises
    ------
    OptionError : not four, far outside, or not convex.
    """
    try:
        points = np.array(corners, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"corners are {corners!r}; expected four points x,y") from error
    if points.shape != (4, 2) or not np.isfinite(points).all():
        raise OptionError(f"{len(points)} corners were given; expected four points x,y")
    height, width = picture.shape
    far = (points < [-width, -height]) | (points > [2 * width, 2 * height])
    if far.any():
        raise OptionError(f"a corner lies far outside the {picture.size} picture: {points.tolist()}")
    centre = points.mean(axis=0)
    around = np.argsort(np.arctan2(*(points - centre).T[::-1]))  # clockwise, since y runs down
    points = points[around]
    points = np.roll(points, -int(np.argmin((points / [width, height]).sum(axis=1))), axis=0)
    sides = np.roll(points, -1, axis=0) - points
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    if turns.min() <= 0 or np.hypot(*sides.T).min() < 2:
        raise OptionError(
            f"the corners {points.tolist()} are not those of a rectangle seen from somewhere: three of them "
            "lie on one line, or two are the same"
        )
    return points


def _upright(quad: _Points) -> tuple[Homography, tuple[str, ...], dict[str, Any]]:
    """Return the homography that makes a rectangle of four corners, and what is to be said."""
    sides = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)
    # The longer of two opposite sides: nothing is made smaller.
    width, height = float(max(sides[0], sides[2])), float(max(sides[1], sides[3]))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    target += quad.mean(axis=0) - target.mean(axis=0)
    words = f"the four corners become a rectangle of {width:.0f}x{height:.0f}"
    facts = {"corners": quad.tolist(), "rectangle": [round(width, 1), round(height, 1)]}
    forward = _homography(quad, target)
    # A homography is given up to a factor; with this sign the rectangle lies before the horizon.
    if float((quad @ forward[2, :2] + forward[2, 2]).mean()) < 0:
        forward = -forward
    return forward, (words,), facts


def _homography(source: _Points, target: _Points) -> Homography:
    """Return the map that takes four points to four others.

    References
    ----------
    .. [1] Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 4.1.
    """
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(right)), 1.0).reshape(3, 3)


def _fitted(
    forward: Homography, shape: tuple[int, int], *, whole: bool
) -> tuple[Homography, tuple[int, int], bool]:
    """Return the map to a canvas that holds the picture, its (H, W), and whether some had to be cut off.

    In a strong perspective the far end of a picture is huge or at infinity: the canvas reaches half of the
    picture's size beyond where the picture was, no further. A picture that is only turned stays ``whole``.
    """
    height, width = shape
    x, y = width - 1.0, height - 1.0
    ends = np.array([[0, 0, 1], [x, 0, 1], [x, y, 1], [0, y, 1]]) @ forward.T
    reach = (math.sqrt(MOST) - 1) / 2
    low, high = np.array([-reach * width, -reach * height]), np.array([x + reach * width, y + reach * height])
    if whole:
        low, high = np.full(2, -np.inf), np.full(2, np.inf)
    finite = ends[:, 2] > 1e-6
    # The middle of the picture must stay in front, and where it lands is where the canvas is.
    if finite.all():
        places = ends[:, :2] / ends[:, 2:]
        cut = bool((places.min(axis=0) < low - 1).any() or (places.max(axis=0) > high + 1).any())
        low, high = np.maximum(low, places.min(axis=0)), np.minimum(high, places.max(axis=0))
    else:
        cut = True
    size = np.maximum(np.floor(high - low + 1 + 1e-6), 1).astype(int)
    # The rest of less than a pixel is shared by both sides.
    shift = low - ((size - 1) - (high - low)) / 2
    move = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]], [0, 0, 1.0]])
    return move @ forward, (int(size[1]), int(size[0])), cut
