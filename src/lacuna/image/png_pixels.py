"""Pixels to the image chunks of a PNG file, band by band on several threads.

The bytes do not depend on how many threads there are.

References
----------
.. [1] PNG specification, third edition, W3C 2023; section 9 (filters), 10 (compression).
.. [2] RFC 1950 and 1951: the zlib and deflate formats.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.image.container import Pixels, channels
from lacuna.threads import thread_count

Rows = NDArray[np.uint8]

LEVEL = 4
BAND = 1 << 20
"""Bytes of a band: enough for deflate, which looks back 32 KiB, to lose nothing by starting anew."""
NONE, UP, AVERAGE = 0, 2, 3
_COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}
_MODULUS = 65521


def encode(pixels: Pixels) -> list[tuple[bytes, bytes]]:
    """Return the chunks IHDR and IDAT.

    Parameters
    ----------
    pixels : (H, W[, C]), C = 1 to 4, bool (one channel only), uint8 or uint16.

    Notes
    -----
    Each row is stored as it is, or less the row above, or less the mean of left and above: whichever sums to
    the least. The two other filters of PNG are left out; they cost more time than they save bytes.
    """
    height, width, n = *pixels.shape[:2], channels(pixels)
    depth = {"b": 1, "u": 8 * pixels.dtype.itemsize}[pixels.dtype.kind]
    rows = _rows(pixels)
    size = max(1, BAND // rows.shape[1])
    bands = [(start, min(start + size, height)) for start in range(0, height, size)]
    step = max(1, n * depth // 8)

    def work(band: tuple[int, int]) -> tuple[bytes, int, int]:
        return _deflated(_filtered(rows, *band, step, plain=depth == 1), last=band[1] == height)

    with ThreadPoolExecutor(min(thread_count(), len(bands))) as pool:
        parts = list(pool.map(work, bands))
    data = b"".join([b"\x78\x5e", *(part[0] for part in parts), struct.pack(">I", _checksum(parts))])
    head = struct.pack(">IIBBBBB", width, height, depth, _COLOUR[n], 0, 0, 0)
    return [(b"IHDR", head), (b"IDAT", data)]


def _rows(pixels: Pixels) -> Rows:
    """Return the bytes of each row as PNG stores them: high byte first, eight bits in a byte."""
    flat = pixels.reshape(len(pixels), -1)
    if pixels.dtype == np.bool_:
        return np.packbits(flat, axis=1)
    if pixels.dtype == np.uint16:
        return np.ascontiguousarray(flat, dtype=">u2").view(np.uint8)
    return np.ascontiguousarray(flat)


def _filtered(rows: Rows, start: int, stop: int, step: int, *, plain: bool) -> Rows:
    """Return the rows of a band, each after the number of its filter.

    Parameters
    ----------
    step : bytes from a sample to the same one of the pixel on the left.
    plain : no filter; packed bits have nothing in common with their neighbours.
    """
    part = rows[start:stop]
    out = np.empty((len(part), part.shape[1] + 1), dtype=np.uint8)
    out[:, 0], out[:, 1:] = NONE, part
    if plain:
        return out
    above = np.zeros_like(part)
    above[start == 0 :] = rows[max(start - 1, 0) : stop - 1]
    left = np.zeros_like(part)
    left[:, step:] = part[:, :-step]
    mean = (left & above) + ((left ^ above) >> 1)  # half of the sum, without a ninth bit
    least = _sums(part)
    for number, guess in ((UP, above), (AVERAGE, mean)):
        rest = part - guess
        sums = _sums(rest)
        better = sums < least
        out[better, 0], out[better, 1:] = number, rest[better]
        least = np.minimum(least, sums)
    return out


def _sums(rows: Rows) -> NDArray[np.int64]:
    """Return how far the bytes of each row are from zero, 255 being one away."""
    return np.asarray(np.minimum(rows, -rows).sum(axis=1, dtype=np.int64))


def _deflated(rows: Rows, *, last: bool) -> tuple[bytes, int, int]:
    """Return a band as deflate blocks that can follow one another, its checksum and its length."""
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    content: Any = rows  # an array is a buffer
    data = stream.compress(content) + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
    return data, zlib.adler32(content), rows.size


def _checksum(parts: list[tuple[bytes, int, int]]) -> int:
    """Return the Adler-32 of everything, from those of its parts."""
    low, high = 1, 0
    for _, check, length in parts:
        high = (high + (check >> 16) + length * (low - 1)) % _MODULUS
        low = (low + (check & 0xFFFF) - 1) % _MODULUS
    return high << 16 | low
