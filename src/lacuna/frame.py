"""The hole's neighbourhood: what a method gets to see of a picture, and how its answer goes back.

A photo of 12 megapixels with a small hole should cost what the hole costs. `plan` groups the parts of the
hole that lie near one another and gives each group a box with context around it; no pixel of the hole belongs
to two boxes. `Frame` cuts a box out of the picture and of all that travels with it, and pastes it back.

The hole is looked at on a coarse grid of cells first, so that the dust of a scanned film (thousands of tiny
holes) costs one pass over the mask, not one per hole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lacuna.types import Aux, Box, Hole

CELL = 16
"""Side of a grid cell in pixels: holes in the same or in adjacent cells always share a frame."""

MIN_CONTEXT = 64
"""Pixels of context that even a one-pixel hole gets on each side."""

KNOWN_PER_HOLE = 2.0
"""A box grows until it holds so many known pixels for each missing one, or is the whole picture."""

MAX_FRAMES = 64
"""More groups than this are joined with their neighbours, however far: each call of a method has a price."""

_Boxes = NDArray[np.int64]  # (N, 4): top, left, bottom, right
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class Frame:
    """A box of a picture: ``crop`` cuts it out, ``paste`` is the exact inverse.

    Parameters
    ----------
    box : (top, left, bottom, right), half open, inside the picture.
    """

    box: Box

    @property
    def area(self) -> int:
        """Number of pixels."""
        top, left, bottom, right = self.box
        return (bottom - top) * (right - left)

    def view(self, array: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Return the box of an ``(H, W, …)`` array without copying it."""
        top, left, bottom, right = self.box
        return array[top:bottom, left:right]

    def crop(self, array: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Return the box of an ``(H, W, …)`` array as a contiguous, read-only array.

        Examples
        --------
        >>> Frame((0, 1, 2, 3)).crop(np.arange(8).reshape(2, 4))
        array([[1, 2],
               [5, 6]])
        """
        part = np.ascontiguousarray(self.view(array)).view()  # a view: the caller's flags are not ours to set
        part.flags.writeable = False
        return part

    def crop_aux(self, aux: Aux) -> Aux:
        """Return the spatial inputs cut to the box."""
        return Aux(
            guide=None if aux.guide is None else self.crop(aux.guide),
            sources=None if aux.sources is None else self.crop(aux.sources),
            sketch=None if aux.sketch is None else self.crop(aux.sketch),
        )

    def paste(self, canvas: NDArray[_Scalar], part: NDArray[_Scalar]) -> None:
        """Write a part of the box's size into ``canvas``, in place; nothing outside the box changes."""
        self.view(canvas)[...] = part


def plan(
    hole: Hole,
    *,
    unknown: Hole | None = None,
    sources: Hole | None = None,
    context: float = 0.5,
    whole: bool = False,
) -> list[Frame]:
    """Choose the frames in which a hole is filled.

    Parameters
    ----------
    hole : (H, W). True is missing.
    unknown : (H, W). All pixels that a method must not look at: the hole and more; None is the hole alone.
    sources : (H, W). True where a method may copy from; only these count as known. They may lie anywhere: a
        frame grows until it holds enough of them.
    context : 0 or more. Margin on each side, as a share of the group's height or width, `MIN_CONTEXT` pixels
        at least.
    whole : one frame, the whole picture.

    Returns
    -------
    Frames in reading order that do not overlap and together hold the whole hole. Each has `KNOWN_PER_HOLE`
    known pixels (sources, if given) per missing one, or is the whole picture. None when nothing is missing.

    Examples
    --------
    >>> hole = np.zeros((400, 900), dtype=bool)
    >>> hole[100:300, 50:150] = hole[200, 800] = True
    >>> [frame.box for frame in plan(hole)]
    [(0, 0, 400, 214), (136, 736, 265, 865)]
    """
    if not hole.any():
        return []
    if whole:
        return [Frame((0, 0, hole.shape[0], hole.shape[1]))]
    unknown = hole if unknown is None else unknown
    boxes = _merge_to(MAX_FRAMES, _grow(_groups(hole), context, hole.shape), hole.shape)
    while True:
        wider = np.array([_with_enough_known(box, unknown, sources) for box in boxes])
        merged = _merge(wider, hole.shape)
        if len(merged) == len(boxes):
            break
        boxes = merged
    reading_order = np.lexsort((merged[:, 1], merged[:, 0]))
    return [Frame((top, left, bottom, right)) for top, left, bottom, right in merged[reading_order].tolist()]


def _with_enough_known(box: NDArray[np.int64], unknown: Hole, sources: Hole | None) -> NDArray[np.int64]:
    while True:
        top, left, bottom, right = box
        missing = unknown[top:bottom, left:right]
        n_missing = int(np.count_nonzero(missing))
        n_known = missing.size - n_missing
        if sources is not None:
            n_known = int(np.count_nonzero(sources[top:bottom, left:right] & ~missing))
        wider = _grow(box[None], 0.25, unknown.shape)[0]
        if n_known >= KNOWN_PER_HOLE * n_missing or np.array_equal(wider, box):
            return box
        box = wider


def _groups(hole: Hole) -> _Boxes:
    """Return the bounding box of each group of holes whose grid cells touch."""
    rows, columns = (math.ceil(side / CELL) for side in hole.shape)
    padded = np.zeros((rows * CELL, columns * CELL), dtype=bool)
    padded[: hole.shape[0], : hole.shape[1]] = hole
    cells = padded.reshape(rows, CELL, columns, CELL)
    in_row = np.logical_or.reduce(cells, axis=3).transpose(0, 2, 1)  # (rows, columns, CELL): row has a hole
    in_column = np.logical_or.reduce(cells, axis=1)  # (rows, columns, CELL): column has a hole
    busy = in_column.any(axis=2)
    row, column = np.nonzero(busy)
    first_row, last_row = _ends(in_row[busy])
    first_column, last_column = _ends(in_column[busy])
    corners = np.stack([row, column, row, column], axis=1) * CELL
    boxes = corners + np.stack([first_row, first_column, last_row, last_column], axis=1)
    return _union(boxes, _label(busy)[busy] - 1)


def _ends(flags: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first True of each row and one past the last, for ``(N, CELL)`` flags."""
    return flags.argmax(axis=1), CELL - flags[:, ::-1].argmax(axis=1)


def _grow(boxes: _Boxes, share: float, shape: tuple[int, ...]) -> _Boxes:
    """Return boxes with a margin on each side, cut to the picture."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    margins = np.ceil(np.clip(share * sizes, MIN_CONTEXT, max(*shape, MIN_CONTEXT))).astype(np.int64)
    return np.concatenate(
        [np.maximum(boxes[:, :2] - margins, 0), np.minimum(boxes[:, 2:] + margins, np.array(shape))], axis=1
    )


def _merge_to(limit: int, boxes: _Boxes, shape: tuple[int, ...]) -> _Boxes:
    """Join boxes that overlap, then ever more distant ones until there are few enough."""
    boxes = _merge(boxes, shape)
    gap = CELL
    while len(boxes) > limit:
        gap *= 2
        boxes = _merge(_merge(boxes, shape, gap), shape)
    return boxes


def _merge(boxes: _Boxes, shape: tuple[int, ...], gap: int = 0) -> _Boxes:
    """Join boxes that touch a common or adjacent grid cell, until none do.

    The boxes are painted on the grid of cells and its connected components are read off: linear in boxes and
    cells. A box around two joined ones may touch a third, hence the loop.
    """
    rows, columns = (math.ceil(side / CELL) for side in shape)
    while True:
        top, left = (np.maximum(boxes[:, :2] - gap, 0) // CELL).T
        bottom, right = np.minimum(-(-(boxes[:, 2:] + gap) // CELL), (rows, columns)).T
        edges = np.zeros((rows + 1, columns + 1), dtype=np.int32)
        for sign, y, x in ((1, top, left), (-1, top, right), (-1, bottom, left), (1, bottom, right)):
            np.add.at(edges, (y, x), sign)
        painted = edges.cumsum(axis=0).cumsum(axis=1)[:rows, :columns] > 0
        merged = _union(boxes, _label(painted)[top, left] - 1)
        if gap or len(merged) == len(boxes):
            return merged
        boxes = merged


def _label(cells: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the number of each cell's 8-connected component, from 1; 0 is background."""
    import cv2  # slow to import, and wanted only here

    labels: Any = cv2.connectedComponents(cells.astype(np.uint8), connectivity=8)[1]
    return labels  # type: ignore[no-any-return]


def _union(boxes: _Boxes, labels: NDArray[Any]) -> _Boxes:
    """Return the bounding box of the boxes of each label."""
    out = np.zeros((int(labels.max()) + 1, 4), dtype=np.int64)
    out[:, :2] = np.iinfo(np.int64).max
    np.minimum.at(out[:, :2], labels, boxes[:, :2])
    np.maximum.at(out[:, 2:], labels, boxes[:, 2:])
    return out
