"""From a line of text to all the pixels that it covers: strokes, rim, outline and shadow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.lines import Ink, Line, ink
from lacuna.types import Hole

Window = tuple[slice, slice]

BESIDE = 20.0
"""How far to both sides of a line further letters are looked for, in heights."""

LETTER_GAP, DOT_GAP = 2.0, 0.6
"""Heights between a letter and the next one, and between a letter and a dot."""

PALE = 0.5
"""Share of the contrast up to which a pixel beside ink still counts as ink."""

RIM = 1.5
"""Pixels around strokes in which they fade into the picture."""


def paint(pixels: NDArray[np.uint8], line: Line) -> tuple[Window, Hole]:
    """Return a window and the pixels in it that a line of text covers.

    Parameters
    ----------
    pixels : (H, W, 3), in which the line was found, or a larger copy if the line was scaled.
    """
    import cv2

    drawn = ink(pixels, line, beside=BESIDE)
    kept = _pieces(pixels, drawn, line)[drawn.label]
    # Strokes that thin out (tails, hairlines) are paler than the ink but still as close to it as to the rest.
    kept |= (cv2.dilate(kept.astype(np.uint8), _disk(1)) > 0) & (drawn.away <= PALE * line.contrast)
    reach = max(2, int(np.ceil(line.height / 7)))  # outlines and shadows of captions are narrower than this
    grow = reach + 3
    top, left = max(0, drawn.top - grow), max(0, drawn.left - grow)
    high, broad = kept.shape
    bottom = min(pixels.shape[0], drawn.top + high + grow)
    right = min(pixels.shape[1], drawn.left + broad + grow)
    strokes = np.zeros((bottom - top, right - left), np.uint8)
    strokes[drawn.top - top :, drawn.left - left :][:high, :broad] = kept
    window = pixels[top:bottom, left:right].astype(np.float32)
    covered = strokes | _decoration(window, strokes, reach)
    return (slice(top, bottom), slice(left, right)), cv2.dilate(covered, _disk(1)) > 0


def _pieces(pixels: NDArray[np.uint8], drawn: Ink, line: Line) -> NDArray[np.bool_]:
    """Return which pieces of ink belong to the line, by number; the first entry stands for no piece.

    Those that hold seeds do. From them on to both sides, letters are taken that stand on the baseline, and
    small pieces (dots, accents, hyphens) beside letters; both need a rim as sharp as that of letters.
    """
    count = len(drawn.pieces) + 1
    kept = np.bincount(drawn.label[_seeds(drawn, line)], minlength=count) > 0
    kept[0] = False
    if not kept.any():
        return kept
    rims = [_rim(pixels, drawn, number) for number in range(1, count)]
    behind = np.concatenate([rim for rim, sure in zip(rims, kept[1:], strict=True) if sure])
    sharp = np.array([_fits(rim, behind, line) for rim in rims])
    tall, small = _letters_and_dots(drawn, line)
    start, end = drawn.pieces[:, 0], drawn.pieces[:, 0] + drawn.pieces[:, 2]
    first, last = start[kept[1:]].min(), end[kept[1:]].max()
    while True:
        gap = np.maximum(first - end, start - last) / line.height
        more = sharp & ~kept[1:] & ((tall & (gap <= LETTER_GAP)) | (small & (gap <= DOT_GAP)))
        if not more.any():
            return kept
        kept[1:] |= more
        first = min(first, start[more & tall].min(initial=first))
        last = max(last, end[more & tall].max(initial=last))


def _seeds(drawn: Ink, line: Line) -> Hole:
    """Return the seeds of a line as bool (h, w), in the window of its ink."""
    height, width = drawn.label.shape
    seeds = np.zeros((height, width), np.bool_)
    y, x = line.seeds[:, 1] - drawn.top, line.seeds[:, 0] - drawn.left
    inside = (y >= 0) & (x >= 0) & (y < height) & (x < width)
    seeds[y[inside], x[inside]] = True
    return seeds


def _letters_and_dots(drawn: Ink, line: Line) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pieces are as tall as letters and stand on the line, and which are small and beside it."""
    left, top, width, height = (drawn.pieces[:, i].astype(np.float64) for i in range(4))
    foot = top + height + drawn.top - line.slope * (left + width / 2 + drawn.left) - line.level
    foot, size = foot / line.height, height / line.height
    low = foot <= 0.45 + 1 / line.height
    tall = (size >= 0.5) & (size <= 1.7) & (foot >= -0.2 - 1 / line.height) & low
    return tall, (size < 0.5) & (foot >= -1.7) & low


