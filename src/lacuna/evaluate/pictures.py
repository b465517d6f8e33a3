"""Pictures of the report: the hole marked, the truth, and every fill, as data in the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.evaluate.folder import Run
from lacuna.evaluate.summary import Cell, Table
from lacuna.image import Picture, open_image
from lacuna.masks import to_hole
from lacuna.types import Hole

SIDE = 640
"""Pixels of the longer side in the page; larger pictures are cut to the surroundings of the hole first."""

MARK = np.array([255, 64, 160])


@dataclass(frozen=True)
class Tile:
    """One picture of a case.

    Parameters
    ----------
    title : what it is.
    words : its figures, or why there is no picture.
    data : ``data:`` address, or None.
    file : the whole picture, relative to the report, or None.
    """

    title: str
    words: str
    data: str | None
    file: str | None = None


def tiles(run: Run, table: Table, case: Cell, figure: str, form: str) -> list[Tile]:
    """Return hole, truth and every fill of a case, all cut alike.

    A picture that has gone since the run is a tile without data, not an error.
    """
    image, mask = Path(run.header["images"]) / case[0], Path(run.header["masks"]) / case[1]
    try:
        truth = open_image(image)
        hole, _ = to_hole(mask, truth.shape, picture=truth)
    except LacunaError as error:
        return [Tile("truth", str(error), None)]
    part = window(hole)
    pixels = as_bytes(truth)
    marked = mark(pixels, hole)
    out = [Tile("hole", f"{hole.mean():.1%} missing", _data(marked, part))]
    for method in table.working:
        row = table.filled[method].get(case)
        if row is None:
            out.append(Tile(method, "failed", None))
            continue
        value = row["figures"].get(figure)
        words = f"{value:{form}}, {row['seconds']:.2f} s" if value is not None else f"{row['seconds']:.2f} s"
        try:
            filled = _data(as_bytes(open_image(run.path / row["fill"])), part)
        except LacunaError as error:
            out.append(Tile(method, str(error), None))
            continue
        out.append(Tile(method, words, filled, row["fill"]))
    return [*out, Tile("truth", "", _data(pixels, part))]


def mark(pixels: NDArray[np.uint8], hole: Hole) -> NDArray[np.uint8]:
    """Return ``(H, W, 3)`` bytes with the hole in a colour that photographs rarely have."""
    return np.where(hole[..., None], (pixels * 0.25 + MARK * 0.75).astype(np.uint8), pixels)


def window(hole: Hole) -> tuple[slice, slice]:
    """Return the part that is shown: everything if it is small, else the hole with its surroundings."""
    height, width = hole.shape
    if max(height, width) <= SIDE:
        return slice(0, height), slice(0, width)
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    parts = []
    for found, length in ((rows, height), (columns, width)):
        low, high = int(found[0]), int(found[-1]) + 1
        side = min(length, max(SIDE, (high - low) * 3 // 2))
        start = min(max(0, (low + high - side) // 2), length - side)
        parts.append(slice(start, start + side))
    return parts[0], parts[1]


def as_bytes(picture: Picture) -> NDArray[np.uint8]:
    """Return ``(H, W, 3)`` bytes, for showing."""
    pixels = np.rint(picture.image * 255).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _data(pixels: NDArray[np.uint8], part: tuple[slice, slice]) -> str:
    return "data:image/webp;base64," + base64.b64encode(as_webp(pixels, part, lossless=False)).decode()


def as_webp(pixels: NDArray[np.uint8], part: tuple[slice, slice], *, lossless: bool) -> bytes:
    """Return a part of ``(H, W, 3)`` bytes as a WebP file of at most `SIDE` pixels a side."""
    from PIL import Image

    shown: Any = Image.fromarray(np.ascontiguousarray(pixels[part]))
    shown.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    shown.save(stream, "WEBP", lossless=lossless, quality=82, method=2)
    return stream.getvalue()
