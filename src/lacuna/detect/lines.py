"""Lines of text: letters of one size, colour and stroke that stand on one baseline, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.regions import Regions, find_regions, keep_best, link

SLOPES = np.array(sorted(np.linspace(-0.2, 0.2, 21), key=abs))
"""Of baselines that are looked for, the level one first."""

_LINK = np.array([2.2, 1.0, 30.0, 1.9])
_FEWEST = 3

WEIGHTS = {
    "letters": 3.598,  # pieces of ink that are as tall as letters and stand on the line (log)
    "contrast": 4.529,  # between letters and surroundings (log)
    "flat": 5.48,  # share of the ink within 12 grey levels of its colour
    "unrest": 13.621,  # how much the surroundings vary
    "stroke": -19.626,  # width of a stroke by the height of a letter
    "aligned": -4.185,  # share of the tall pieces that stand on the line
    "even": -3.795,  # how much the width of the strokes varies
    "slim": -0.561,  # breadth of a letter by its height
    "seeds": 1.117,  # letters found on their own (log)
    "height": -1.448,  # of a letter (log)
    "vivid": 4.79,  # difference between the channels
    "tops": -3.935,  # how far the letters' tops are apart, in heights
    "bottoms": -1.648,  # the same of their feet
    "sizes": -3.187,  # how much the heights vary (log)
}
BIAS = -22.155
"""Log odds that a line is text: a logistic regression over the lines of the tuning set of
benchmarks/overlays.py, which prints these figures with ``--fit``. No picture of it is among those that are
reported on."""


@dataclass(frozen=True, eq=False)
class Line:
    """A line of text.

    Parameters
    ----------
    box : top, left, bottom, right of its letters.
    height : of a letter, the median; pixels.
    stroke : width of a stroke, pixels.
    slope : of the baseline, rows per column.
    level : where the baseline would cross the picture's left edge, rows.
    colour : (3,), of its letters, grey levels of 255.
    contrast : grey levels between the letters and what surrounds them.
    seeds : (M, 2) int32, x and y of pixels that are letters for sure.
    features : the measures that `WEIGHTS` weighs, in its order.
    """

    box: tuple[int, int, int, int]
    height: float
    stroke: float
    slope: float
    level: float
    colour: NDArray[np.float32]
    contrast: float
    seeds: NDArray[np.int32]
    features: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Log odds that this is text."""
        return float(self.features @ np.array(list(WEIGHTS.values())) + BIAS)

    def scaled(self, factor: float) -> Line:
        """Return the line as it is in a picture that is so many times larger."""
        if factor == 1:
            return self
        top, left, bottom, right = (round(edge * factor) for edge in self.box)
        return replace(
            self,
            box=(top, left, bottom, right),
            height=self.height * factor,
            stroke=self.stroke * factor,
            level=self.level * factor,
            seeds=(self.seeds * factor).astype(np.int32),
        )


def find_lines(pixels: NDArray[np.uint8]) -> list[Line]:
    """Return everything that could be a line of text; most of it is not.

    Parameters
    ----------
    pixels : (H, W, 1 or 3).
    """
    found = _letters(pixels)
    if len(found) < _FEWEST:
        return []
    colours = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    group = link(found.box, found.colour, found.width, _LINK)
    order = np.argsort(group, kind="stable")
    lines = []
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        rest = members
        while len(rest) >= _FEWEST:
            on, slope = _baseline(found.box[rest])
            if on.sum() < _FEWEST:
                break
            lines.append(_line(colours, found.take(rest[on]), slope))
            rest = rest[~on]
    return lines


