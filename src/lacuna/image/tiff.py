"""TIFF: tifffile decodes, our own small writer keeps every tag, byte order and plane layout.

Only the pixels are new: strips, uncompressed or Deflate. Reading also takes what tifffile cannot decode
without compiled codecs (LZW, JPEG, fax): through Pillow for up to 8 bits, OpenCV for more.

References
----------
.. [1] TIFF, revision 6.0, Adobe 1992. [2] Adobe Photoshop TIFF technical notes, 2002: predictor and Deflate.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lacuna.errors import ImageError, OutputError
from lacuna.image import ifd, opencv
from lacuna.image.container import Container, Decoded, Meta, Pixels, channels, check_size
from lacuna.image.previews import blank_jpegs, clean_photoshop, clean_xmp, with_orientation_1

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS, _LENGTHS, _PLANAR = 273, 277, 278, 279, 284
_X_DPI, _Y_DPI, _DPI_UNIT, _PREDICTOR, _EXTRA, _FORMAT = 282, 283, 296, 317, 338, 339
_XMP, _IPTC, _PHOTOSHOP, _ICC, _MAKER_NOTE = 700, 33723, 34377, 34675, 37500
_DESCRIPTION, _LAYERS, _RAW = 270, 37724, 50706
_NONE, _DEFLATE, _OLD_DEFLATE, _LZMA = 1, 8, 32946, 34925
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_CMYK = 5

# Tags that describe how the old pixels were stored; the writer makes its own.
_REMADE = {254, 255, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _SAMPLES, _ROWS, _LENGTHS}
_REMADE |= {_PLANAR, _PREDICTOR, _EXTRA, _FORMAT, 263, 264, 265, 266, 280, 281, 288, 289, 290, 291, 292, 293}
_REMADE |= {320, 322, 323, 324, 325, 332, 333, 334, 336, 337, 347, *range(512, 522), 529, 530, 531, 532}
_PAGES = {297, 50838, 50839}
_DROPPED = {330: "sub-images (previews)", _LAYERS: "Photoshop layers"}
_STRIP_BYTES = 2**18
# Nearly as small as the default, several times as fast.
_LEVEL = 4


@dataclass(frozen=True, eq=False)
class TiffFile(Container):
    """The tags to keep and how the pixels were laid out.

    Parameters
    ----------
    order : byte order.
    tags : entries to keep, without those that describe the pixels.
    photometric : 0 white is zero, 1 black is zero, 2 RGB.
    compression : 1 none, 8 Deflate.
    predictor : 1 none, 2 horizontal differences.
    planar : 1 interleaved, 2 plane after plane.
    extra : what the extra channels are (2 unassociated alpha); None: to be worked out.
    remarks : what writing changes.
    """

    order: ifd.Order = "<"
    tags: tuple[ifd.Entry, ...] = ()
    photometric: int = _BLACK_IS_ZERO
    compression: int = _DEFLATE
    predictor: int = 1
    planar: int = 1
    extra: tuple[int, ...] | None = None
    remarks: tuple[str, ...] = ()


class _Directory:
    """Numbers and bytes of the first directory, by tag."""

    def __init__(self, header: ifd.Header, entries: Iterable[ifd.Entry]) -> None:
        self.order = header.order
        self.entries = {entry.tag: entry for entry in entries}

    def number(self, tag: int, default: int) -> int:
        return next(iter(self.numbers(tag)), default)

    def numbers(self, tag: int) -> tuple[int, ...]:
        entry = self.entries.get(tag)
        return entry.numbers(self.order) if entry is not None else ()

    def raw(self, tag: int) -> bytes:
        entry = self.entries.get(tag)
        return entry.raw if entry is not None else b""


def read(data: bytes, max_pixels: int | None) -> Decoded:
    """Decode the first page of a TIFF file.

    Raises
    ------
    ImageError, LimitError
    """
    try:
        header = ifd.read_header(data)
        entries, _ = ifd.read_directory(data, header, header.first, ifd.POINTERS)
    except ifd.BadStructureError as error:
        raise ImageError(f"the TIFF file is truncated or damaged: {error}") from error
    tags = _Directory(header, entries)
    if _RAW in tags.entries:
        raise ImageError("camera raw (DNG) has to be developed first; export it as a 16-bit TIFF")
    check_size(tags.number(_WIDTH, 0), tags.number(_HEIGHT, 0), max_pixels)
    pages = ifd.count_directories(data, header)
    notes = [f"the file has {pages} pages: only the first is used"] if pages > 1 else []
    pixels, converted = _decode(data, tags)
    notes += converted
    return Decoded(pixels, _container(tags, pixels, converted, several=pages > 1), tuple(notes))


def write(pixels: Pixels, source: TiffFile | None, meta: Meta) -> bytes:
    """Encode pixels losslessly as a classic TIFF file.

    Parameters
    ----------
    pixels : (H, W[, C]), any supported type, as they are to be stored.
    source : whose tags and layout to keep; None: little-endian Deflate with tags from ``meta``.

    Raises
    ------
    OutputError : more than 4 GiB.
    """
    if source is None:
        photometric = _RGB if channels(pixels) >= 3 else _BLACK_IS_ZERO
        source = TiffFile(format="TIFF", tags=_from_meta(meta), predictor=2, photometric=photometric)
    if source.photometric == _WHITE_IS_ZERO:
        pixels = _turned_over(pixels)
    planes = _planes(pixels, source)
    predictor = source.predictor if pixels.dtype.kind in "ui" else 1
    rows = max(1, _STRIP_BYTES // max(planes[0][:1].nbytes, 1))
    out = bytearray(8)
    places, lengths = [], []
    try:
        for plane in planes:
            for top in range(0, plane.shape[0], rows):
                strip = _strip(plane[top : top + rows], source, predictor)
                places.append(len(out))
                lengths.append(len(strip))
                out += strip + b"\0" * (len(strip) % 2)
        entries = [*source.tags, *_layout(pixels, source, predictor, rows, places, lengths)]
        block, first = ifd.write_directory(entries, source.order, len(out))
    except (OverflowError, struct.error) as error:
        raise OutputError("the picture is too large for a TIFF file (4 GiB)") from error
    out += block
    struct.pack_into(f"{source.order}2sHI", out, 0, b"II" if source.order == "<" else b"MM", 42, first)
    return bytes(out)


def _decode(data: bytes, tags: _Directory) -> tuple[Pixels, list[str]]:
    """Return the pixels as stored and what was converted."""
    bits = set(tags.numbers(_BITS)) or {1}
    samples = tags.number(_SAMPLES, 1)
    photometric = tags.number(_PHOTOMETRIC, _BLACK_IS_ZERO)
    if samples > 4 or (samples == 4 and photometric == _CMYK and bits != {8}):
        raise ImageError(f"TIFF files with {samples} channels of {max(bits)} bits are not supported")
    notes = [f"{max(bits)}-bit samples converted to 8-bit"] if bits & {2, 4} else []
    if tags.numbers(_EXTRA) == (0,):
        notes.append("the last channel is not marked as alpha; it is taken as alpha")
    simple = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) and bits <= {8, 16, 32, 64}
    if simple and tags.number(_COMPRESSION, _NONE) in (_NONE, _DEFLATE, _OLD_DEFLATE, _LZMA):
        found = _attempt(_decode_tifffile, data)
        if found is not None:
            return _turned_over(found) if photometric == _WHITE_IS_ZERO else found, notes
    # Pillow and OpenCV turn TIFF files upright by themselves; here they must not.
    data = with_orientation_1(data)
    if max(bits) <= 8:
        found, converted = _decode_pillow(data)
        return found, [*converted, *notes]
    found = _attempt(_decode_pillow_deep if samples == 1 else _decode_opencv, data)
    if found is None:
        compression = tags.number(_COMPRESSION, _NONE)
        raise ImageError(
            f"the TIFF file is truncated or damaged, or its compression ({compression}) is not supported "
            f"for {samples} channels of {max(bits)} bits; save it uncompressed or with Deflate"
        )
    return found, notes


def _turned_over(pixels: Pixels) -> Pixels:
    """Return white for black; signed and float samples have no such meaning and stay."""
    return ~pixels if pixels.dtype.kind in "ub" else pixels


def _attempt(decoder: Callable[[bytes], Pixels | None], data: bytes) -> Pixels | None:
    """Return what a decoder makes of the data, or None: another one may do better."""
    try:
        return decoder(data)
    except MemoryError:
        raise
    except Exception:  # they raise nearly everything; where none can, the caller says so
        return None


def _decode_tifffile(data: bytes) -> Pixels:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        pixels: Pixels = page.asarray()
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim not in (2, 3) or channels(pixels) > 4:
        raise ValueError(pixels.shape)
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


def _open_pillow(data: bytes) -> Any:
    from PIL import TiffImagePlugin

    return TiffImagePlugin.TiffImageFile(io.BytesIO(data))


def _decode_pillow(data: bytes) -> tuple[Pixels, tuple[str, ...]]:
    from lacuna.image.pil import plain_pixels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return plain_pixels(_open_pillow(data))


def _decode_pillow_deep(data: bytes) -> Pixels | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = np.asarray(_open_pillow(data))
    return pixels.astype(pixels.dtype.newbyteorder("=")) if pixels.ndim == 2 else None


def _decode_opencv(data: bytes) -> Pixels | None:
    import cv2

    bgr = opencv.decoded(data)
    if bgr is None or bgr.ndim != 3 or bgr.dtype == np.uint8:
        return None
    pixels: Pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB if bgr.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return pixels


def _container(tags: _Directory, pixels: Pixels, converted: list[str], *, several: bool) -> TiffFile:
    dropped: list[str] = [words for tag, words in _DROPPED.items() if tag in tags.entries]
    lost = set(_REMADE) | set(_DROPPED)
    if several:
        lost |= _PAGES
        # These programs describe all pages in the first one's description.
        if tags.raw(_DESCRIPTION).startswith((b"ImageJ=", b"<?xml")):
            lost.add(_DESCRIPTION)
    if converted and tags.number(_PHOTOMETRIC, 1) == _CMYK:
        lost.add(_ICC)
    kept = [_clean(entry, dropped) for tag, entry in tags.entries.items() if tag not in lost]
    compression = tags.number(_COMPRESSION, _NONE)
    photometric = tags.number(_PHOTOMETRIC, _BLACK_IS_ZERO)
    return TiffFile(
        format="TIFF",
        meta=_meta(tags, kept),
        orientation=_orientation(tags),
        dropped=tuple(dict.fromkeys(dropped)),
        order=tags.order,
        tags=tuple(kept),
        photometric=_photometric(photometric, grey=channels(pixels) <= 2),
        compression=_NONE if compression == _NONE else _DEFLATE,
        predictor=2 if tags.number(_PREDICTOR, 1) == 2 else 1,
        planar=2 if tags.number(_PLANAR, 1) == 2 else 1,
        extra=None if converted else tags.numbers(_EXTRA),
        remarks=_recompressed(compression),
    )


def _photometric(stored: int, *, grey: bool) -> int:
    """Return how to store what was decoded; three channels that call themselves grey stay so."""
    if grey:
        return min(stored, _BLACK_IS_ZERO)
    return _BLACK_IS_ZERO if stored == _BLACK_IS_ZERO else _RGB


def _recompressed(compression: int) -> tuple[str, ...]:
    if compression in (_NONE, _DEFLATE, _OLD_DEFLATE):
        return ()
    names = {5: "LZW", 6: "JPEG", 7: "JPEG", 32773: "PackBits", 2: "fax", 3: "fax", 4: "fax", _LZMA: "LZMA"}
    return (f"compression {names.get(compression, compression)} written as Deflate (lossless)",)


def _orientation(tags: _Directory) -> int:
    stored = tags.number(ifd.ORIENTATION, 1)
    return stored if 1 <= stored <= 8 else 1


def _clean(entry: ifd.Entry, dropped: list[str]) -> ifd.Entry:
    """Return a tag without previews of the unedited picture."""
    raw, removed = entry.raw, False
    if entry.children is not None:
        children = tuple(_clean(child, dropped) for child in entry.children)
        return ifd.Entry(entry.tag, entry.type, entry.count, children=children)
    if entry.tag == _XMP:
        raw, removed = clean_xmp(raw)
    elif entry.tag == _PHOTOSHOP:
        raw, removed = clean_photoshop(raw)
    elif entry.tag == _MAKER_NOTE:
        raw, removed = blank_jpegs(raw)
    if removed:
        dropped.append("embedded thumbnail")
    return ifd.Entry(entry.tag, entry.type, len(raw) // ifd.SIZES[entry.type], raw)


def _meta(tags: _Directory, kept: list[ifd.Entry]) -> Meta:
    by_tag = {entry.tag: entry for entry in kept}
    dpi = None
    x, y = tags.raw(_X_DPI), tags.raw(_Y_DPI)
    if len(x) == len(y) == 8 and tags.number(_DPI_UNIT, 2) in (2, 3):
        scale = 2.54 if tags.number(_DPI_UNIT, 2) == 3 else 1.0
        (a, b), (c, d) = (struct.unpack(f"{tags.order}2I", raw) for raw in (x, y))
        dpi = (a / b * scale, c / d * scale) if b and d else None
    icc, xmp = (by_tag[tag].raw if tag in by_tag else b"" for tag in (_ICC, _XMP))
    return Meta(_exif_block(kept, tags.order), icc, xmp, dpi)


def _exif_block(kept: list[ifd.Entry], order: ifd.Order) -> bytes:
    """Return the tags that other formats call EXIF, as a block of its own."""
    wanted = [
        e for e in kept if e.tag in (270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 33432, *ifd.POINTERS)
    ]
    if not wanted:
        return b""
    try:
        block, first = ifd.write_directory(wanted, order, 8)
    except (OverflowError, struct.error):
        return b""
    return struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, first) + block


def _from_meta(meta: Meta) -> tuple[ifd.Entry, ...]:
    entries = []
    if meta.exif:
        try:
            header = ifd.read_header(meta.exif)
            found, _ = ifd.read_directory(meta.exif, header, header.first, ifd.POINTERS)
        except ifd.BadStructureError:
            found, header = (), ifd.Header("<", False, 8)
        entries = [_reordered(entry, header.order) for entry in found if entry.tag not in _REMADE]
    have = {entry.tag for entry in entries}
    if meta.dpi is not None and _X_DPI not in have:
        x, y = (struct.pack("<2I", round(d * 1000), 1000) for d in meta.dpi)
        entries += [ifd.Entry(_X_DPI, 5, 1, x), ifd.Entry(_Y_DPI, 5, 1, y), ifd.entry(_DPI_UNIT, 3, [2], "<")]
    if meta.icc:
        entries.append(ifd.Entry(_ICC, 7, len(meta.icc), meta.icc))
    if meta.xmp:
        entries.append(ifd.Entry(_XMP, 1, len(meta.xmp), meta.xmp))
    return tuple(entries)


def _reordered(entry: ifd.Entry, order: ifd.Order) -> ifd.Entry:
    """Return a tag in little-endian order."""
    if entry.children is not None:
        children = tuple(_reordered(child, order) for child in entry.children)
        return ifd.Entry(entry.tag, entry.type, entry.count, children=children)
    width = 4 if entry.type in (5, 10) else ifd.SIZES[entry.type]
    if order == "<" or width == 1:
        return entry
    raw = np.frombuffer(entry.raw, dtype=f"V{width}").view(np.uint8).reshape(-1, width)[:, ::-1].tobytes()
    return ifd.Entry(entry.tag, entry.type, entry.count, raw)


def _planes(pixels: Pixels, source: TiffFile) -> list[Pixels]:
    """Return what is written one after the other: everything, or one plane per channel; (H, W, c) each."""
    whole = pixels.reshape(*pixels.shape[:2], channels(pixels))
    if source.planar == 2 and whole.shape[2] > 1:
        return [whole[..., i : i + 1] for i in range(whole.shape[2])]
    return [whole]


def _strip(rows: Pixels, source: TiffFile, predictor: int) -> bytes:
    if rows.dtype == np.bool_:
        raw = np.packbits(rows[..., 0], axis=1).tobytes()
    else:
        if predictor == 2:
            unsigned = rows.view(f"u{rows.dtype.itemsize}") if rows.dtype.kind == "i" else rows
            rows = np.concatenate([unsigned[:, :1], unsigned[:, 1:] - unsigned[:, :-1]], axis=1)
        raw = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder(source.order)).tobytes()
    return raw if source.compression == _NONE else zlib.compress(raw, _LEVEL)


def _layout(
    pixels: Pixels, source: TiffFile, predictor: int, rows: int, places: list[int], lengths: list[int]
) -> list[ifd.Entry]:
    """Return the tags that describe the pixels."""
    n = channels(pixels)
    bits = 1 if pixels.dtype == np.bool_ else 8 * pixels.dtype.itemsize
    form = {"i": 2, "f": 3}.get(pixels.dtype.kind, 1)
    extra = source.extra
    if extra is None:
        extra = (2,) * (n - (3 if source.photometric == _RGB else 1))
    short = {
        _BITS: [bits] * n,
        _COMPRESSION: [source.compression],
        _PHOTOMETRIC: [source.photometric],
        _SAMPLES: [n],
        _PLANAR: [source.planar if n > 1 else 1],
        _FORMAT: [form] * n,
    }
    if extra:
        short[_EXTRA] = list(extra)
    if predictor == 2:
        short[_PREDICTOR] = [2]
    long = {
        _WIDTH: [pixels.shape[1]],
        _HEIGHT: [pixels.shape[0]],
        _STRIPS: places,
        _ROWS: [min(rows, pixels.shape[0])],
        _LENGTHS: lengths,
    }
    return [ifd.entry(tag, 3, values, source.order) for tag, values in short.items()] + [
        ifd.entry(tag, 4, values, source.order) for tag, values in long.items()
    ]
