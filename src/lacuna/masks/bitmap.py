"""Masks as PNG files of one bit a pixel: the same bytes on every machine.

What zlib makes of the same data depends on its version and maker. Masks are nearly all runs, so a small
encoder of our own does as well, and its bytes never change.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from lacuna.jit import jit
from lacuna.types import Hole

Array = Any  # numpy arrays outside, numba's inside; shapes are in the docstrings
Number = Any


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
    used = deflate_runs(data, packed)
    stream = b"\x78\x01" + packed[:used].tobytes() + struct.pack(">I", zlib.adler32(data.tobytes()))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", stream), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


@jit
def deflate_runs(data: Array, out: Array) -> Number:
    """Compress bytes as one final block of deflate with fixed codes, looking for runs only.

    Parameters
    ----------
    data : (N,) uint8.
    out : (M,) uint8, zeros, at least 9/8 N + 8 of them.

    Returns
    -------
    How many bytes of `out` are used.

    References
    ----------
    .. [1] RFC 1951, sections 3.2.5 and 3.2.6.
    """
    at = _put(out, 0, 3, 3)  # final block; fixed codes
    i = 0
    while i < len(data):
        at = _put_symbol(out, at, np.int64(data[i]))
        i += 1
        run = 0
        while i + run < len(data) and data[i + run] == data[i - 1]:
            run += 1
        i += run
        while run >= 3:
            length = min(run, 258)
            if 0 < run - length < 3:
                length = run - 3
            at = _put_length(out, at, length)
            at = _put(out, at, 0, 5)  # distance 1: the byte before, again
            run -= length
        for _ in range(run):
            at = _put_symbol(out, at, np.int64(data[i - 1]))
    at = _put_symbol(out, at, 256)
    return (at + 7) // 8


@jit
def _put(out: Array, at: Number, value: Number, bits: Number) -> Number:
    """Write bits from the lowest on and return where the next ones go."""
    for k in range(bits):
        if value >> k & 1:
            out[(at + k) >> 3] |= np.uint8(1 << ((at + k) & 7))
    return at + bits


@jit
def _put_symbol(out: Array, at: Number, symbol: Number) -> Number:
    """Write a literal or length symbol; codes of Huffman go from the highest bit on."""
    if symbol < 144:
        code, bits = 0x30 + symbol, 8
    elif symbol < 256:
        code, bits = 0x190 + symbol - 144, 9
    elif symbol < 280:
        code, bits = symbol - 256, 7
    else:
        code, bits = 0xC0 + symbol - 280, 8
    for k in range(bits):
        at = _put(out, at, code >> (bits - 1 - k) & 1, 1)
    return at


@jit
def _put_length(out: Array, at: Number, length: Number) -> Number:
    """Write the length of a run, 3 to 258."""
    if length == 258:
        return _put_symbol(out, at, 285)
    rest, extra = length - 3, 0
    while rest >> extra >= 8:
        extra += 1
    if extra == 0:
        return _put_symbol(out, at, 257 + rest)
    at = _put_symbol(out, at, 257 + 4 * extra + (rest >> extra))
    return _put(out, at, rest & ((1 << extra) - 1), extra)
