"""Contact sheets: the picture with its hole, each method's fill, the truth, one example a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

CELL = 360
LABEL = 18
MARK = np.array([1.0, 0.0, 0.6], dtype=np.float32)

Picture = NDArray[np.float32]


def marked(image: Picture, hole: NDArray[np.bool_]) -> Picture:
    """Return the picture with its hole painted in one loud colour.

    Parameters
    ----------
    image : (H, W, 3), [0, 1].
    hole : (H, W). True is missing.
    """
    return np.where(hole[..., None], MARK, image)


def sheet(rows: Sequence[Sequence[tuple[str, Picture]]], path: Path, *, cell: int = CELL) -> None:
    """Write a PNG with one labelled picture a cell, never enlarged, longer side at most `cell` px.

    Parameters
    ----------
    rows : for each row its (label, picture) pairs; pictures are (H, W, 3) in [0, 1].
    path : the folder is made.
    """
    thumbs = [[(label, _thumbnail(picture, cell)) for label, picture in row] for row in rows]
    heights = [max(im.height for _, im in row) + LABEL + 4 for row in thumbs]
    columns = max(len(row) for row in thumbs)
    page = Image.new("RGB", (columns * (cell + 4), sum(heights)), "white")
    draw = ImageDraw.Draw(page)
    top = 0
    for row, height in zip(thumbs, heights, strict=True):
        for column, (label, im) in enumerate(row):
            draw.text((column * (cell + 4) + 2, top + 3), label, fill="black")
            page.paste(im, (column * (cell + 4), top + LABEL))
        top += height
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def _thumbnail(picture: Picture, cell: int) -> Image.Image:
    im = Image.fromarray(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    im.thumbnail((cell, cell), Image.Resampling.LANCZOS)
    return im
