"""Masks as PNG files of one bit a pixel: the same bytes on every machine.

What zlib makes of the same data depends on its version and maker. Masks are nearly all runs, so a small
encoder of our own does as well, and its bytes never change.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from lacuna.masks import kernels
from lacuna.types import Hole


def encode(hole: Hole) -> bytes:
    """Return a hole as a PNG file: greyscale, one bit, white is missing.

    Parameters
    ----------
    hole : (H, W). True is missing.

    References
    ----------
    .. [1] W3C, Portable Network Graphics (PNG) Specification; RFC 1950.
    """
    height, width = hole.shape
    rows = np.packbits(hole, axis=1)
    lines = np.zeros((height, rows.shape[1] + 1), dtype=np.uint8)
    lines[:, 0] = 2  # filter "up": rows that repeat become zeros
    lines[0, 1:] = rows[0]
    lines[1:, 1:] = rows[1:] - rows[:-1]
    data = lines.ravel()
    packed = np.zeros(len(data) * 9 // 8 + 16, dtype=np.uint8)
    used = kernels.deflate_runs(data, packed)
    stream = b"\x78\x01" + packed[:used].tobytes() + struct.pack(">I", zlib.adler32(data.tobytes()))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", stream), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