def _rim(pixels: NDArray[np.uint8], drawn: Ink, number: int) -> NDArray[np.float32]:
    """Return (N, 3), the colours two pixels outside a piece, other pieces left out."""
    import cv2

    left, top, width, height = drawn.pieces[number - 1].tolist()
    rows = slice(max(0, top - 3), top + height + 3)
    columns = slice(max(0, left - 3), left + width + 3)
    label = drawn.label[rows, columns]
    piece = (label == number).astype(np.uint8)
    ring = (cv2.dilate(piece, _disk(2)) > 0) & (cv2.dilate(piece, _disk(1)) == 0) & (label == 0)
    window = pixels[
        drawn.top : drawn.top + drawn.label.shape[0], drawn.left : drawn.left + drawn.label.shape[1]
    ]
    colours: NDArray[np.float32] = window[rows, columns][ring].astype(np.float32)
    return colours


def _fits(rim: NDArray[np.float32], behind: NDArray[np.float32], line: Line) -> bool:
    """Return whether a piece ends within two pixels nearly all around, in front of what lies behind letters.

    What lies behind counts only where it is of one colour: an outline, or a plain part of the picture.
    """
    if not len(rim):
        return False
    if np.mean(np.abs(rim - line.colour).max(axis=1) > 0.5 * line.contrast) < 0.75:
        return False
    usual = np.median(behind, axis=0)
    if np.median(np.abs(behind - usual).max(axis=1)) > 20:
        return True
    return bool(np.median(np.abs(rim - usual).max(axis=1)) <= 50)


def _decoration(window: NDArray[np.float32], strokes: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """Return what lies within reach of strokes and differs from the surroundings all in one direction.

    An outline or a shadow is darker, or lighter, than the photograph beneath it, wherever that is.
    """
    import cv2

    away = np.asarray(cv2.distanceTransform(1 - strokes, cv2.DIST_L2, 5), dtype=np.float32)
    rim = (away > 0) & (away <= RIM)
    beyond = (away > reach + 2).astype(np.float32)
    side = 6 * reach + 9
    weight = cv2.boxFilter(beyond, -1, (side, side), borderType=cv2.BORDER_REPLICATE)
    ring = (away > RIM) & (away <= reach + 1) & (weight > 0.01)
    if not ring.any() or not beyond.any():
        return rim.astype(np.uint8)
    mean = cv2.boxFilter(window * beyond[..., None], -1, (side, side), borderType=cv2.BORDER_REPLICATE)
    change = window - mean / np.maximum(weight, 1e-6)[..., None]
    tight = ring & (away <= 2.9)
    usual = np.median(change[tight if tight.any() else ring], axis=0)
    size = float(np.linalg.norm(usual))
    spread = float(np.percentile(np.linalg.norm(change[beyond > 0], axis=1), 60))
    if size < max(12.0, spread):
        return rim.astype(np.uint8)
    along = np.asarray(change @ (usual / size), dtype=np.float32)
    found = (away > 0) & (away <= _width(along, away, size, reach)) & (along > max(10.0, 0.4 * size))
    return (found | rim).astype(np.uint8)


def _width(along: NDArray[np.float32], away: NDArray[np.float32], size: float, reach: int) -> float:
    """Return how far a decoration goes from the strokes: as long as a quarter of a ring belongs to it."""
    for distance in range(2, reach + 1):
        ring = (away > distance) & (away <= distance + 1)
        if not ring.any() or np.percentile(along[ring], 75) < 0.5 * size:
            return distance + 0.5
    return reach + 1.0


def _disk(radius: int) -> NDArray[np.uint8]:
    import cv2

    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2).astype(np.uint8)
