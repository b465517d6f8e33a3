"""Where masks come from: shapes, colours, files, the picture's own alpha."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.detect import DETECTORS
from lacuna.errors import MaskError
from lacuna.image import Picture
from lacuna.image.depth import full_scale
from lacuna.masks.values import FURTHEST, Drawn, Mask
from lacuna.types import Hole

Rings = Sequence[Sequence[tuple[float, float]]]


def units(value: float, what: str = "a coordinate") -> int:
    """Return pixels as the rasteriser's units.

    Raises
    ------
    MaskError : not a finite number, or absurdly far away.
    """
    if not abs(value) <= FURTHEST:
        raise MaskError(f"{what} is {value:g}; expected a number of pixels, {FURTHEST} at most")
    return round(value * 256)


def outside(mask: object, shape: tuple[int, int]) -> MaskError:
    """Return the error for a mask that misses the picture."""
    height, width = shape
    return MaskError(f"{mask} covers no pixel of the {width}x{height} picture; x runs right, y runs down")


@dataclass(frozen=True)
class Box(Mask):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        for value in (self.x, self.y, self.width, self.height):
            units(value)
        if self.width <= 0 or self.height <= 0:
            raise MaskError(f"{self} has no area; expected box:x,y,width,height")

    def __str__(self) -> str:
        return f"box:{self.x:.10g},{self.y:.10g},{self.width:.10g},{self.height:.10g}"

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        from lacuna.masks import kernels

        hole = np.zeros(shape, dtype=np.bool_)
        ends = units(self.x + self.width), units(self.y + self.height)
        if not kernels.box(hole, units(self.x), units(self.y), *ends):
            raise outside(self, shape)
        return hole, ()


@dataclass(frozen=True)
class Ellipse(Mask):
    """An ellipse with upright axes."""

    x: float
    y: float
    rx: float
    ry: float

    def __post_init__(self) -> None:
        for value in (self.x, self.y, self.rx, self.ry):
            units(value)
        if units(self.rx) < 1 or units(self.ry) < 1:
            raise MaskError(f"{self} has no area; expected ellipse:centre x,centre y,radius x,radius y")

    def __str__(self) -> str:
        return f"ellipse:{self.x:.10g},{self.y:.10g},{self.rx:.10g},{self.ry:.10g}"

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        from lacuna.masks import kernels

        hole = np.zeros(shape, dtype=np.bool_)
        if not kernels.ellipse(hole, units(self.x), units(self.y), units(self.rx), units(self.ry)):
            raise outside(self, shape)
        return hole, ()


@dataclass(frozen=True)
class Polygon(Mask):
    """Closed rings of corners.

    Parameters
    ----------
    rings : each at least three points (x, y).
    name : as it is to be written.
    evenodd : a ring inside a ring cuts a hole, whichever way they turn.
    """

    rings: tuple[tuple[tuple[float, float], ...], ...]
    name: str = field(repr=False)
    evenodd: bool = False

    def __post_init__(self) -> None:
        for ring in self.rings:
            if len(ring) < 3:
                raise MaskError(f"{self.name}: a polygon needs three points or more, this has {len(ring)}")
            for x, y in ring:
                units(x)
                units(y)

    def __str__(self) -> str:
        return self.name

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        hole = fill_rings(self.rings, shape, evenodd=self.evenodd)
        if not hole.any():
            raise outside(self, shape)
        return hole, ()


def fill_rings(rings: Rings, shape: tuple[int, int], *, evenodd: bool = False) -> Hole:
    """Return (H, W), True inside closed rings of points (x, y)."""
    from lacuna.masks import kernels

    hole = np.zeros(shape, dtype=np.bool_)
    if rings:
        points = np.array([[units(x), units(y)] for ring in rings for x, y in ring], dtype=np.int64)
        starts = np.cumsum([0, *map(len, rings)]).astype(np.int64)
        kernels.polygon(hole, points, starts, evenodd)
    return hole


@dataclass(frozen=True)
class Colour(Mask):
    """Every pixel of a colour, or near it."""

    red: int
    green: int
    blue: int
    tolerance: float = 0

    def __post_init__(self) -> None:
        if not all(0 <= value <= 255 for value in (self.red, self.green, self.blue)):
            raise MaskError(f"colour {self.red},{self.green},{self.blue}: expected three numbers, 0 to 255")
        if not 0 <= self.tolerance <= 255:
            raise MaskError(f"a colour's tolerance is {self.tolerance:g}; expected 0 to 255")

    def __str__(self) -> str:
        near = f"~{self.tolerance:.10g}" if self.tolerance else ""
        return f"color:#{self.red:02x}{self.green:02x}{self.blue:02x}{near}"

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        picture = needed(self, picture)
        colour = picture.colour
        if colour.dtype.kind not in "ub":
            colour = picture.image
        top = full_scale(colour.dtype)
        wanted = (self.red, self.green, self.blue) if colour.shape[2] == 3 else (self._grey(),)
        hole = picture.known.copy()
        # Half a step of 8 bits more: #ff0000 is what an 8-bit viewer shows as #ff0000, in any depth.
        reach = (self.tolerance + (0 if colour.dtype == np.uint8 else 0.5)) / 255 * top
        for index, value in enumerate(wanted):
            hole &= (
                np.abs(colour[..., index].astype(np.float32) - value / 255 * top) <= reach + 1e-4 * top / 255
            )
        if hole.any():
            return hole, ()
        return hole, (f"{self}: no pixel of the picture has that colour",)

    def _grey(self) -> int:
        if self.red == self.green == self.blue:
            return self.red
        raise MaskError(f"{self}: the picture is grey, and this colour is not")


@dataclass(frozen=True)
class Alpha(Mask):
    """The fully transparent pixels of the picture."""

    def __str__(self) -> str:
        return "alpha"

    def _takes_alpha(self) -> bool:
        return True

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        if picture is None or picture.alpha is None:
            raise MaskError(
                "the picture has no alpha channel to take the mask from; give a mask file or array"
            )
        hole = picture.alpha_hole()
        partly = int(np.count_nonzero(picture.known & (picture.alpha < full_scale(picture.alpha.dtype))))
        if partly:
            return hole, (f"{partly} partly transparent pixels count as known; only alpha 0 is missing",)
        return hole, ()


def needed(mask: Mask, picture: Picture | None) -> Picture:
    """Return the picture.

    Raises
    ------
    MaskError : there is none.
    """
    if picture is None:
        raise MaskError(f"{mask} looks at the picture, and there is none here")
    return picture


@dataclass(frozen=True)
class Strokes(Mask):
    """Lines with round ends, as a brush leaves them.

    Parameters
    ----------
    lines : each (width, points), points (x, y); one point is a dot.
    name : as it is to be written.
    """

    lines: tuple[tuple[float, tuple[tuple[float, float], ...]], ...]
    name: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.lines:
            raise MaskError(f"{self.name}: no stroke in it; expected lines of the form: width x,y x,y …")
        for width, points in self.lines:
            if units(width, "a stroke's width") < 1:
                raise MaskError(f"{self.name}: a stroke's width is {width:g}; expected more than 0")
            if not points:
                raise MaskError(f"{self.name}: a stroke without points; expected: width x,y x,y …")

    def __str__(self) -> str:
        return self.name

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        from lacuna.masks import kernels

        hole = np.zeros(shape, dtype=np.bool_)
        painted = 0
        for width, points in self.lines:
            path = np.array([[units(x), units(y)] for x, y in points], dtype=np.int64)
            painted += kernels.polyline(hole, path, units(width) // 2)
        if not painted:
            raise outside(self, shape)
        return hole, ()


@dataclass(frozen=True, eq=False)
class File(Mask):
    """A mask that is already drawn: a file, or an array.

    Parameters
    ----------
    source : whatever `lacuna.masks.to_hole` takes.
    """

    source: Any

    def __str__(self) -> str:
        return quoted(os.fspath(self.source)) if isinstance(self.source, str | Path) else "<array>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and str(other) == str(self) != "<array>"

    def __hash__(self) -> int:
        return hash(str(self))

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        from lacuna.masks.hole import read_mask

        return read_mask(self.source, shape)


def quoted(text: str) -> str:
    """Return a file's name as an expression holds it: in quotes where it would be read as something else.

    Examples
    --------
    >>> quoted("mask.png"), quoted("my mask.png")
    ('mask.png', '"my mask.png"')
    """
    plain = re.fullmatch(r"[^\s\"'()|+&!:-][^\s\"'()|]*", text) and not re.match(r"[a-z]{2,}:|alpha$", text)
    plain = plain and re.split("[:@]", text)[0] not in DETECTORS
    return text if plain else f'"{text}"'


def box(x: float, y: float, width: float, height: float) -> Mask:
    """Return a rectangle; a pixel belongs to it if its centre does.

    Parameters
    ----------
    x, y : the upper left corner in pixels; 0, 0 is the picture's.
    width, height : more than 0.
    """
    return Box(x, y, width, height)


def ellipse(x: float, y: float, rx: float, ry: float | None = None) -> Mask:
    """Return an ellipse around (x, y) with half axes rx and ry; a circle without ry."""
    return Ellipse(x, y, rx, rx if ry is None else ry)


def polygon(points: Sequence[tuple[float, float]], *more: Sequence[tuple[float, float]]) -> Mask:
    """Return the inside of a polygon, or of several; a ring within a ring cuts a hole.

    Raises
    ------
    MaskError : fewer than three points.

    Examples
    --------
    >>> print(polygon([(0, 0), (8, 0), (0, 8)]))
    polygon:0,0,8,0,0,8
    """
    rings = tuple(tuple((float(x), float(y)) for x, y in ring) for ring in (points, *more))
    name = "polygon:" + ";".join(",".join(f"{v:.10g}" for point in ring for v in point) for ring in rings)
    return Polygon(rings, name, evenodd=True)


def colour(value: str, tolerance: float = 0) -> Mask:
    """Return every pixel of a colour.

    Parameters
    ----------
    value : ``#rgb`` or ``#rrggbb``.
    tolerance : largest difference in each channel, in steps of 8 bits.

    Raises
    ------
    MaskError : not a colour, or a tolerance outside 0 … 255.
    """
    digits = value.strip().removeprefix("#")
    if not re.fullmatch(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}", digits):
        raise MaskError(f"{value!r} is not a colour; expected #rgb or #rrggbb, for example #ff0000")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = bytes.fromhex(digits)
    return Colour(red, green, blue, tolerance)


def alpha() -> Mask:
    """Return the picture's fully transparent pixels, which become opaque when they are filled."""
    return Alpha()


