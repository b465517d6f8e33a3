"""JPEG: markers kept, thumbnails dropped, only the blocks that changed encoded anew (see `jpeg_blocks`).

References
----------
.. [1] ITU-T T.81 (1992), Annex B: the markers.
.. [2] ITU-T T.871 (2011): JFIF, the colour conversion. CIPA DC-007: multi-picture format.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lacuna.errors import ImageError, OutputError
from lacuna.image.container import Container, Decoded, Meta, Pixels, check_size
from lacuna.image.pil import plain_pixels
from lacuna.image.previews import (
    EXIF_HEAD,
    clean_exif,
    clean_photoshop,
    clean_xmp,
    orientation_of,
)

Segment = tuple[int, bytes]
"""Marker code (0xE1 for APP1) and payload, without the length."""

SOF = (0xC0, 0xC1, 0xC2)
"""Frames with Huffman codes: baseline, extended, progressive."""

_ALL_SOF = (*SOF, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_EOI, _SOS, _COM = 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP11, _APP13, _APP14 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_ICC_HEAD = b"ICC_PROFILE\0"
_PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
_GAIN_MAP_HEAD = b"urn:iso:std:iso:ts:21496:-1\0"
_PAYLOAD = 65533
# In coded data 0xFF is followed by 0 (stuffing), a restart marker or fill bytes; anything else ends the scan.
_END_OF_SCAN = re.compile(rb"\xff(?=[^\x00\xd0-\xd7\xff])")


@dataclass(frozen=True)
class Component:
    """One plane: its identifier, sampling factors and quantisation table."""

    id: int
    h: int
    v: int
    table: int


@dataclass(frozen=True)
class Frame:
    """What the frame header says."""

    marker: int
    precision: int
    width: int
    height: int
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Parsed:
    """A file cut into pieces.

    Parameters
    ----------
    apps : application and comment segments before the first scan.
    rest : the other segments before the first scan, tables and frame.
    scans : everything from the first scan's header up to the end-of-image marker, verbatim.
    trailing : how many bytes follow the picture.
    complete : the end-of-image marker is there.
    """

    apps: tuple[Segment, ...]
    rest: tuple[Segment, ...]
    scans: bytes
    frame: Frame
    trailing: int
    complete: bool


@dataclass(frozen=True, eq=False)
class JpegFile(Container):
    """The parsed file, its segments to keep, and its tables.

    Parameters
    ----------
    parsed : the pieces of the file.
    apps : application and comment segments to keep, cleaned.
    tables : quantisation tables as Pillow reads them, for ordinary re-encoding.
    rgb : the planes are R, G and B rather than Y, Cb and Cr.
    place : (top, left) of the file's picture on a larger canvas, as it is stored; None: there is no canvas.
    redrawn : the picture is another one than the file's, of whatever size: none of its blocks can be kept.
    """

    parsed: Parsed | None = None
    apps: tuple[Segment, ...] = ()
    tables: tuple[tuple[int, ...], ...] = ()
    rgb: bool = False
    place: tuple[int, int] | None = None
    redrawn: bool = False


def read(data: bytes, max_pixels: int | None) -> Decoded:
    """Decode a JPEG file.

    Raises
    ------
    ImageError, LimitError
    """
    from PIL import JpegImagePlugin

    parsed = parse(data)
    check_size(parsed.frame.width, parsed.frame.height, max_pixels)
    # Not Image.open: the limit on pixels is ours, and a multi-picture file is one picture. Bare: what may be
    # wrong with the metadata does not concern the pixels.
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(_bare(parsed)))
    converted = image.mode == "CMYK"
    tables = tuple(tuple(int(n) for n in table) for _, table in sorted(image.quantization.items()))
    pixels, _ = plain_pixels(image)
    notes = ["CMYK converted to RGB"] if converted else []
    container, several = _container(parsed, tables, converted)
    if several:
        notes.append("the file holds further pictures: only the main one is used")
    return Decoded(pixels, container, tuple(notes))


def _bare(parsed: Parsed) -> bytes:
    """Return the picture with no metadata but what its colours depend on."""
    apps = tuple(s for s in parsed.apps if s[1].startswith((b"JFIF\0", b"Adobe", _ICC_HEAD)))
    whole = assemble(apps, parsed.rest, parsed.scans)
    return whole if parsed.complete else whole[:-2]


def parse(data: bytes) -> Parsed:
    """Cut a file into its segments.

    Raises
    ------
    ImageError : no picture in it.
    """
    apps: list[Segment] = []
    rest: list[Segment] = []
    frame = None
    at = 2
    while True:
        marker, payload, after = _segment(data, at)
        if marker == _SOS:
            break
        (apps if _is_app(marker) else rest).append((marker, payload))
        if marker in _ALL_SOF:
            frame = _frame(marker, payload)
        at = after
    if frame is None:
        raise ImageError("the JPEG file has no frame header before its data")
    end = _end_of_image(data, at)
    trailing = max(len(data) - end - 2, 0)
    return Parsed(tuple(apps), tuple(rest), data[at:end], frame, trailing, end < len(data))


def join(segments: list[Segment] | tuple[Segment, ...]) -> bytes:
    """Return segments as bytes, each with its marker and length."""
    return b"".join(
        struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload for marker, payload in segments
    )


def assemble(apps: tuple[Segment, ...], rest: tuple[Segment, ...], scans: bytes) -> bytes:
    """Return a whole file."""
    return b"".join((b"\xff\xd8", join(apps), join(rest), scans, b"\xff\xd9"))


def markers(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield the place and code of each marker from a scan's header on, up to the end of the picture."""
    while at + 4 <= len(data):
        yield at, data[at + 1]
        if data[at + 1] == _EOI:
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        found = _END_OF_SCAN.search(data, at + 2 + length)
        if found is None:
            return
        at = found.start()
    if data[at : at + 2] == b"\xff\xd9":
        yield at, _EOI


