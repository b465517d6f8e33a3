"""What is probably wrong with a mask, and the one thing to do about it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MaskError
from lacuna.image import Picture
from lacuna.masks.hole import IN_ALPHA, IN_COLOUR, IS_SOFT, to_hole
from lacuna.types import Box, FloatImage, Hole

REACH = 16
"""Pixels outside the hole in which remains of an object are looked for."""
_GAP, _FAR = 2, 14  # surroundings begin beyond reach and gap, and are so wide
_WINDOW = 61
"""Side of the window over which surroundings are averaged; wide enough to see them from the rim."""
_STEP = 0.08
"""A rim that differs by less, in canon, does not matter."""
_NOISE = 3.0
"""Nor does one that differs by fewer deviations of its surroundings."""
_SAMPLE = 500_000
"""Pixels that are looked at, and fewer than four times as many; all of a large photo would take a second."""
_SHARE = 0.3
"""A ring of which this much differs belongs to what was to be removed."""
_MOST = 0.5
"""More than this share of the picture, and of its edge, missing: the mask is probably inverted."""


@dataclass(frozen=True)
class Finding:
    """Something that is probably not meant.

    Parameters
    ----------
    code : ``empty``, ``full``, ``inverted``, ``rim``, ``soft``, ``alpha``, ``colour``, ``size``.
    words : what was seen.
    fix : what to do.
    dilate : for ``rim``: by how many pixels the mask should grow.
    """

    code: str
    words: str
    fix: str
    dilate: int = 0

    def __str__(self) -> str:
        return f"{self.words}; {self.fix}"


def check(
    picture: Picture, mask: Any, *, dilate: int = 0, invert: bool = False
) -> tuple[Hole, tuple[Finding, ...], tuple[str, ...]]:
    """Look at a mask that may have anything wrong with it.

    Parameters
    ----------
    mask : whatever `lacuna.masks.to_hole` takes; of another size too.

    Returns
    -------
    hole : (H, W), stretched to the picture if it had another size.
    findings : what is probably not meant.
    notes : everything else that the door had to say.

    Raises
    ------
    MaskError : there is no mask to look at: unreadable, or an expression that cannot be drawn.
    """
    findings = []
    opened = functools.partial(to_hole, mask, picture.shape, picture=picture, dilate=dilate, invert=invert)
    try:
        hole, notes = opened()
    except MaskError as error:
        hole, notes = opened(resize=True)  # another fault raises again
        words, _, fix = str(error).partition("; ")
        findings.append(Finding("size", words, fix))
        notes = tuple(note for note in notes if "resized" not in note)
    codes = {IS_SOFT: "soft", IN_ALPHA: "alpha", IN_COLOUR: "colour"}
    rest = []
    for note in notes:
        code = next((code for start, code in codes.items() if note.startswith(start)), None)
        if code is None:
            rest.append(note)
            continue
        words, _, fix = note.rpartition("; ")
        findings.append(Finding(code, words or fix, fix))
    return hole, (*findings, *examine(picture, hole)), tuple(rest)


def examine(picture: Picture, hole: Hole) -> tuple[Finding, ...]:
    """Return what is odd about a hole in a picture.

    Parameters
    ----------
    hole : (H, W). True is missing.

    Examples
    --------
    >>> from lacuna.image import open_image
    >>> black = open_image(np.zeros((20, 20), dtype=np.uint8))
    >>> print(*examine(black, np.ones((20, 20), dtype=bool)))
    the mask is white everywhere: nothing is known; draw what is to be kept in black
    """
    if not hole.any():
        words = "the mask is black everywhere: nothing is missing"
        return (Finding("empty", words, "draw what is missing in white, or --invert (invert=True)"),)
    if hole.all():
        words = "the mask is white everywhere: nothing is known"
        return (Finding("full", words, "draw what is to be kept in black"),)
    edge = np.concatenate([hole[0], hole[-1], hole[:, 0], hole[:, -1]]).mean()
    if hole.mean() > _MOST and edge > _MOST:
        words = f"{100 * hole.mean():.0f} % of the picture and {100 * edge:.0f} % of its edge are missing"
        return (Finding("inverted", words, "if white is what stays: --invert (invert=True)"),)
    width = _remains(picture, hole)
    if not width:
        return ()
    pixels = width + 1  # where colours are mixed, too little differs to be noticed
    ring = "a ring of 1 pixel" if width == 1 else f"a ring of {width} pixels"
    words = f"{ring} around the hole differs from its surroundings: a rim, halo or shadow is left"
    return (Finding("rim", words, f"grow the mask: --dilate {pixels} (dilate={pixels})", pixels),)


def _remains(picture: Picture, hole: Hole) -> int:
    """Return how many pixels around the hole differ from what lies further out; 0 if they do not.

    Every pixel of the rim is compared with the mean and deviation of its surroundings, which begin where no
    remains are expected. The rim ends at the first ring of which most is like them; a picture in which there
    is no such ring within reach has no rim but a busy background.
    """
    import cv2

    box = _around(hole, REACH + _GAP + _FAR + 1)
    part = (slice(box[0], box[2]), slice(box[1], box[3]))
    # A sample of a large picture will do; rings are then so many pixels apart.
    step = max(math.isqrt((box[2] - box[0]) * (box[3] - box[1]) // _SAMPLE), 1)
    missing, known = (np.ascontiguousarray(a[part][::step, ::step]) for a in (hole, picture.known & ~hole))
    image = picture.canon(hole, box)[::step, ::step]
    image = np.where(known[..., np.newaxis], image, 0)  # under a hole may be NaN
    away = cv2.distanceTransform((~missing).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ring = np.where(known, np.ceil(away), 0).astype(np.int64)
    odd, judged = _odd(image, known & (away > REACH + _GAP), known & (away <= REACH))
    counts = np.bincount(ring[judged], minlength=REACH + 1)[: REACH + 1]
    differ = np.bincount(ring[judged & odd], minlength=REACH + 1)[: REACH + 1]
    wrong = differ > _SHARE * np.maximum(counts, 1)
    width = int(np.argmin(wrong[1:]))  # rings from 1 on that differ, one after the other
    return 0 if wrong[1:].all() or counts[1 : width + 2].min() < 8 else width * step


def _around(hole: Hole, room: int) -> Box:
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    top, left = max(int(rows[0]) - room, 0), max(int(columns[0]) - room, 0)
    bottom, right = (
        min(int(rows[-1]) + room + 1, hole.shape[0]),
        min(int(columns[-1]) + room + 1, hole.shape[1]),
    )
    return top, left, bottom, right


def _odd(
    image: FloatImage, around: NDArray[np.bool_], rim: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pixels differ from their surroundings, and which have enough of them to be judged."""
    import cv2

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        blurred = cv2.boxFilter(values, cv2.CV_32F, (_WINDOW, _WINDOW), borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, dtype=np.float32)

    weight = around.astype(np.float32)
    share = mean(weight)
    judged = rim & (share > 0.02)
    share = np.maximum(share, 1e-6)
    apart = np.zeros(around.shape, dtype=np.float32)
    spread = np.zeros(around.shape, dtype=np.float32)
    for channel in range(image.shape[2]):
        values = np.ascontiguousarray(image[..., channel])
        centre = mean(values * weight) / share
        apart += np.square(values - centre)
        spread += np.maximum(mean(np.square(values) * weight) / share - np.square(centre), 0)
    limit = np.square(np.maximum(_STEP, _NOISE * np.sqrt(spread / image.shape[2])))
    return apart / image.shape[2] > limit, judged
