"""TIFF structures: the directories of tags that TIFF files and EXIF blocks are made of.

References
----------
.. [1] TIFF, revision 6.0, Adobe 1992, section 2. BigTIFF: 8-byte offsets and counts.
.. [2] Exif 2.32, CIPA DC-008, section 4.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

Order = Literal["<", ">"]

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
SIZES |= {17: 8, 18: 8}
"""Bytes per value of each TIFF type; from 16 on those of BigTIFF."""

ORIENTATION = 274
EXIF_IFD = 34665
POINTERS = (EXIF_IFD, 34853, 40965)
"""Tags that point to another directory of the same picture: Exif, GPS, interoperability."""

_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MAX_ENTRIES = 4096


class BadStructureError(ValueError):
    """The bytes are not a TIFF structure, or point outside themselves."""


@dataclass(frozen=True)
class Entry:
    """One tag: its value as raw bytes in the structure's byte order, or the directory that it points to."""

    tag: int
    type: int
    count: int
    raw: bytes = b""
    place: int = 0
    children: tuple[Entry, ...] | None = None

    def numbers(self, order: Order) -> tuple[int, ...]:
        """Return the value as integers; empty for other types."""
        code = _CODES.get(self.type)
        return struct.unpack(f"{order}{self.count}{code}", self.raw) if code else ()


@dataclass(frozen=True)
class Header:
    """Byte order, whether offsets have 8 bytes, and where the first directory is."""

    order: Order
    big: bool
    first: int


def entry(tag: int, type_: int, values: Iterable[int], order: Order) -> Entry:
    """Make an integer tag."""
    numbers = tuple(values)
    return Entry(tag, type_, len(numbers), struct.pack(f"{order}{len(numbers)}{_CODES[type_]}", *numbers))


def read_header(data: bytes) -> Header:
    """Read the first bytes of a TIFF structure.

    Raises
    ------
    BadStructureError
    """
    orders: dict[bytes, Order] = {b"II": "<", b"MM": ">"}
    order = orders.get(data[:2])
    if order is None or len(data) < 8:
        raise BadStructureError("no TIFF header")
    (magic,) = struct.unpack_from(f"{order}H", data, 2)
    if magic == 42:
        return Header(order, False, struct.unpack_from(f"{order}I", data, 4)[0])
    if magic == 43 and len(data) >= 16:
        return Header(order, True, struct.unpack_from(f"{order}Q", data, 8)[0])
    raise BadStructureError("no TIFF header")


def read_directory(
    data: bytes, header: Header, place: int, follow: Iterable[int] = (), depth: int = 0
) -> tuple[tuple[Entry, ...], int]:
    """Read a directory.

    Parameters
    ----------
    place : offset of the directory.
    follow : tags whose values are read as directories (`Entry.children`).

    Returns
    -------
    The entries, and the offset of the next directory or 0.

    Raises
    ------
    BadStructureError : the directory lies outside the data, or is nested too deeply. Tags that point outside
        the data are left out.
    """
    if depth > 3:
        raise BadStructureError("directories nested too deeply")
    entries = []
    for item in _raw_entries(data, header, place):
        code = _CODES.get(item.type)
        if item.tag in follow and item.count == 1 and code in ("I", "Q"):
            (target,) = item.numbers(header.order)
            children, _ = read_directory(data, header, target, follow, depth + 1)
            item = replace(item, children=children, raw=b"")
        entries.append(item)
    return tuple(entries), _next(data, header, place)


def next_place(header: Header, place: int, data: bytes) -> int:
    """Return where the offset of the next directory is written."""
    count, start, size = _layout(data, header, place)
    return start + count * size


def count_directories(data: bytes, header: Header, limit: int = 10_000) -> int:
    """Return how many directories (pages) are chained; loops and damage end the chain."""
    seen: set[int] = set()
    place = header.first
    while place and place not in seen and len(seen) < limit:
        try:
            following = _next(data, header, place)
        except BadStructureError:
            break
        seen.add(place)
        place = following
    return len(seen)


def _layout(data: bytes, header: Header, place: int) -> tuple[int, int, int]:
    try:
        (count,) = struct.unpack_from(header.order + ("Q" if header.big else "H"), data, place)
    except struct.error as error:
        raise BadStructureError("a directory lies outside the data") from error
    if count > _MAX_ENTRIES:
        raise BadStructureError(f"a directory claims {count} entries")
    return count, place + (8 if header.big else 2), 20 if header.big else 12


def _next(data: bytes, header: Header, place: int) -> int:
    try:
        following: int = struct.unpack_from(
            header.order + ("Q" if header.big else "I"), data, next_place(header, place, data)
        )[0]
    except struct.error:
        return 0  # writers of EXIF often leave the last link out
    return following


def _raw_entries(data: bytes, header: Header, place: int) -> Iterator[Entry]:
    count, start, size = _layout(data, header, place)
    slot = 8 if header.big else 4
    for at in range(start, start + count * size, size):
        try:
            tag, type_, n = struct.unpack_from(header.order + ("HHQ" if header.big else "HHI"), data, at)
            where = at + size - slot
            length = SIZES.get(type_, 0) * n
            if length > slot:
                (where,) = struct.unpack_from(header.order + ("Q" if header.big else "I"), data, where)
        except struct.error as error:
            raise BadStructureError("a tag lies outside the data") from error
        # Damaged or unknown tags must not hide the good ones.
        if length == 0 or where + length > len(data):
            continue
        yield Entry(tag, type_, n, data[where : where + length], where)


def write_directory(entries: Iterable[Entry], order: Order, place: int) -> tuple[bytes, int]:
    """Write a directory with its values and sub-directories, as classic TIFF.

    Parameters
    ----------
    place : where the returned bytes will lie; an even offset.

    Returns
    -------
    The bytes, and the offset of the directory itself, which comes last.

    Raises
    ------
    OverflowError : the file would pass 4 GiB.
    """
    body = bytearray()
    slots: list[tuple[int, int, int, bytes]] = []
    for item in sorted(entries, key=lambda e: e.tag):
        type_, count, raw = item.type, item.count, item.raw
        if item.children is not None:
            block, at = write_directory(item.children, order, place + len(body))
            body += block
            type_, count, raw = 4, 1, _offset(order, at)
        elif type_ in (16, 17, 18):
            type_, raw = 4, struct.pack(f"{order}{count}I", *(_fits(n) for n in item.numbers(order)))
        if len(raw) > 4:
            at = place + len(body)
            body += raw + b"\0" * (len(raw) % 2)
            raw = _offset(order, at)
        slots.append((item.tag, type_, count, raw.ljust(4, b"\0")))
    start = place + len(body)
    body += struct.pack(f"{order}H", len(slots))
    for tag, type_, count, raw in slots:
        body += struct.pack(f"{order}HHI", tag, type_, count) + raw
    body += b"\0\0\0\0"
    return bytes(body), start


def _offset(order: Order, place: int) -> bytes:
    return struct.pack(f"{order}I", _fits(place))


def _fits(number: int) -> int:
    if number >= 2**32:
        raise OverflowError("more than 4 GiB do not fit into a TIFF file")
    return number
