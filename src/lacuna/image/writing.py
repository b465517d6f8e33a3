"""The way out: a `Picture` to a file of the same format and depth, checked by reading it again."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.errors import DeviceOutOfMemoryError, ImageError, OptionError, OutputError
from lacuna.image import bmp, delivery, jpeg, jpeg_blocks, jpeg_moving, png, tiff, webp
from lacuna.image.container import Container, Decoded, Meta, Pixels, channels, has_alpha
from lacuna.image.fitting import FORMATS, fit
from lacuna.image.picture import Picture, colour_of
from lacuna.image.previews import EXIF_HEAD, clean_exif, clean_xmp, upright_xmp, with_orientation_1
from lacuna.image.reading import STREAM, decode
from lacuna.image.turning import contiguous, stored, upright
from lacuna.image.verify import compare, differing
from lacuna.types import Hole

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".dib": "BMP",
}

_ANEW = "all of the JPEG was encoded anew"
_KEPT = "MCUs encoded anew, all others kept as they were"


@dataclass(frozen=True)
class Saved:
    """What was written.

    Parameters
    ----------
    path : the file, or None for a stream.
    format : ``PNG``, ``JPEG``, ``WEBP``, ``TIFF`` or ``BMP``.
    changed_in_file : known pixels that differ between the original and the file, decoded again.
    notes : what was converted, dropped, or is not exact.
    """

    path: Path | None
    format: str
    changed_in_file: int
    notes: tuple[str, ...] = ()


def save_image(
    picture: Picture,
    target: Any,
    *,
    hole: Hole,
    source: Picture | None = None,
    format: str | None = None,
    overwrite: bool = False,
    quality: int | None = None,
) -> Saved:
    """Write a picture with the profile, metadata and orientation of the file that it came from.

    Parameters
    ----------
    target : path, ``"-"`` (stdout), or binary file
        A path's suffix names the format. Streams get ``format``, else the source's format, else PNG.
    hole : (H, W). True is missing: what was replaced.
    source : the picture before; None: what `Picture.composite` remembers, else the picture itself.
    format : one of ``PNG``, ``JPEG``, ``WEBP``, ``TIFF``, ``BMP``; None: by suffix.
    overwrite : replace a file that exists.
    quality : 1 to 100, encode JPEG or WebP anew at this quality; None keeps what can be kept: the blocks that
        did not change (JPEG to JPEG), the source's tables, or every pixel (lossless WebP).

    Raises
    ------
    OutputError : unknown suffix, exists already, read-only, disk full. No partial file is left.
    OptionError : a quality out of range, or for a format that has none.
    """
    picture.check_hole(hole)
    to_path = not hasattr(target, "write") and target != STREAM
    path = _path_of(target) if to_path else None
    name = _format_of(path, format, picture)
    check_quality(quality, name)
    if path is not None:
        origin = picture.container.path if picture.container is not None else None
        delivery.check_target(path, origin, overwrite=overwrite)
    before = _before(picture, source)
    try:
        data, notes = encode(picture, before, name, quality)
        again = _again(data)
    except MemoryError as error:
        raise DeviceOutOfMemoryError(f"memory ran out while the {name} file was written") from error
    changed = _changed(before, again, hole)
    notes += _told(name, changed, before, again, anew=not any(_KEPT in note for note in notes))
    if path is not None:
        delivery.write_file(path, data)
    else:
        delivery.write_stream(delivery.stdout() if target == STREAM else target, data)
    return Saved(path, name, changed, notes)


def encode(
    picture: Picture, before: Picture, name: str, quality: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Return the file's bytes, and what was converted or dropped."""
    container = picture.container
    if container is None or container.format != name:
        pixels, notes = fit(picture.pixels, name)
        if container is not None and container.format not in FORMATS:
            notes = (f"{container.format} is only read; it was written as {name}", *notes)
        meta, lost = _meta_for(picture, pixels)
        data, more = _encode_fresh(pixels, name, meta, quality)
        return data, (*notes, *lost, *more)
    pixels, notes = fit(stored(picture.pixels, container.orientation), name)
    data, more = _encode_again(pixels, container, before, quality)
    dropped = tuple(f"left out of the file: {what}" for what in container.dropped)
    return data, (*notes, *more, *dropped)


def _path_of(target: Any) -> Path:
    if not isinstance(target, (str, os.PathLike)):
        raise OutputError(f"a target is a path, '-' or a binary file; got {type(target).__name__}")
    return Path(target)


def _format_of(path: Path | None, wanted: str | None, picture: Picture) -> str:
    known = ", ".join(FORMATS)
    if wanted is not None:
        name = {"JPG": "JPEG", "TIF": "TIFF"}.get(wanted.upper(), wanted.upper())
        if name not in FORMATS:
            raise OutputError(f"cannot write format {wanted!r}; formats: {known}")
        return name
    if path is not None:
        found = SUFFIXES.get(path.suffix.lower())
        if found is None:
            raise OutputError(
                f"{path}: the suffix {path.suffix!r} names no format that can be written; "
                f"use one of {' '.join(SUFFIXES)}"
            )
        return found
    own = picture.container.format if picture.container is not None else ""
    return own if own in FORMATS else "PNG"


