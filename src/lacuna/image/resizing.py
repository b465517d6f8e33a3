"""A file's contents for a picture of another size: what says how large it is follows."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from lacuna.image import ifd, jpeg, png
from lacuna.image.container import Container, Pixels
from lacuna.image.picture import Picture
from lacuna.image.previews import EXIF_HEAD
from lacuna.image.turning import stored
from lacuna.types import Box

_EXIF_WIDTH, _EXIF_HEIGHT = 0xA002, 0xA003


def on_canvas(
    picture: Picture, pixels: Pixels, notes: tuple[str, ...] = (), place: tuple[int, int] | None = None
) -> Picture:
    """Return a picture with other pixels, of another size, and everything else that its file holds.

    Parameters
    ----------
    pixels : (H, W[, C]), upright, of the picture's type and channels. Made read-only.
    notes : to be added to the picture's own.
    place : (top, left) of the old pixels if all of them are there as they were: a JPEG may keep its blocks.
    """
    pixels.setflags(write=False)
    container = picture.container
    if container is not None:
        height, width = pixels.shape[:2]
        turned = container.orientation in (5, 6, 7, 8)
        container = _resized(container, *((width, height) if turned else (height, width)))
        if isinstance(container, jpeg.JpegFile):
            container = (
                replace(container, redrawn=True)
                if place is None
                else placed(container, picture.shape, place, (height, width))
            )
    return replace(picture, pixels=pixels, container=container, original=None, notes=(*picture.notes, *notes))


def placed(
    container: jpeg.JpegFile, shape: tuple[int, int], place: tuple[int, int], canvas: tuple[int, int]
) -> jpeg.JpegFile:
    """Return a file that knows where its picture lies on a canvas.

    Parameters
    ----------
    shape, place, canvas : (H, W) of the upright picture, (top, left) of it, and (H, W) of the upright canvas.
    """
    box = *place, place[0] + shape[0], place[1] + shape[1]
    return replace(container, place=stored_box(box, canvas, container.orientation)[:2])


def stored_box(box: Box, shape: tuple[int, int], orientation: int) -> Box:
    """Return where a box of an upright picture lies in the stored one.

    Examples
    --------
    >>> stored_box((0, 0, 1, 2), (3, 4), 6)  # a quarter turn clockwise makes it upright
    (2, 0, 4, 1)
    """
    top, left, bottom, right = box
    rows, columns = (
        stored(np.broadcast_to(at, shape), orientation) for at in np.ogrid[: shape[0], : shape[1]]
    )
    lying = orientation in (5, 6, 7, 8)  # then a stored row is an upright column
    down, across = (columns[:, 0], rows[0]) if lying else (rows[:, 0], columns[0])
    (low, high), (near, far) = ((left, right), (top, bottom)) if lying else ((top, bottom), (left, right))
    first = np.flatnonzero((down >= low) & (down < high))
    second = np.flatnonzero((across >= near) & (across < far))
    return int(first[0]), int(second[0]), int(first[-1]) + 1, int(second[-1]) + 1


def _resized(container: Container, height: int, width: int) -> Container:
    meta = replace(container.meta, exif=with_size(container.meta.exif, height, width))
    if isinstance(container, jpeg.JpegFile):
        apps = tuple(
            (marker, EXIF_HEAD + with_size(body[len(EXIF_HEAD) :], height, width))
            if body.startswith(EXIF_HEAD)
            else (marker, body)
            for marker, body in container.apps
        )
        return replace(container, meta=meta, apps=apps)
    if isinstance(container, png.PngFile):
        before, after = (
            tuple(
                (name, with_size(body, height, width) if name == b"eXIf" else body) for name, body in chunks
            )
            for chunks in (container.before, container.after)
        )
        return replace(container, meta=meta, before=before, after=after)
    return replace(container, meta=meta)


def with_size(exif: bytes, height: int, width: int) -> bytes:
    """Return the block with the size of the stored picture, where it says one; its length stays.

    Parameters
    ----------
    height, width : of the pixels as they are stored.
    """
    try:
        header = ifd.read_header(exif)
        entries, _ = ifd.read_directory(exif, header, header.first, ifd.POINTERS)
    except ifd.BadStructureError:
        return exif
    block = bytearray(exif)
    for entry in (child for one in entries for child in one.children or ()):
        value = {_EXIF_WIDTH: width, _EXIF_HEIGHT: height}.get(entry.tag)
        code = {3: "H", 4: "I"}.get(entry.type)
        if value is not None and code is not None and entry.count == 1 and (code == "I" or value < 65536):
            struct.pack_into(header.order + code, block, entry.place, value)
    return bytes(block)