def encode(
    pixels: Pixels, source: JpegFile | None, meta: Meta, quality: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Encode all pixels anew: with the source's tables and sampling, or at a quality.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3), uint8, as they are to be stored.
    quality : 1 to 95 and beyond, as Pillow understands it. None: the source's tables, else 95.
    """
    from PIL import Image

    options: dict[str, Any] = {"subsampling": 0}
    if source is not None and source.parsed is not None and pixels.ndim == 3:
        options["subsampling"] = _pillow_sampling(source.parsed.frame)
    if quality is None and source is not None and source.tables:
        options["qtables"] = source.tables[:2]
        said = "encoded anew with the source's tables"
    else:
        options["quality"] = quality or 95
        said = f"encoded at JPEG quality {quality or 95}"
    out = io.BytesIO()
    try:
        Image.fromarray(pixels).save(out, "JPEG", optimize=True, **options)
    except (OSError, ValueError) as error:
        raise OutputError(f"the picture cannot be written as JPEG: {error}") from error
    fresh = parse(out.getvalue())
    apps = source.apps if source is not None else _from_meta(meta)
    if not any(marker == _APP0 for marker, _ in apps):
        apps = (*(s for s in fresh.apps if s[0] == _APP0), *apps)
    # The new planes are Y, Cb, Cr: an Adobe marker of the source may say something else.
    apps = tuple(s for s in apps if s[0] != _APP14)
    return assemble(apps, fresh.rest, fresh.scans), (said,)


def _is_app(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == _COM


def _segment(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return the marker, payload and end of the segment at a place; fill bytes before it are skipped."""
    truncated = ImageError("the JPEG file is truncated: it ends before its data")
    if at + 4 > len(data):
        raise truncated
    while at + 4 < len(data) and data[at : at + 2] == b"\xff\xff":
        at += 1
    if data[at] != 0xFF:
        raise ImageError(f"the JPEG file is damaged: no marker at byte {at}")
    marker = data[at + 1]
    if marker == _EOI:
        raise ImageError("the JPEG file ends without data")
    (length,) = struct.unpack_from(">H", data, at + 2)
    after = at + 2 + length
    if after > len(data) or length < 2:
        raise truncated
    return marker, data[at + 4 : after], after


def _frame(marker: int, payload: bytes) -> Frame:
    if len(payload) < 6 or len(payload) < 6 + 3 * payload[5]:
        raise ImageError("the JPEG file's frame header is damaged")
    precision, height, width, count = struct.unpack_from(">BHHB", payload)
    components = tuple(
        Component(payload[i], payload[i + 1] >> 4, payload[i + 1] & 15, payload[i + 2])
        for i in range(6, 6 + 3 * count, 3)
    )
    return Frame(marker, precision, width, height, components)


def _end_of_image(data: bytes, at: int) -> int:
    """Return where the end-of-image marker of the picture whose first scan starts at ``at`` is."""
    return next((place for place, marker in markers(data, at) if marker == _EOI), len(data))


def _container(parsed: Parsed, tables: tuple[tuple[int, ...], ...], converted: bool) -> tuple[JpegFile, bool]:
    meta = _meta(parsed.apps)
    several = any(m == _APP2 and body.startswith(b"MPF\0") for m, body in parsed.apps)
    dropped: list[str] = []
    apps = tuple(s for s in (_clean(s, dropped) for s in parsed.apps) if s is not None)
    if parsed.trailing and not dropped:
        dropped.append(f"{parsed.trailing} bytes after the picture")
    if converted:
        # The profile describes CMYK.
        apps = tuple(s for s in apps if not (s[0] == _APP2 and s[1].startswith(_ICC_HEAD)))
        meta = Meta(meta.exif, b"", meta.xmp, meta.dpi)
    file = JpegFile(
        format="JPEG",
        meta=meta,
        orientation=orientation_of(meta.exif),
        dropped=tuple(dict.fromkeys(dropped)),
        parsed=parsed,
        apps=apps,
        tables=tables,
        rgb=_planes_are_rgb(parsed),
    )
    return file, several


def _planes_are_rgb(parsed: Parsed) -> bool:
    """Tell RGB planes from YCbCr as libjpeg does: JFIF, then Adobe's flag, then the identifiers."""
    if any(m == _APP0 and body.startswith(b"JFIF\0") for m, body in parsed.apps):
        return False
    for marker, body in parsed.apps:
        if marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            return body[11] == 0
    return bytes(c.id for c in parsed.frame.components) == b"RGB"


def _clean(segment: Segment, dropped: list[str]) -> Segment | None:
    """Return a segment without previews of the unedited picture, or None to leave it out."""
    marker, body = segment
    removed = False
    if marker == _APP0 and body.startswith(b"JFXX\0"):
        body, removed = b"", True
    elif marker == _APP0 and body.startswith(b"JFIF\0") and len(body) > 14:
        body, removed = body[:12] + b"\0\0", True
    elif marker == _APP1 and body.startswith(EXIF_HEAD):
        exif, removed = clean_exif(body[len(EXIF_HEAD) :])
        body = EXIF_HEAD + exif
    elif marker == _APP1 and body.startswith(_XMP_HEAD):
        xmp, removed = clean_xmp(body[len(_XMP_HEAD) :])
        body = _XMP_HEAD + xmp
    elif marker == _APP13 and body.startswith(_PHOTOSHOP_HEAD):
        resources, removed = clean_photoshop(body[len(_PHOTOSHOP_HEAD) :])
        body = _PHOTOSHOP_HEAD + resources
    elif (what := _not_kept(marker, body)) is not None:
        dropped.append(what)
        return None
    if removed:
        dropped.append("embedded thumbnail")
    return (marker, body) if body else None


def _not_kept(marker: int, body: bytes) -> str | None:
    if marker == _APP1 and body.startswith(_XMP_MORE):
        return "extended XMP (depth map or full-size preview)"
    if marker == _APP2 and body.startswith(b"MPF\0"):
        return "further pictures in the file (previews, gain map)"
    if marker == _APP2 and body.startswith(_GAIN_MAP_HEAD):
        return "gain map"
    if marker == _APP11 and body.startswith(b"JP"):
        return "content credentials (they describe the unedited picture)"
    return None


def _meta(apps: tuple[Segment, ...]) -> Meta:
    exif = xmp = b""
    profile: dict[int, bytes] = {}
    dpi = None
    for marker, body in apps:
        if marker == _APP1 and body.startswith(EXIF_HEAD):
            exif = exif or clean_exif(body[len(EXIF_HEAD) :])[0]
        elif marker == _APP1 and body.startswith(_XMP_HEAD):
            xmp = xmp or clean_xmp(body[len(_XMP_HEAD) :])[0]
        elif marker == _APP2 and body.startswith(_ICC_HEAD) and len(body) > 14:
            profile[body[12]] = body[14:]
        elif marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 12:
            unit, x, y = struct.unpack_from(">BHH", body, 7)
            scale = {1: 1.0, 2: 2.54}.get(unit)
            dpi = (x * scale, y * scale) if scale and x and y else None
    return Meta(exif, b"".join(profile[i] for i in sorted(profile)), xmp, dpi)


def _from_meta(meta: Meta) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    x, y = (round(d) for d in meta.dpi) if meta.dpi is not None else (1, 1)
    unit = 0 if meta.dpi is None else 1
    segments.append((_APP0, b"JFIF\0\x01\x01" + struct.pack(">BHHBB", unit, x, y, 0, 0)))
    if meta.exif and len(meta.exif) + 6 <= _PAYLOAD:
        segments.append((_APP1, EXIF_HEAD + meta.exif))
    if meta.xmp and len(meta.xmp) + len(_XMP_HEAD) <= _PAYLOAD:
        segments.append((_APP1, _XMP_HEAD + meta.xmp))
    size = _PAYLOAD - len(_ICC_HEAD) - 2
    parts = [meta.icc[i : i + size] for i in range(0, len(meta.icc), size)]
    for number, part in enumerate(parts, 1):
        segments.append((_APP2, _ICC_HEAD + bytes((number, len(parts))) + part))
    return tuple(segments)


def _pillow_sampling(frame: Frame) -> int:
    """Return Pillow's number for the frame's chroma sampling; 4:4:4 for those that it cannot write."""
    factors = [(c.h, c.v) for c in frame.components[:3]]
    if factors[1:] == [(1, 1), (1, 1)]:
        return {(2, 1): 1, (2, 2): 2}.get(factors[0], 0)
    return 0
