"""What a screen shows of a picture: 8-bit sRGB, in levels of half the size, cut into tiles.

A picture that was only opened has full levels. After a fill only the part that changed is kept, for each
level; a tile is cut from the levels of the nearest full picture, and what changed since is laid on it.
Averages are taken over blocks of 2x2 pixels, so that a patch of a level is exactly what the whole picture
would have given.
"""

from __future__ import annotations

import io
import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.image import Picture
from lacuna.image.container import has_alpha
from lacuna.image.depth import Scale, decode, full_scale, is_fixed
from lacuna.image.picture import colour_of
from lacuna.types import Box
from lacuna.web.settings import TILE

Shown = NDArray[np.uint8]
"""``(h, w, 3)``, or 4 with alpha; sRGB."""

_FACTS = "preview.json"
_ROWS = 512
"""Rows that are converted at a time, so that no large picture exists as floats."""


def levels_of(height: int, width: int) -> int:
    """Return how many levels there are until a picture fits one tile.

    Examples
    --------
    >>> levels_of(512, 512), levels_of(513, 20), levels_of(4000, 6000)
    (1, 2, 5)
    """
    return max(0, math.ceil(math.log2(max(height, width) / TILE))) + 1


def size_at(height: int, width: int, level: int) -> tuple[int, int]:
    """Return the (height, width) of a level."""
    return -(-height >> level), -(-width >> level)


def shown(picture: Picture, box: Box | None = None) -> Shown:
    """Return a part of a picture as a screen shows it.

    Parameters
    ----------
    box : (top, left, bottom, right); None is everything.
    """
    top, left, bottom, right = box or (0, 0, *picture.shape)
    bands = [
        _band(picture, (start, left, min(start + _ROWS, bottom), right))
        for start in range(top, bottom, _ROWS)
    ]
    return np.concatenate(bands)


def write_full(folder: Path, picture: Picture) -> None:
    """Write all levels of a picture."""
    height, width = picture.shape
    level = shown(picture)
    count = levels_of(height, width)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        np.save(folder / f"{number}.npy", level)
        level = halved(level)
    _write_facts(folder, {"parent": None, "size": [height, width], "levels": count, "boxes": None})


def write_patch(folder: Path, parent: Path, picture: Picture, box: Box | None) -> None:
    """Write what differs from another picture of the same size.

    Parameters
    ----------
    parent : where the other picture's levels are, beside this folder.
    box : (top, left, bottom, right) of what differs; None if nothing does.
    """
    height, width = picture.shape
    count = levels_of(height, width)
    folder.mkdir(parents=True, exist_ok=True)
    boxes: list[Box] = []
    if box is not None:
        patch = shown(picture, box)
        for number in range(count):
            np.save(folder / f"{number}.npy", patch)
            boxes.append(box)
            if number + 1 < count:
                box, patch = _up(parent, number, box, patch, size_at(height, width, number))
    _write_facts(
        folder,
        {"parent": parent.parent.name, "size": [height, width], "levels": count, "boxes": boxes or None},
    )


def cut(folder: Path, level: int, box: Box) -> Shown:
    """Return a part of a level.

    Parameters
    ----------
    folder : where `write_full` or `write_patch` wrote.
    box : (top, left, bottom, right) in pixels of the level, inside it.

    Raises
    ------
    OSError, LookupError : no such picture or level.
    """
    layers: list[tuple[Path, Box]] = []
    facts = facts_of(folder)
    while facts["parent"] is not None:
        if facts["boxes"] is not None and _meet(facts["boxes"][level], box):
            layers.append((folder, tuple(facts["boxes"][level])))
        folder = folder.parent.parent / facts["parent"] / folder.name
        facts = facts_of(folder)
    top, left, bottom, right = box
    out = np.array(np.load(folder / f"{level}.npy", mmap_mode="r")[top:bottom, left:right])
    for place, (t, le, b, r) in reversed(layers):
        y0, x0, y1, x1 = max(top, t), max(left, le), min(bottom, b), min(right, r)
        patch = np.load(place / f"{level}.npy", mmap_mode="r")
        out[y0 - top : y1 - top, x0 - left : x1 - left] = patch[y0 - t : y1 - t, x0 - le : x1 - le]
    return out


