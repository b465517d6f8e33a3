"""The way in: files, bytes, streams, PIL images and arrays to a `Picture`."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lacuna.errors import DeviceOutOfMemoryError, ImageError, LacunaError, LimitError
from lacuna.image import bmp, depth, jpeg, png, tiff, webp
from lacuna.image.container import (
    DEFAULT_MAX_PIXELS,
    Container,
    Decoded,
    Meta,
    Pixels,
    channels,
    check_size,
)
from lacuna.image.picture import Picture
from lacuna.image.pil import plain_pixels
from lacuna.image.previews import EXIF_HEAD, clean_exif, orientation_of
from lacuna.image.turning import contiguous, upright

STREAM = "-"

_READERS: dict[str, Callable[[bytes, int | None], Decoded]] = {
    "PNG": png.read,
    "JPEG": jpeg.read,
    "WEBP": webp.read,
    "TIFF": tiff.read,
    "BMP": bmp.read,
}
# Read through Pillow; written as something else.
_READ_ONLY = ("GIF", "PPM", "AVIF")
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
}
_MAGIC = (
    (png.SIGNATURE, "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"8BPS", "PSD"),
    (b"%PDF", "PDF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
)


def open_image(source: Any, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Picture:
    """Open a picture, upright.

    Parameters
    ----------
    source : path, ``"-"`` (stdin), bytes, binary file, PIL image, or array
        Files are turned upright by their EXIF orientation. PIL images and arrays are taken as they are:
        (H, W) or (H, W, C), C = 1 to 4, where 2 and 4 channels end with alpha. They are never written to.
    max_pixels : refuse larger files before decoding them; None for no limit.

    Returns
    -------
    The picture; its ``notes`` say what was converted.

    Raises
    ------
    ImageError : missing, empty, truncated, not a picture, or of an unsupported kind.
    LimitError : more pixels than ``max_pixels``.

    Examples
    --------
    >>> open_image(np.zeros((2, 3), dtype=np.uint8)).shape
    (2, 3)
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if _is_pil(source):
        return _from_pil(source)
    path, data = read_bytes(source)
    name = f"{path}: " if path is not None else ""
    try:
        decoded = decode(data, max_pixels)
    except ImageError as error:
        raise ImageError(f"{name}{error}") from error
    except LimitError as error:
        raise LimitError(f"{name}{error}") from error
    except MemoryError as error:
        raise DeviceOutOfMemoryError(f"{name}memory ran out while the picture was decoded") from error
    container = replace(decoded.container, path=path)
    pixels = contiguous(upright(decoded.pixels, container.orientation))
    return Picture(_locked(pixels), "file", decoded.notes, container)


def read_bytes(source: Any) -> tuple[Path | None, bytes]:
    """Return a file's path, if it has one, and its bytes.

    Raises
    ------
    ImageError : missing, unreadable, empty, or not a kind of source.
    """
    path = None
    if isinstance(source, str) and source == STREAM:
        data = sys.stdin.buffer.read()
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        data = _read_file(path)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = _read_stream(source)
    else:
        raise ImageError(
            f"a picture is a path, bytes, a binary file, a PIL image or an array; got {type(source).__name__}"
        )
    if not data:
        raise ImageError(f"{path or 'the input'} is empty (0 bytes)")
    return path, data


def decode(data: bytes, max_pixels: int | None) -> Decoded:
    """Decode bytes of any supported format, not yet upright.

    Raises
    ------
    ImageError, LimitError
    """
    kind = sniff(data)
    if kind not in _READERS and kind not in _READ_ONLY:
        known = "PNG, JPEG, WebP, TIFF, BMP (and GIF, PPM, AVIF to read)"
        what = f"{kind} is not supported" if kind else "not a picture, or of an unknown kind"
        raise ImageError(f"{what}; supported: {known}")
    try:
        if kind in _READERS:
            decoded = _READERS[kind](data, max_pixels)
        else:
            decoded = _read_with_pillow(data, kind, max_pixels)
    except (LacunaError, MemoryError):
        raise
    except Exception as error:
        # The one boundary: decoders raise nearly everything, from KeyError to RuntimeError, on damaged files.
        raise ImageError(f"the {kind} file is truncated or damaged: {error}") from error
    depth.check_dtype(decoded.pixels.dtype)
    return decoded


def sniff(data: bytes) -> str:
    """Return the format that the first bytes show, or nothing.

    Examples
    --------
    >>> sniff(b"BM..."), sniff(b"hello")
    ('BMP', '')
    """
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "")
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PPM"
    return ""


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder; give the name of a file in it") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _read_stream(stream: BinaryIO) -> bytes:
    try:
        data = stream.read()
    except (OSError, ValueError) as error:
        raise ImageError(f"the input cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise ImageError("the input is a text file object; open it in binary mode ('rb')")
    return data


def _read_with_pillow(data: bytes, kind: str, max_pixels: int | None) -> Decoded:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=[kind])
        check_size(image.width, image.height, max_pixels)
        frames = getattr(image, "n_frames", 1)
        pixels, converted = plain_pixels(image)
    except Image.DecompressionBombError as error:
        raise LimitError(f"the {kind} file is larger than Pillow's own limit: {error}") from error
    except UnidentifiedImageError as error:  # whose words name an object in memory
        raise ImageError(f"the {kind} file is truncated or damaged: its beginning makes no sense") from error
    notes = list(converted)
    if frames > 1:
        notes.insert(0, f"animated {kind}: only the first frame is used")
    exif, _ = clean_exif(bytes(image.info.get("exif") or b"").removeprefix(EXIF_HEAD))
    meta = Meta(exif, bytes(image.info.get("icc_profile") or b""), bytes(image.info.get("xmp") or b""))
    return Decoded(pixels, Container(kind, meta, orientation_of(exif)), tuple(notes))


def _is_pil(source: Any) -> bool:
    # Whoever has a PIL image has imported PIL; nobody else has to wait for it.
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(source, module.Image)


def _from_pil(image: Any) -> Picture:
    check_size(image.width, image.height, None)
    try:
        pixels, notes = plain_pixels(image)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"the PIL image cannot be read: {error}") from error
    if getattr(image, "n_frames", 1) > 1:
        notes = ("the image has several frames: only the current one is used", *notes)
    return Picture(_locked(pixels), "pil", notes, info=dict(image.info))


def _from_array(array: Pixels) -> Picture:
    array = np.asarray(array)
    depth.check_dtype(array.dtype)
    if array.ndim not in (2, 3) or not 1 <= channels(array) <= 4:
        raise ImageError(
            f"an array of shape {array.shape} is not a picture; expected (H, W) or (H, W, C) with C = 1 to 4"
        )
    check_size(array.shape[1], array.shape[0], None)
    return Picture(_locked(array), "array")


def _locked(pixels: Pixels) -> Pixels:
    """Return a read-only view."""
    view = pixels.view()
    view.setflags(write=False)
    return view
