"""PNG: every depth, and all chunks kept.

Pillow decodes 8 bits and less, OpenCV 16-bit RGB(A). 16-bit grey and grey + alpha pass through Pillow in
disguise: PNG's filters work on bytes, so 2 × 16 bit is the same stream as 4 × 8 bit. `png_pixels` encodes.

References
----------
.. [1] PNG specification, third edition, W3C 2023; section 5 (chunks), 9 (filters), 11 (chunk contents).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lacuna.errors import ImageError
from lacuna.image import opencv, png_pixels
from lacuna.image.container import Container, Decoded, Meta, Pixels, channels, check_size
from lacuna.image.previews import clean_exif, clean_xmp, orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"

Chunk = tuple[bytes, bytes]

_XMP_KEY = b"XML:com.adobe.xmp\0"
_RAW_EXIF = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
# Chunks that describe samples as they were stored: meaningless once the palette or a bit depth has changed.
_SAMPLES = (b"PLTE", b"tRNS", b"hIST", b"sBIT", b"bKGD")
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6


@dataclass(frozen=True, eq=False)
class PngFile(Container):
    """The chunks before and after the image data that a rewritten file keeps."""

    before: tuple[Chunk, ...] = ()
    after: tuple[Chunk, ...] = ()


@dataclass(frozen=True)
class _Head:
    width: int
    height: int
    depth: int
    colour: int


def read(data: bytes, max_pixels: int | None) -> Decoded:
    """Decode a PNG file.

    Raises
    ------
    ImageError, LimitError
    """
    chunks = _split(data)
    head = _head(chunks)
    check_size(head.width, head.height, max_pixels)
    names = {name for name, _ in chunks}
    notes = []
    if b"acTL" in names:
        notes.append("animated PNG: only the first frame is used")
    pixels = _decode(chunks, head)
    transparency = next((body for name, body in chunks if name == b"tRNS"), b"")
    if head.colour == _PALETTE:
        notes.append(f"palette converted to {'RGBA' if channels(pixels) == 4 else 'RGB'}")
    elif transparency and head.colour in (_GREY, _RGB):
        pixels = _key_to_alpha(pixels, transparency, head.depth)
        notes.append("transparent colour converted to alpha")
    if head.colour == _GREY and head.depth in (2, 4):
        notes.append(f"{head.depth}-bit grey converted to 8-bit")
    converted = bool(notes) or (head.colour == _GREY and head.depth < 8 and pixels.dtype != np.bool_)
    return Decoded(pixels, _container(chunks, converted), tuple(notes))


def write(pixels: Pixels, source: PngFile | None, meta: Meta) -> bytes:
    """Encode pixels losslessly.

    Parameters
    ----------
    pixels : (H, W[, C]), bool, uint8 or uint16, as they are to be stored.
    source : whose chunks to keep; None: make chunks from ``meta``.
    """
    head, data = png_pixels.encode(pixels)
    before = source.before if source is not None else _from_meta(meta)
    after = source.after if source is not None else ()
    return _join([head, *before, data, *after, (b"IEND", b"")])


def _split(data: bytes) -> list[Chunk]:
    if not data.startswith(SIGNATURE):
        raise ImageError("not a PNG file")
    chunks: list[Chunk] = []
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            break
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        if chunks[-1][0] == b"IEND":
            return chunks
        at += 12 + length
    raise ImageError(f"the PNG file is truncated: it ends after {len(data)} bytes without an IEND chunk")


def _join(chunks: Iterable[Chunk]) -> bytes:
    out = [SIGNATURE]
    for name, body in chunks:
        out += [struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(name + body))]
    return b"".join(out)


def _head(chunks: list[Chunk]) -> _Head:
    name, body = chunks[0]
    if name != b"IHDR" or len(body) != 13:
        raise ImageError("the PNG file does not start with its header")
    width, height, depth, colour = struct.unpack_from(">IIBB", body)
    return _Head(width, height, depth, colour)


def _decode(chunks: list[Chunk], head: _Head) -> Pixels:
    needed = [
        chunk
        for chunk in chunks
        if chunk[0] in (b"IHDR", b"IDAT", b"IEND", b"PLTE")
        or (chunk[0] == b"tRNS" and head.colour == _PALETTE)
    ]
    if head.depth < 16:
        return _decode_pillow(_join(needed))
    if head.colour in (_GREY, _GREY_ALPHA):
        as_bytes = _GREY_ALPHA if head.colour == _GREY else _RGBA
        needed[0] = _with_colour(needed[0], 8, as_bytes)
        pairs = _decode_pillow(_join(needed))
        pixels = np.ascontiguousarray(pairs).view(">u2").astype(np.uint16)
        return pixels[..., 0] if head.colour == _GREY else pixels
    return _decode_opencv(_join(chunk for chunk in needed if chunk[0] != b"PLTE"))


def _with_colour(header: Chunk, depth: int, colour: int) -> Chunk:
    body = header[1]
    return b"IHDR", body[:8] + bytes((depth, colour)) + body[10:]


def _decode_pillow(data: bytes) -> Pixels:
    from PIL import PngImagePlugin

    from lacuna.image.pil import plain_pixels

    pixels, _ = plain_pixels(PngImagePlugin.PngImageFile(io.BytesIO(data)))
    return pixels


def _decode_opencv(data: bytes) -> Pixels:
    import cv2

    bgr = opencv.decoded(data)
    if bgr is None or bgr.dtype != np.uint16 or bgr.ndim != 3:
        raise ImageError("the PNG file is damaged: its 16-bit pixels cannot be decoded")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB if bgr.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _key_to_alpha(pixels: Pixels, transparency: bytes, depth: int) -> Pixels:
    """Return the pixels with an alpha channel that is 0 where they have the key colour."""
    key = np.array(struct.unpack(f">{len(transparency) // 2}H", transparency))
    top = 65535 if depth == 16 else 255
    if depth < 8:
        key = key * 255 // (2**depth - 1)
    # A 1-bit picture gets an alpha channel and with it 8 bits.
    colour = pixels.astype(np.uint8) * 255 if pixels.dtype == np.bool_ else pixels
    colour = colour[..., np.newaxis] if colour.ndim == 2 else colour
    alpha = np.where((colour == key).all(axis=-1, keepdims=True), 0, top).astype(colour.dtype)
    return np.concatenate([colour, alpha], axis=-1)


def _container(chunks: list[Chunk], converted: bool) -> PngFile:
    before: list[Chunk] = []
    after: list[Chunk] = []
    dropped: list[str] = []
    seen_data = False
    for name, body in chunks[1:-1]:
        if name == b"IDAT":
            seen_data = True
        elif name in _ANIMATION or (converted and name in _SAMPLES) or name in (b"PLTE", b"tRNS"):
            continue
        elif name == b"caBX":
            dropped.append("content credentials (they describe the unedited picture)")
        else:
            kept = _clean(name, body, dropped)
            (after if seen_data else before).append(kept)
    meta = _meta(before + after)
    return PngFile(
        format="PNG",
        meta=meta,
        orientation=orientation_of(meta.exif),
        dropped=tuple(dict.fromkeys(dropped)),
        before=tuple(before),
        after=tuple(after),
    )


def _clean(name: bytes, body: bytes, dropped: list[str]) -> Chunk:
    """Return the chunk without previews of the unedited picture."""
    removed = False
    if name == b"eXIf":
        body, removed = clean_exif(body)
    elif name == b"iTXt" and body.startswith(_XMP_KEY):
        xmp, removed = clean_xmp(_itxt_text(body))
        body = _itxt(xmp) if removed else body
    elif name in (b"zTXt", b"tEXt") and body.startswith(_RAW_EXIF):
        exif, removed = clean_exif(_raw_profile(name, body))
        name, body = (b"eXIf", exif) if removed else (name, body)
    if removed:
        dropped.append("embedded thumbnail")
    return name, body


def _meta(chunks: list[Chunk]) -> Meta:
    exif = icc = xmp = b""
    dpi = None
    for name, body in chunks:
        if name == b"eXIf":
            exif = body
        elif name in (b"zTXt", b"tEXt") and body.startswith(_RAW_EXIF):
            exif = exif or _raw_profile(name, body)
        elif name == b"iCCP":
            icc = _inflate(body[body.find(b"\0") + 2 :])
        elif name == b"iTXt" and body.startswith(_XMP_KEY):
            xmp = _itxt_text(body)
        elif name == b"pHYs" and len(body) == 9:
            x, y, unit = struct.unpack(">IIB", body)
            dpi = (x * 0.0254, y * 0.0254) if unit == 1 else None
    return Meta(exif, icc, xmp, dpi)


def _from_meta(meta: Meta) -> tuple[Chunk, ...]:
    chunks: list[Chunk] = []
    if meta.icc:
        chunks.append((b"iCCP", b"icc\0\0" + zlib.compress(meta.icc)))
    if meta.dpi is not None:
        x, y = (round(d / 0.0254) for d in meta.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if meta.exif:
        chunks.append((b"eXIf", meta.exif))
    if meta.xmp:
        chunks.append((b"iTXt", _itxt(meta.xmp)))
    return tuple(chunks)


def _itxt(xmp: bytes) -> bytes:
    return _XMP_KEY + b"\0\0\0\0" + xmp


def _itxt_text(body: bytes) -> bytes:
    rest = body[len(_XMP_KEY) :]
    compressed = rest[:1] == b"\1"
    text = rest[2:].split(b"\0", 2)[-1]
    return _inflate(text) if compressed else text


def _raw_profile(name: bytes, body: bytes) -> bytes:
    """Return the EXIF block that ImageMagick writes as hexadecimal text: newline, name, length, digits."""
    start = body.find(b"\0") + 1
    text = _inflate(body[start + 1 :]) if name == b"zTXt" else body[start:]
    words = text.split(b"\n", 3)
    try:
        block = bytes.fromhex(b"".join(words[-1].split()).decode("ascii"))
    except ValueError:
        return b""
    return block.removeprefix(b"Exif\0\0")


def _inflate(data: bytes, limit: int = 64 * 2**20) -> bytes:
    """Decompress at most ``limit`` bytes; nothing if the stream is damaged or larger."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, limit)
    except zlib.error:
        return b""
    return text if stream.eof else b""