def file(source: Any) -> Mask:
    """Return a mask file, array or PIL image as a value that can be combined with others."""
    return File(source)


def strokes(
    lines: str | os.PathLike[str] | Sequence[tuple[float, Sequence[tuple[float, float]]]],
) -> Mask:
    """Return brush strokes.

    Parameters
    ----------
    lines : a text file with one stroke a line, ``width x,y x,y …``, ``#`` beginning a comment; or a list of
        (width, points).

    Raises
    ------
    MaskError : the file cannot be read, or a line of it.
    """
    if isinstance(lines, str | os.PathLike):
        name = os.fspath(lines)
        rows = enumerate(read_text(name).splitlines(), 1)
        found = [
            _stroke(bare, f"{name}, line {n}") for n, row in rows if (bare := row.partition("#")[0].strip())
        ]
        return Strokes(tuple(found), f"strokes:{quoted(name)}")
    given = tuple((width, tuple((float(x), float(y)) for x, y in points)) for width, points in lines)
    return Strokes(given, f"<{len(given)} strokes>")


def read_text(name: str) -> str:
    """Return the text of a file.

    Raises
    ------
    MaskError : no such file, or not text.
    """
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise MaskError(f"{name} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, or a name that no file can have
        raise MaskError(f"{name} is not a text file ({error})") from error


def _stroke(row: str, where: str) -> tuple[float, tuple[tuple[float, float], ...]]:
    width, *points = row.split()
    pairs = [numbers(point, where) for point in points]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise MaskError(f"{where}: {row!r} is not a stroke; expected: width x,y x,y …")
    return numbers(width, where)[0], tuple((x, y) for x, y in pairs)


def numbers(text: str, where: str) -> list[float]:
    """Return the numbers between commas.

    Raises
    ------
    MaskError : something is not a finite number.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise MaskError(f"{where}: {text!r} is not a list of numbers with commas between them") from error
    array: NDArray[np.float64] = np.array(values)
    if not np.isfinite(array).all():
        raise MaskError(f"{where}: {text!r} holds a number that is not finite")
    return values


def counted(kind: str, text: str, counts: tuple[int, ...], form: str) -> list[float]:
    """Return the numbers between commas of a source, if there are as many as there should be.

    Raises
    ------
    MaskError : something is not a finite number, or another count of them.
    """
    values = numbers(text, f"{kind}:{text}")
    if len(values) not in counts:
        raise MaskError(f"{kind}:{text} has {len(values)} numbers; expected {kind}:{form}")
    return values