def facts_of(folder: Path) -> dict[str, Any]:
    """Return size, levels and parent of what was written.

    Raises
    ------
    OSError : nothing was.
    """
    return _facts_at(str(folder / _FACTS))


@lru_cache(maxsize=4096)  # a key's picture never changes
def _facts_at(path: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return told


def tile_box(height: int, width: int, level: int, x: int, y: int) -> Box | None:
    """Return the box of a tile in its level; None if there is no such tile.

    Examples
    --------
    >>> tile_box(600, 1000, 0, 1, 1), tile_box(600, 1000, 0, 2, 0)
    ((512, 512, 600, 1000), None)
    """
    high, wide = size_at(height, width, level)
    top, left = y * TILE, x * TILE
    if x < 0 or y < 0 or top >= high or left >= wide:
        return None
    return top, left, min(top + TILE, high), min(left + TILE, wide)


def encoded(pixels: Shown, *, lossless: bool) -> tuple[bytes, str]:
    """Return pixels as a file for browsers, and its media type."""
    from PIL import Image

    stream, image = io.BytesIO(), Image.fromarray(pixels)
    if lossless:
        image.save(stream, "PNG", compress_level=1)
        return stream.getvalue(), "image/png"
    image.save(stream, "WEBP", quality=85, method=0)
    return stream.getvalue(), "image/webp"


def halved(pixels: Shown) -> Shown:
    """Return the picture at half the size: means of 2x2 pixels; an odd last row or column counts twice.

    Examples
    --------
    >>> halved(np.array([[[0], [2], [9]]], dtype=np.uint8)).ravel().tolist()
    [1, 9]
    """
    odd = pixels.shape[0] % 2, pixels.shape[1] % 2
    if any(odd):
        pixels = np.pad(pixels, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    total = pixels[::2, ::2].astype(np.uint16)
    for part in (pixels[1::2, ::2], pixels[::2, 1::2], pixels[1::2, 1::2]):
        total += part
    total += 2
    total >>= 2
    return total.astype(np.uint8)


def _up(parent: Path, level: int, box: Box, patch: Shown, size: tuple[int, int]) -> tuple[Box, Shown]:
    """Return the box and pixels of a patch, one level up."""
    above = box[0] // 2, box[1] // 2, -(-box[2] // 2), -(-box[3] // 2)
    around = 2 * above[0], 2 * above[1], min(2 * above[2], size[0]), min(2 * above[3], size[1])
    whole = cut(parent, level, around)
    top, left = box[0] - around[0], box[1] - around[1]
    whole[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return above, halved(whole)


def _meet(one: Any, other: Box) -> bool:
    return bool(one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3])


def _write_facts(folder: Path, facts: dict[str, Any]) -> None:
    (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")


def _band(picture: Picture, box: Box) -> Shown:
    top, left, bottom, right = box
    native = picture.pixels[top:bottom, left:right]
    colour = colour_of(native)
    if native.dtype == np.uint8:
        eight = colour
    else:
        if is_fixed(native.dtype):
            canon = decode(colour, Scale(0.0, full_scale(native.dtype)))
        else:
            canon = picture.image[top:bottom, left:right]
        eight = (canon * 255 + 0.5).astype(np.uint8)
    rgb = _in_srgb(np.ascontiguousarray(eight), picture.icc)
    if not has_alpha(native):
        return rgb
    alpha = native[..., -1:].astype(np.float32) * np.float32(255 / full_scale(native.dtype)) + 0.5
    return np.concatenate([rgb, alpha.astype(np.uint8)], axis=2)


def _in_srgb(eight: Shown, icc: bytes) -> Shown:
    """Return (h, w, 3) in sRGB; a profile that cannot be read counts as sRGB."""
    mode = "L" if eight.shape[2] == 1 else "RGB"
    transform = _transform(icc, mode) if icc else None
    if transform is None:
        return np.repeat(eight, 3, axis=2) if mode == "L" else eight
    from PIL import Image, ImageCms

    image = Image.fromarray(eight[..., 0] if mode == "L" else eight)
    return np.asarray(ImageCms.applyTransform(image, transform))


@lru_cache(maxsize=8)
def _transform(icc: bytes, mode: str) -> Any:
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
