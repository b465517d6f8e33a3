"""WebP: read by Pillow, written losslessly unless a quality is asked for.

A lossy source has no blocks that could be kept, so encoding it lossily again would change every known pixel.

References
----------
.. [1] WebP container specification, Google: RIFF chunks.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

from lacuna.errors import ImageError, LimitError, OutputError
from lacuna.image.container import Container, Decoded, Meta, Pixels, check_size
from lacuna.image.pil import plain_pixels
from lacuna.image.previews import (
    EXIF_HEAD,
    clean_exif,
    clean_xmp,
    orientation_of,
)

# Between Pillow's fastest and its default: nearly the default's size in half of its time.
_EFFORT = {"method": 1, "quality": 50}


@dataclass(frozen=True, eq=False)
class WebpFile(Container):
    """Whether the file's pixels were coded without loss."""

    lossless: bool = False


def read(data: bytes, max_pixels: int | None) -> Decoded:
    """Decode a WebP file, the first frame if it is animated.

    Raises
    ------
    ImageError, LimitError
    """
    from PIL import Image, WebPImagePlugin

    chunks = _chunks(data)
    check_size(*_size(chunks), max_pixels)
    try:
        image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
        pixels, _ = plain_pixels(image)
    except Image.DecompressionBombError as error:
        raise LimitError(f"the WebP file is larger than Pillow's own limit: {error}") from error
    frames = sum(name == b"ANMF" for name, _ in chunks)
    notes = ("animated WebP: only the first frame is used",) if frames > 1 else ()
    return Decoded(pixels, _container(chunks), notes)


def write(
    pixels: Pixels, source: WebpFile | None, meta: Meta, quality: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Encode pixels: without loss, or at a quality.

    Parameters
    ----------
    pixels : (H, W, 3 or 4), uint8, as they are to be stored.
    """
    from PIL import Image

    if max(pixels.shape[:2]) > 16383:
        raise OutputError(
            f"WebP holds at most 16383 pixels a side; this is {pixels.shape[1]}x{pixels.shape[0]}"
        )
    coding: dict[str, Any] = {"lossless": True, "exact": True, **_EFFORT}
    notes: tuple[str, ...] = ()
    if quality is not None:
        coding = {"quality": quality, "method": 4}
        notes = (f"encoded at WebP quality {quality}: known pixels change slightly",)
    elif source is not None and not source.lossless:
        notes = (
            "the lossy WebP is written lossless, so that known pixels stay; give a quality to shrink it",
        )
    out = io.BytesIO()
    try:
        Image.fromarray(pixels).save(
            out, "WEBP", icc_profile=meta.icc or None, exif=meta.exif, xmp=meta.xmp, **coding
        )
    except (OSError, ValueError) as error:
        raise OutputError(f"the picture cannot be written as WebP: {error}") from error
    return out.getvalue(), notes


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return names and contents; of the image data only as much as is there."""
    (length,) = struct.unpack_from("<I", data.ljust(8, b"\0"), 4)
    if length + 8 > len(data):
        raise ImageError(f"the WebP file is truncated: {len(data)} of {length + 8} bytes are there")
    found = []
    at = 12
    while at + 8 <= length + 8:
        (size,) = struct.unpack_from("<I", data, at + 4)
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    if not found:
        raise ImageError("the WebP file is empty")
    return found


def _size(chunks: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    name, body = chunks[0]
    body = body.ljust(10, b"\0")
    if name == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", body, 6)
    return width & 0x3FFF, height & 0x3FFF


def _container(chunks: list[tuple[bytes, bytes]]) -> WebpFile:
    parts = dict(reversed(chunks))
    exif, thumbnail = clean_exif(parts.get(b"EXIF", b"").removeprefix(EXIF_HEAD))
    xmp, more = clean_xmp(parts.get(b"XMP ", b""))
    dropped = ["embedded thumbnail"] if thumbnail or more else []
    if b"C2PA" in parts:
        dropped.append("content credentials (they describe the unedited picture)")
    return WebpFile(
        format="WEBP",
        meta=Meta(exif, parts.get(b"ICCP", b""), xmp),
        orientation=orientation_of(exif),
        dropped=tuple(dropped),
        lossless=b"VP8L" in parts or parts.get(b"ANMF", b"")[16:20] == b"VP8L",
    )