def check_quality(quality: int | None, name: str) -> None:
    """Refuse a quality out of range, or one for a format that has none.

    Raises
    ------
    OptionError
    """
    if quality is None:
        return
    if isinstance(quality, bool) or not isinstance(quality, (int, np.integer)) or not 1 <= quality <= 100:
        raise OptionError(f"quality is {quality!r}; expected a whole number from 1 to 100")
    if name not in ("JPEG", "WEBP"):
        raise OptionError(f"{name} is lossless and has no quality; leave it out, or write .jpg or .webp")


def _before(picture: Picture, source: Picture | None) -> Picture:
    """Return the picture as it was opened."""
    if source is not None:
        return source
    if picture.original is not None:
        return replace(picture, pixels=picture.original, original=None)
    return picture


def _encode_again(
    pixels: Pixels, container: Container, before: Picture, quality: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Encode in the format that the picture came in; pixels as stored."""
    if isinstance(container, png.PngFile):
        return png.write(pixels, container, container.meta), ()
    if isinstance(container, tiff.TiffFile):
        return tiff.write(pixels, container, container.meta), container.remarks
    if isinstance(container, webp.WebpFile):
        return webp.write(pixels, container, container.meta, quality)
    if isinstance(container, bmp.BmpFile):
        return bmp.write(pixels, container, container.meta), ()
    if isinstance(container, jpeg.JpegFile):
        return _encode_jpeg(pixels, container, before, quality)
    raise OutputError(f"{container.format} cannot be written")


def _encode_jpeg(
    pixels: Pixels, container: jpeg.JpegFile, before: Picture, quality: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Keep every block that did not change; where that cannot be, encode anew and say why."""
    frame = None if container.parsed is None else container.parsed.frame
    resized = frame is not None and pixels.shape[:2] != (frame.height, frame.width)
    why = jpeg_moving.why_not(container) if resized else jpeg_blocks.why_not(container)
    if container.redrawn:
        why = "the whole picture is a new one"
    elif quality is not None:
        why = f"quality {quality} was asked for"
    if why is None:
        try:
            if resized:
                result = jpeg_moving.move(container, pixels)
            else:
                old = contiguous(stored(before.pixels, container.orientation))
                result = jpeg_blocks.rewrite(container, pixels, differing(old, pixels))
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"its blocks could not be copied ({error})"
        else:
            return result.data, (
                f"JPEG: {result.touched} of {result.total} {_KEPT}",
                *result.notes,
            )
    data, notes = jpeg.encode(pixels, container, container.meta, quality)
    return data, (f"{_ANEW}, because {why}", *notes)


def _encode_fresh(
    pixels: Pixels, name: str, meta: Meta, quality: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Encode in a format that the picture did not come in; pixels upright."""
    if name == "PNG":
        return png.write(pixels, None, meta), ()
    if name == "TIFF":
        return tiff.write(pixels, None, meta), ()
    if name == "WEBP":
        return webp.write(pixels, None, meta, quality)
    if name == "BMP":
        return bmp.write(pixels, None, meta), ()
    return jpeg.encode(pixels, None, meta, quality)


def _meta_for(picture: Picture, pixels: Pixels) -> tuple[Meta, tuple[str, ...]]:
    """Return the metadata for another format, and what of it is lost."""
    if picture.container is not None:
        meta = picture.container.meta
        # These pixels are upright, whatever the old file said.
        meta = replace(meta, exif=with_orientation_1(meta.exif), xmp=upright_xmp(meta.xmp))
    else:
        info = picture.info or {}
        exif, _ = clean_exif(_bytes(info.get("exif")).removeprefix(EXIF_HEAD))
        meta = Meta(exif, picture.icc, clean_xmp(_bytes(info.get("xmp")))[0], _dpi(info.get("dpi")))
    grey_before = colour_of(picture.pixels).shape[2] == 1
    if meta.icc and grey_before and channels(pixels) >= 3:
        return replace(meta, icc=b""), ("the grey colour profile was left out: the file is RGB",)
    return meta, ()


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError):
        return None
    return (x, y) if x > 0 and y > 0 else None


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value or b"")


def _again(data: bytes) -> Picture:
    """Decode what is about to be written."""
    try:
        decoded: Decoded = decode(data, None)
    except ImageError as error:
        raise OutputError(f"the encoded file cannot be read back: {error}") from error
    pixels = upright(decoded.pixels, decoded.container.orientation)
    return Picture(pixels, "file", decoded.notes, decoded.container)


def _changed(before: Picture, again: Picture, hole: Hole) -> int:
    a, b = before.pixels, again.pixels
    if a.dtype == b.dtype and a.shape == b.shape:
        return int(np.count_nonzero(differing(a, b) & ~hole))
    return compare(before, again, hole).changed


def _told(name: str, changed: int, before: Picture, again: Picture, *, anew: bool) -> tuple[str, ...]:
    notes = []
    if changed and name == "JPEG" and anew:
        notes.append(f"{changed} known pixels differ slightly in the decoded JPEG; a .png or .tif keeps them")
    elif changed and name == "JPEG":
        notes.append(
            f"{changed} known pixels differ slightly in the decoded file: those in or next to a block of the "
            "hole (JPEG codes 8x8 blocks and spreads colour over their borders)"
        )
    elif changed:
        notes.append(f"{changed} known pixels differ in the written file")
    if has_alpha(before.pixels) and not has_alpha(again.pixels) and name != "JPEG":
        notes.append("alpha is opaque everywhere and was not stored")
    return tuple(notes)
