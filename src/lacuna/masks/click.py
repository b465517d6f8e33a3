"""Click to select: an object on a plain background, grown from points and a box."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MaskError
from lacuna.image import Picture
from lacuna.masks import sam
from lacuna.masks.shape import filled
from lacuna.masks.sources import needed, units
from lacuna.masks.values import Drawn, Mask
from lacuna.types import Hole

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]

_SIDE = 700
"""Longest side of what is looked at; a larger part of the picture is reduced to it."""
_APART = 10.0
"""Two colours that differ by less, in Lab with L from 0 to 100, are not told apart."""
_ROUNDS = 5
_SEED = 20240229


@dataclass(frozen=True)
class Click(Mask):
    """What lies under some points, and not under others.

    Parameters
    ----------
    points : (x, y) on the object. May be empty if there is a box.
    without : (x, y) that do not belong to it.
    within : x, y, width, height around the object.
    model : Segment Anything, if it is to be used; None: what `lacuna.masks.sam.current` says.
    """

    points: tuple[Point, ...]
    without: tuple[Point, ...] = ()
    within: Rectangle | None = None
    model: sam.Sam | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.points and self.within is None:
            raise MaskError(
                "a click needs a point on the object, or a box around it; for example click:120,80"
            )
        for value in itertools.chain(*self.points, *self.without, self.within or ()):
            units(value)
        if self.within is not None and min(self.within[2:]) <= 0:
            raise MaskError(f"{self}: the box has no area; expected @x,y,width,height")

    def __str__(self) -> str:
        parts = [f"{x:.10g},{y:.10g}" for x, y in self.points] + [
            f"-{x:.10g},{y:.10g}" for x, y in self.without
        ]
        around = "" if self.within is None else "@" + ",".join(f"{value:.10g}" for value in self.within)
        return f"click:{';'.join(parts)}{around}"

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        picture = needed(self, picture)
        for x, y in (*self.points, *self.without):
            if not (0 <= x < shape[1] and 0 <= y < shape[0]):
                raise MaskError(f"{self}: the point {x:g},{y:g} is outside the {shape[1]}x{shape[0]} picture")
        model = self.model or sam.current()
        how = ""
        if model is None:
            hole = _Search(self, picture).run()
        else:
            hole, sure = model.select(picture, self.points, self.without, self.within)
            sam.check_found(hole, self)
            how = f"Segment Anything ({model.encoder.path.name}) is {sure:.2f} sure"
        share = float(hole.mean())
        if share > 0.9:
            raise MaskError(
                f"{self} would take {100 * share:.0f} % of the picture; click on something smaller, put a "
                "box around it (@x,y,width,height) or say what does not belong to it (;-x,y)"
            )
        told = f"{self} selected {int(hole.sum())} pixels, {100 * share:.1f} % of the picture"
        return hole, (told, how) if how else (told,)


def click(
    *points: Point,
    without: Sequence[Point] = (),
    within: Rectangle | None = None,
    model: sam.Sam | None = None,
) -> Mask:
    """Return the object under some points: for things that stand out from a plain background.

    Parameters
    ----------
    points : (x, y) on the object; every part of it that is not connected needs one.
    without : (x, y) that do not belong to it.
    within : x, y, width, height of a box around the object; a box alone will do.
    model : Segment Anything (`lacuna.masks.sam.load_sam`), which finds objects on any background.

    Raises
    ------
    MaskError : neither a point nor a box.

    Notes
    -----
    A first guess is what differs from a smooth background, or what resembles the clicked colour; GrabCut [1]_
    then finds the outline. It sees colours only: what looks like the things behind it needs a drawn mask.

    References
    ----------
    .. [1] Rother, Kolmogorov & Blake, "GrabCut": Interactive Foreground Extraction using Iterated Graph
       Cuts, 2004.

    Examples
    --------
    >>> print(click((120, 80), without=[(20, 20)], within=(100, 60, 80, 80)))
    click:120,80;-20,20@100,60,80,80
    """
    near = tuple((float(x), float(y)) for x, y in points)
    return Click(near, tuple((float(x), float(y)) for x, y in without), within, model)


class _Search:
    """Finds the object at a reduced size and brings it back to the picture's."""

    def __init__(self, wanted: Click, picture: Picture) -> None:
        self.wanted = wanted
        self.shape = picture.shape
        self.box = self._room()
        top, left, bottom, right = self.box
        self.scale = min(1.0, _SIDE / max(bottom - top, right - left))
        self.lab = _lab(picture.image[top:bottom, left:right], self.scale)
        self.inside = self._marked(wanted.points)
        self.outside = self._marked(wanted.without)

    def _room(self) -> tuple[int, int, int, int]:
        """Return the part of the picture that is looked at: the box and a margin, or everything."""
        height, width = self.shape
        if self.wanted.within is None:
            return 0, 0, height, width
        x, y, w, h = self.wanted.within
        margin = max(0.25 * max(w, h), 12)
        top, left = max(int(y - margin), 0), max(int(x - margin), 0)
        bottom, right = min(int(y + h + margin) + 1, height), min(int(x + w + margin) + 1, width)
        if x >= width or y >= height or x + w <= 0 or y + h <= 0:
            raise MaskError(f"{self.wanted}: the box lies outside the {width}x{height} picture")
        for px, py in self.wanted.points:
            if not (x <= px < x + w and y <= py < y + h):
                raise MaskError(f"{self.wanted}: the point {px:g},{py:g} is outside the box")
        return top, left, bottom, right

    def _marked(self, points: Sequence[Point]) -> Hole:
        """Return small squares around points, at the reduced size."""
        marks = np.zeros(self.lab.shape[:2], dtype=np.bool_)
        for x, y in points:
            row, column = self._reduced(y - self.box[0], 0), self._reduced(x - self.box[1], 1)
            marks[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
        return marks

    def _reduced(self, value: float, axis: int) -> int:
        return int(min(max(value * self.scale, 0), self.lab.shape[axis] - 1))

    def run(self) -> Hole:
        """Return the object's hole in the whole picture."""
        guess = self._guess()
        found = self._cut(guess)
        top, left, bottom, right = self.box
        hole = np.zeros(self.shape, dtype=np.bool_)
        hole[top:bottom, left:right] = _enlarged(found, (bottom - top, right - left))
        if not (found & ~self.inside).any():
            raise MaskError(
                f"{self.wanted}: nothing there stands out from its surroundings; draw the mask instead"
            )
        return hole

    def _guess(self) -> Hole:
        """Return what probably belongs to the object."""
        room = self._within()
        apart = _differs(self.lab, ~room if self.wanted.within else _edge(self.lab.shape[:2])) & room
        apart &= ~self.outside
        if not self.wanted.points:
            return apart if apart.any() else room
        apart = _connected(apart, self.inside)
        clicked = (apart & self.inside).sum() >= 0.5 * self.inside.sum()
        if clicked and (
            self.wanted.within or (apart[_edge(apart.shape)].mean() < 0.4 and apart.mean() < 0.7)
        ):
            return apart
        # No plain background, or the click is on it: take what resembles the clicked colours.
        colours = self.lab[self.inside]
        near = np.zeros(self.lab.shape[:2], dtype=np.bool_)
        for colour in np.unique(np.round(colours / 4) * 4, axis=0):
            near |= np.square(self.lab - colour).sum(axis=-1) < _APART**2
        return _connected((near | self.inside) & ~self.outside, self.inside)

    def _within(self) -> Hole:
        """Return the box, at the reduced size."""
        inner = np.zeros(self.lab.shape[:2], dtype=np.bool_)
        x, y, w, h = self.wanted.within or (0, 0, self.shape[1], self.shape[0])
        rows = slice(self._reduced(y - self.box[0], 0), self._reduced(y + h - self.box[0], 0) + 1)
        columns = slice(self._reduced(x - self.box[1], 1), self._reduced(x + w - self.box[1], 1) + 1)
        inner[rows, columns] = True
        return inner

    def _cut(self, guess: Hole) -> Hole:
        """Let GrabCut find the outline around a guess."""
        import cv2

        marks = np.full(guess.shape, cv2.GC_BGD, dtype=np.uint8)
        near = cv2.dilate(guess.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
        marks[near & self._within()] = cv2.GC_PR_BGD
        marks[guess] = cv2.GC_PR_FGD
        marks[self.inside] = cv2.GC_FGD
        marks[self.outside] = cv2.GC_BGD
        if not ((marks == cv2.GC_BGD) | (marks == cv2.GC_PR_BGD)).any():
            return guess
        pixels = np.clip(self.lab * [2.55, 1, 1] + [0, 128, 128], 0, 255).astype(np.uint8)
        # OpenCV clusters colours with a random generator of its own.
        cv2.setRNGSeed(_SEED)
        models = np.zeros((2, 1, 65))
        cv2.grabCut(pixels, marks, (0, 0, 1, 1), models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
        found = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
        start = self.inside if self.wanted.within is None else self.inside | _large(found)
        return np.asarray(filled(_connected(found, start)) & ~self.outside)


def _lab(image: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Return (h, w, 3), CIE Lab, L from 0 to 100, reduced."""
    import cv2

    rgb: Any = np.repeat(image, 3 // image.shape[2], axis=2)
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB), dtype=np.float32)


def _edge(shape: tuple[int, ...]) -> Hole:
    """Return a narrow band along the edge of a picture."""
    rim = max(min(shape[:2]) // 40, 1)
    edge = np.ones(shape[:2], dtype=np.bool_)
    edge[rim:-rim, rim:-rim] = False
    return edge


def _differs(lab: NDArray[np.float32], edge: Hole) -> Hole:
    """Return what differs from a smooth background: a quadratic surface through what lies at the edge."""
    height, width = lab.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.stack(
        [np.ones_like(rows), rows, columns, rows * rows, columns * columns, rows * columns], axis=-1
    )
    terms, values = basis[edge], lab[edge].astype(np.float64)
    kept = np.ones(len(terms), dtype=np.bool_)
    for _ in range(4):  # without what does not fit: an object may reach the edge
        surface = np.linalg.lstsq(terms[kept], values[kept], rcond=None)[0]
        rest = np.sqrt(np.square(values - terms @ surface).sum(axis=-1))
        kept = rest <= max(2.5 * float(np.median(rest)), 1e-6)
    away = np.sqrt(np.square(lab - basis @ surface).sum(axis=-1))
    return np.asarray(away > max(_APART, 4 * float(np.median(rest))))


def _connected(mask: Hole, start: Hole) -> Hole:
    """Return the parts of a mask that meet a start."""
    import cv2

    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    wanted = np.zeros(count, dtype=np.bool_)
    wanted[labels[start & mask]] = True
    wanted[0] = False
    return np.asarray(wanted[labels])


def _large(mask: Hole) -> Hole:
    """Return the parts of a mask that are at least a tenth of its largest."""
    import cv2

    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels.ravel(), minlength=count)
    sizes[0] = 0
    return np.asarray((10 * sizes >= max(int(sizes.max()), 1))[labels])


def _enlarged(mask: Hole, shape: tuple[int, int]) -> Hole:
    import cv2

    if mask.shape == shape:
        return mask
    soft = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft > 0.25)  # rather a pixel too many than a rim