def _letters(pixels: NDArray[np.uint8]) -> Regions:
    """Return the regions that could be letters by their own measures, the best of those that overlap."""
    height, width = pixels.shape[:2]
    found = find_regions(pixels, largest=max(20, height * width // 50))
    high, broad = found.height, found.breadth
    contrast = np.abs(found.colour - found.around).max(axis=1)
    spread = found.spread.max(axis=1)
    thin = found.width < 2.2  # all of a thin stroke is rim, so its colour varies
    good = (high >= 6) & (high <= 0.35 * height) & (broad <= 6 * high) & (broad >= 0.08 * high)
    good &= (found.area > 0.1 * high * broad) & (found.width <= np.maximum(0.38 * high, 0.9 * broad))
    good &= (contrast >= 24) & (spread <= np.where(thin, 0.5, 0.3) * contrast)
    good &= spread <= np.where(thin, 50, 20)
    order = np.argsort(-(contrast - 2 * spread)[good], kind="stable")
    found = found.take(good)
    return found.take(keep_best(found.box, order, 0.6))


def _baseline(box: NDArray[np.int32]) -> tuple[NDArray[np.bool_], float]:
    """Return which letters stand on the line that most of them stand on, and its slope."""
    bottoms, x = box[:, 2].astype(np.float64), box[:, [1, 3]].mean(axis=1)
    room = 2 * max(1.0, 0.1 * float(np.median(box[:, 2] - box[:, 0])))
    best, most, slope = np.zeros(len(box), np.bool_), 0, 0.0
    for candidate in SLOPES:
        level = bottoms - candidate * x
        ordered = np.sort(level)
        counts = np.searchsorted(ordered, ordered + room, side="right") - np.arange(len(ordered))
        first = int(counts.argmax())
        # A slope has to earn its place: what is laid over a photograph is level nearly always.
        if counts[first] > most + (1 if most else 0):
            start = ordered[first]
            best, most, slope = (level >= start) & (level <= start + room), int(counts[first]), candidate
    return best, float(slope)


def _ink_colour(
    values: NDArray[np.float32], colour: NDArray[np.float32], around: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the colour of the strokes' middle, where no rim mixes in.

    Parameters
    ----------
    values : (M, 3), the letters' pixels.
    colour, around : (3,), their mean and that of the surroundings.
    """
    away = colour - around
    along = (values - around) @ away / max(float(away @ away), 1e-6)
    low, high = np.percentile(along, [60, 98])
    middle = (along >= low) & (along <= high)
    return np.asarray(np.median(values[middle], axis=0), dtype=np.float32)


def _line(pixels: NDArray[np.uint8], found: Regions, slope: float) -> Line:
    height, stroke = float(np.median(found.height)), float(np.median(found.width))
    seeds = np.concatenate(found.points)
    around = np.median(found.around, axis=0)
    values = pixels[seeds[:, 1], seeds[:, 0]].astype(np.float32)
    colour = _ink_colour(values, np.median(found.colour, axis=0), around)
    contrast = float(np.abs(colour - around).max())
    box = (*found.box[:, :2].min(axis=0).tolist(), *found.box[:, 2:].max(axis=0).tolist())
    level = float(np.median(found.box[:, 2] - slope * found.box[:, [1, 3]].mean(axis=1)))
    line = Line(box, height, stroke, slope, level, colour, contrast, seeds, np.zeros(len(WEIGHTS)))
    return replace(line, features=_features(pixels, found, line))


@dataclass(frozen=True, eq=False)
class Ink:
    """The strokes of a line within a window of the picture.

    Parameters
    ----------
    top, left : where the window begins.
    label : (h, w) int32. The number of the piece that a pixel belongs to; 0 is none.
    pieces : (N, 4) int32: left, top, width, height of the pieces 1 … N, in the window.
    away : (h, w) float32. How far a pixel is from the line's colour, grey levels.
    """

    top: int
    left: int
    label: NDArray[np.int32]
    pieces: NDArray[np.int32]
    away: NDArray[np.float32]


def ink(pixels: NDArray[np.uint8], line: Line, *, beside: float = 1.0) -> Ink:
    """Return all pixels near a line that have its colour and are as thin as its strokes.

    Dots, hyphens and letters that were not found on their own come in here; large areas of the same colour
    stay out.

    Parameters
    ----------
    pixels : (H, W, 3).
    beside : how far to look on both sides, in heights.
    """
    import cv2

    height = line.height
    top, left = max(0, int(line.box[0] - 0.5 * height)), max(0, int(line.box[1] - beside * height))
    bottom, right = int(line.box[2] + 0.4 * height) + 2, int(line.box[3] + beside * height) + 1
    away = np.abs(pixels[top:bottom, left:right].astype(np.float32) - line.colour).max(axis=2)
    near = (away <= max(10.0, 0.35 * line.contrast)).astype(np.uint8)
    side = 2 * int(np.ceil(0.9 * line.stroke)) + 3
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    bulk = cv2.dilate(cv2.morphologyEx(near, cv2.MORPH_OPEN, disk), np.ones((3, 3), np.uint8))
    count, label, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    thick = np.bincount(label.ravel(), (bulk & near).ravel(), count) / np.maximum(1, stats[:, 4])
    good = (stats[:, 3] <= 2.2 * height + 2) & (thick < 0.35) & (stats[:, 4] >= 2)
    good[0] = False
    number = np.where(good, np.cumsum(good), 0).astype(np.int32)
    return Ink(top, left, number[label], stats[good][:, :4], away)


def _features(pixels: NDArray[np.uint8], found: Regions, line: Line) -> NDArray[np.float64]:
    import cv2

    drawn = ink(pixels, line)
    tall = drawn.pieces[drawn.pieces[:, 3] >= 0.5 * line.height]
    letters, aligned = len(tall), 0.0
    if letters:
        foot = tall[:, 1] + tall[:, 3] - line.slope * (tall[:, 0] + tall[:, 2] / 2)
        aligned = float(np.mean(np.abs(foot - np.median(foot)) <= max(1.0, 0.1 * line.height)))
    inside = (drawn.label > 0).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    ridge = depth[(depth >= cv2.dilate(depth, np.ones((3, 3)))) & (inside > 0)]
    heights = found.height
    values = {
        "letters": aligned * np.log1p(letters),
        "contrast": np.log(line.contrast + 1),
        "flat": np.mean(drawn.away[drawn.label > 0] <= 12) if letters else 0.0,
        "unrest": np.median(found.unrest.max(axis=1)) / 255,
        "stroke": line.stroke / line.height,
        "aligned": aligned,
        "even": np.std(ridge) / np.mean(ridge) if len(ridge) else 1.0,
        "slim": np.median(found.breadth / heights),
        "seeds": np.log(len(found)),
        "height": np.log(line.height),
        "vivid": np.ptp(line.colour) / 255,
        "tops": np.median(np.abs(found.box[:, 0] - np.median(found.box[:, 0]))) / line.height,
        "bottoms": np.median(np.abs(found.box[:, 2] - np.median(found.box[:, 2]))) / line.height,
        "sizes": np.std(np.log(heights)),
    }
    return np.array([values[name] for name in WEIGHTS], dtype=np.float64)
