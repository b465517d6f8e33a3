"""Take out of metadata whatever would still show the unedited picture.

EXIF thumbnails, JPEGs inside maker notes, Photoshop thumbnail resources, and the thumbnails, depth maps and
gain maps that XMP carries or points to.
"""

from __future__ import annotations

import re
import struct

from lacuna.image import ifd

EXIF_HEAD = b"Exif\0\0"

_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"

_PHOTOSHOP_THUMBNAILS = (1033, 1036)

_XMP_ELEMENTS = re.compile(
    rb"<(xmp:Thumbnails|xap:Thumbnails|Container:Directory|GDepth:Data|GImage:Data|Device:Container)\b.*?</\1\s*>",
    re.DOTALL,
)
_XMP_ATTRIBUTES = re.compile(
    rb"\s(?:(?:GDepth|GImage|hdrgm):[A-Za-z]+|HDRGainMap:[A-Za-z]+|xmpNote:HasExtendedXMP|"
    rb"GCamera:(?:Micro|Motion)[A-Za-z]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')"
)
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>\s*))[2-8]")


def orientation_of(exif: bytes) -> int:
    """Return the EXIF orientation, 1 to 8; 1 when there is none or the block is damaged."""
    found = _find_orientation(exif)
    return found[1] if found is not None else 1


def with_orientation_1(exif: bytes) -> bytes:
    """Return the block saying that the pixels are upright; unchanged if it says nothing."""
    found = _find_orientation(exif)
    if found is None:
        return exif
    place, _, code = found
    block = bytearray(exif)
    struct.pack_into(code, block, place, 1)
    return bytes(block)


def upright_xmp(xmp: bytes) -> bytes:
    """Return the packet saying that the pixels are upright."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def _find_orientation(exif: bytes) -> tuple[int, int, str] | None:
    """Return where the orientation stands, its value and how it is packed."""
    try:
        header = ifd.read_header(exif)
        entries, _ = ifd.read_directory(exif, header, header.first)
    except ifd.BadStructureError:
        return None
    for entry in entries:
        numbers = entry.numbers(header.order)
        if entry.tag == ifd.ORIENTATION and len(numbers) == 1 and 1 <= numbers[0] <= 8:
            return entry.place, numbers[0], header.order + {1: "B", 3: "H", 4: "I"}.get(entry.type, "I")
    return None


def clean_exif(exif: bytes) -> tuple[bytes, bool]:
    """Remove the thumbnail directory and every JPEG inside the block, in place, so that offsets stay valid.

    Returns
    -------
    The block, and whether anything was removed.
    """
    block = bytearray(exif)
    try:
        header = ifd.read_header(exif)
        removed = _cut_second_directory(block, header)
    except ifd.BadStructureError:
        removed = False
    cleaned, jpegs = blank_jpegs(bytes(block))
    return cleaned, removed or jpegs


def _cut_second_directory(block: bytearray, header: ifd.Header) -> bool:
    data = bytes(block)
    place = ifd.next_place(header, header.first, data)
    if place + 4 > len(data):
        return False
    (second,) = struct.unpack_from(f"{header.order}I", data, place)
    if second == 0:
        return False
    struct.pack_into(f"{header.order}I", block, place, 0)
    try:
        entries, _ = ifd.read_directory(data, header, second)
    except ifd.BadStructureError:
        return True
    # Old cameras store the thumbnail as bare strips; newer ones as a JPEG.
    numbers = {entry.tag: entry.numbers(header.order) for entry in entries}
    for places, lengths in ((513, 514), (273, 279)):
        for start, length in zip(numbers.get(places, ()), numbers.get(lengths, ()), strict=False):
            end = min(start + length, len(block))
            block[start:end] = bytes(max(end - start, 0))
    return True


def blank_jpegs(block: bytes) -> tuple[bytes, bool]:
    """Overwrite every JPEG inside a block with zeros, keeping its length."""
    start = block.find(_JPEG_START)
    if start < 0:
        return block, False
    out = bytearray(block)
    while start >= 0:
        end = out.find(_JPEG_END, start + 3)
        end = len(out) if end < 0 else end + 2
        out[start:end] = bytes(end - start)
        start = out.find(_JPEG_START, end)
    return bytes(out), True


def clean_photoshop(resources: bytes) -> tuple[bytes, bool]:
    """Remove the thumbnails from a run of Photoshop image resources; the rest, IPTC included, stays."""
    kept = bytearray()
    place, removed = 0, False
    while place + 12 <= len(resources) and resources[place : place + 4] == b"8BIM":
        (kind,) = struct.unpack_from(">H", resources, place + 4)
        name = resources[place + 6] + 1
        at = place + 6 + name + name % 2
        if at + 4 > len(resources):
            break
        (length,) = struct.unpack_from(">I", resources, at)
        end = at + 4 + length + length % 2
        if kind in _PHOTOSHOP_THUMBNAILS:
            removed = True
        else:
            kept += resources[place:end]
        place = end
    # What does not look like a resource cannot be shown by anything either, but may be data: keep it.
    kept += resources[place:]
    return bytes(kept), removed


def clean_xmp(xmp: bytes) -> tuple[bytes, bool]:
    """Remove thumbnails, depth maps, and pointers to pictures that follow the main one."""
    cleaned = _XMP_ATTRIBUTES.sub(b"", _XMP_ELEMENTS.sub(b"", xmp))
    return cleaned, cleaned != xmp
