"""Contact sheets: pictures side by side with a line of words under each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lacuna.image.depth import full_scale
from lacuna.types import Hole

if TYPE_CHECKING:
    from lacuna.image import Picture

Rgb = NDArray[np.uint8]
"""``(H, W, 3)``, 0 to 255."""

TILE = 480
"""Longest side of a tile, in pixels."""
QUALITY = 80
"""Of sheets in JPEG and WebP: they are for looking at."""
_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp")
MARGIN = 16
CAPTION = 34
NARROWEST = 240
"""A column is at least so wide, so that captions do not meet."""
BACKGROUND, INK, DIM, MARK = (27, 27, 29), (240, 240, 240), (165, 165, 170), (255, 40, 110)
_ROWS = 256
"""Rows that are converted at a time: a large picture never exists as floats."""
CHECKER = (0.62, 0.78)
"""Two greys on which transparent pixels are shown."""


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Parameters
    ----------
    title : in the left corner of the caption.
    pixels : (H, W, 3), 0 to 255, at most `TILE` a side; see `show`.
    detail : dimmed, after the title.
    """

    title: str
    pixels: Rgb
    detail: str = ""


class View(NamedTuple):
    """The box of the picture that a sheet shows: the hole and its surroundings, or all of it."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def around(cls, hole: Hole, *, share: float = 0.75, least: int = TILE) -> View:
        """Return the hole's bounding box with room on each side.

        Parameters
        ----------
        hole : (H, W). True is missing.
        share : room on each side, as a share of the box's longer side.
        least : no side of the view is shorter than this, where the picture allows it.

        Examples
        --------
        >>> View.around(np.ones((300, 400), dtype=bool))
        View(top=0, left=0, bottom=300, right=400)
        """
        height, width = hole.shape
        if not hole.any():
            return cls(0, 0, height, width)
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        room = round(share * max(rows[-1] - rows[0], columns[-1] - columns[0]))
        top, bottom = _side(int(rows[0]), int(rows[-1]) + 1, room, least, height)
        left, right = _side(int(columns[0]), int(columns[-1]) + 1, room, least, width)
        if (bottom - top) * (right - left) > 0.6 * height * width:  # nearly everything: then everything
            return cls(0, 0, height, width)
        return cls(top, left, bottom, right)


def _side(start: int, stop: int, room: int, least: int, length: int) -> tuple[int, int]:
    room = max(room, math.ceil((least - (stop - start)) / 2))
    return max(0, start - room), min(length, stop + room)


def show(picture: Picture, hole: Hole, view: View, *, mark: bool = False) -> Rgb:
    """Return a picture as a sheet shows it: the view, at most `TILE` a side, 8 bits, RGB.

    Parameters
    ----------
    picture : of any depth; transparent pixels show a checkerboard.
    hole : (H, W). True is missing.
    mark : tint the hole.
    """
    tops = range(view.top, view.bottom, _ROWS)
    bands = [view._replace(top=top, bottom=min(top + _ROWS, view.bottom)) for top in tops]
    pixels = np.concatenate([_shown_band(picture, hole, band, mark=mark) for band in bands])
    size = _tile_size(*pixels.shape[:2])
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _shown_band(picture: Picture, hole: Hole, view: View, *, mark: bool) -> Rgb:
    part = slice(view.top, view.bottom), slice(view.left, view.right)
    pixels = np.nan_to_num(picture.canon(hole, view))  # new; a hole in float data may hold anything
    pixels = np.repeat(pixels, 3 // pixels.shape[2], axis=2)
    if picture.alpha is not None:
        alpha = picture.alpha[part].astype(np.float32) / np.float32(full_scale(picture.alpha.dtype))
        rows, columns = np.ogrid[part]
        board = np.where((rows // 8 + columns // 8) % 2 == 0, *map(np.float32, CHECKER))
        pixels = board[..., np.newaxis] + alpha[..., np.newaxis] * (pixels - board[..., np.newaxis])
    shown: Rgb = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    if mark:
        missing = hole[part]
        shown[missing] = (0.35 * shown[missing] + 0.65 * np.array(MARK)).astype(np.uint8)
    return shown


def _tile_size(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, TILE / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def draw(tiles: Sequence[Tile], *, columns: int = 0, footer: Sequence[str] = ()) -> Rgb:
    """Return the sheet.

    Parameters
    ----------
    tiles : at least one, all of the same size.
    columns : 0 chooses what leaves the fewest gaps.
    footer : lines under the tiles.
    """
    columns = columns or _columns(len(tiles))
    rows = math.ceil(len(tiles) / columns)
    height, width = tiles[0].pixels.shape[:2]
    step = max(width, NARROWEST) + MARGIN, height + CAPTION + MARGIN
    lines = [line for text in footer for line in _wrapped(text, columns * step[0] - MARGIN)]
    below = len(lines) * 22 + (MARGIN if lines else 0)
    page = Image.new("RGB", (columns * step[0] + MARGIN, rows * step[1] + MARGIN + below), BACKGROUND)
    brush = ImageDraw.Draw(page)
    for index, tile in enumerate(tiles):
        x, y = MARGIN + index % columns * step[0], MARGIN + index // columns * step[1]
        page.paste(Image.fromarray(tile.pixels), (x, y))
        _caption(brush, tile, x, y + height + 8)
    for index, line in enumerate(lines):
        brush.text((MARGIN, rows * step[1] + MARGIN + 22 * index), line, DIM, _font(15))
    return np.asarray(page)


def _columns(count: int) -> int:
    return count if count <= 3 else min((3, 4), key=lambda columns: (-count % columns, columns))


def _caption(brush: ImageDraw.ImageDraw, tile: Tile, x: int, y: int) -> None:
    brush.text((x, y), tile.title, INK, _font(18))
    indent = brush.textlength(tile.title, _font(18)) + 10
    brush.text((x + indent, y + 2), tile.detail, DIM, _font(16))


def _wrapped(text: str, width: int) -> list[str]:
    """Break a line at spaces so that it fits the sheet."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font(15).getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write(page: Rgb, path: str, *, overwrite: bool) -> None:
    """Write a sheet through the doors: beside, then renamed.

    Raises
    ------
    OutputError : cannot be written.
    """
    from lacuna.image import open_image, save_image

    lossy = Path(path).suffix.lower() in _LOSSY
    hole = np.ones(page.shape[:2], dtype=bool)
    save_image(open_image(page), path, hole=hole, overwrite=overwrite, quality=QUALITY if lossy else None)
