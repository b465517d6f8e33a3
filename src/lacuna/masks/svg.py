"""SVG path data to rings of points."""

from __future__ import annotations

import math
import re
from itertools import pairwise

from lacuna.errors import MaskError
from lacuna.masks.sources import Polygon
from lacuna.masks.values import FURTHEST, Mask

Point = complex
"""x + iy: a point of the plane in one number, which makes reflection and rotation one operation each."""

_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_TOKEN = re.compile(r"[\s,]*(?:([A-Za-z])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))")
_FLAG = re.compile(r"[\s,]*([01])")
_NUMBER = re.compile(r"[\s,]*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


def svg(path: str) -> Mask:
    """Return the inside of an SVG path (fill rule nonzero), in pixels of the picture.

    Parameters
    ----------
    path : path data, all of SVG 1.1's commands: ``M L H V C S Q T A Z``, absolute and
        relative. Open subpaths are closed, as SVG fills them.

    Raises
    ------
    MaskError : malformed path data, or a part with fewer than three points.

    References
    ----------
    .. [1] W3C, Scalable Vector Graphics (SVG) 1.1, chapter 8 and appendix F.6 (arcs).

    Examples
    --------
    >>> svg("M1 0h2v2h-2z").hole((3, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    pen = _Pen(path)
    for command, values in _commands(path):
        pen.do(command, values)
    rings = tuple(tuple((p.real, p.imag) for p in ring) for ring in pen.rings if len(ring) > 2)
    if not rings:
        raise MaskError(f"the SVG path {_short(path)!r} surrounds nothing: no part of it has three points")
    return Polygon(rings, f'svg:"{" ".join(path.split())}"')


def _short(path: str) -> str:
    return path if len(path) <= 60 else path[:57] + "…"


def _commands(path: str) -> list[tuple[str, list[float]]]:
    """Split path data into commands with exactly their numbers; repeated groups become commands too."""
    found: list[tuple[str, list[float]]] = []
    at, end = 0, len(path.rstrip(" \t\r\n,"))
    command = ""
    while at < end:
        token = _TOKEN.match(path, at)
        if token is None:
            raise MaskError(f"the SVG path {_short(path)!r} cannot be read at {path[at : at + 12]!r}")
        if token[1]:
            command, at = token[1], token.end()
            if command.upper() not in _ARGUMENTS or (not found and command not in "Mm"):
                raise MaskError(
                    f"the SVG path {_short(path)!r} has {command!r} where a command was expected; it must "
                    "begin with M and hold M L H V C S Q T A Z only"
                )
        elif command in ("", "Z", "z"):
            raise MaskError(f"the SVG path {_short(path)!r} has a number where a command was expected")
        values, at = _values(path, command, at)
        found.append((command, values))
        # Further pairs after a moveto are linetos.
        command = {"M": "L", "m": "l"}.get(command, command)
    return found


def _values(path: str, command: str, at: int) -> tuple[list[float], int]:
    values = []
    for index in range(_ARGUMENTS[command.upper()]):
        flag = command in "Aa" and index in (3, 4)  # flags may stand without spaces: "a5 5 0 01 10 10"
        token = (_FLAG if flag else _NUMBER).match(path, at)
        if token is None:
            raise MaskError(
                f"the SVG path {_short(path)!r}: {command} takes {_ARGUMENTS[command.upper()]} numbers, and "
                f"number {index + 1} is missing at {path[at : at + 12]!r}"
            )
        value = float(token[1])
        if not abs(value) <= FURTHEST:
            raise MaskError(f"the SVG path {_short(path)!r} holds {token[1]}, which is too large")
        values.append(value)
        at = token.end()
    return values, at


class _Pen:
    """Follows commands and leaves rings."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.rings: list[list[Point]] = []
        self.at: Point = 0j
        self.start: Point = 0j
        self.control: Point = 0j
        self.last = ""

    def do(self, command: str, values: list[float]) -> None:
        """Carry out one command."""
        kind = command.upper()
        here = self.at if command.islower() else 0j
        if kind == "Z":
            self.at = self.start
        elif kind == "M":
            self.at = self.start = here + complex(*values)
            self.rings.append([self.at])
        else:
            if self.last == "Z":  # a subpath may go on from where the last one was closed
                self.rings.append([self.at])
            self._draw(kind, here, values)
        self.last = kind

    def _draw(self, kind: str, here: Point, values: list[float]) -> None:
        if kind in "HV":
            x = values[0] + here.real if kind == "H" else self.at.real
            y = values[0] + here.imag if kind == "V" else self.at.imag
            self._to(complex(x, y))
        elif kind == "A":
            self._arc(values, here + complex(values[5], values[6]))
        else:
            points = [here + complex(x, y) for x, y in zip(values[::2], values[1::2], strict=True)]
            if kind in "ST":
                smooth = self.last in ("CS" if kind == "S" else "QT")
                points.insert(0, 2 * self.at - self.control if smooth else self.at)
            if kind != "L":
                self.control = points[-2]
            self._curve(points)

    def _to(self, *points: Point) -> None:
        self.rings[-1].extend(points)
        self.at = points[-1]

    def _curve(self, points: list[Point]) -> None:
        """Follow a Bézier curve of any degree by de Casteljau's construction."""
        if len(points) == 1:
            self._to(*points)
            return
        corners = [self.at, *points]
        steps = _steps(sum(abs(b - a) for a, b in pairwise(corners)))
        self._to(*(_casteljau(corners, i / steps) for i in range(1, steps)), points[-1])

    def _arc(self, values: list[float], end: Point) -> None:
        """Follow an elliptical arc (appendix F.6.5: from end points to the centre)."""
        rx, ry, turn = abs(values[0]), abs(values[1]), math.radians(values[2])
        large, sweep = values[3] > 0, values[4] > 0
        if rx == 0 or ry == 0 or end == self.at:
            self._to(end)
            return
        axis = complex(math.cos(turn), math.sin(turn))
        half = (self.at - end) / 2 * axis.conjugate()
        unit = complex(half.real / rx, half.imag / ry)  # where the ellipse is a circle of radius 1
        size = abs(unit)
        if size > 1:  # radii too small to reach: scaled up until they do
            rx, ry, unit, size = rx * size, ry * size, unit / size, 1.0
        side = math.sqrt(max(1 / (size * size) - 1, 0)) * (-1 if large == sweep else 1)
        centre = complex(unit.imag, -unit.real) * side
        first, second = unit - centre, -unit - centre
        angle = math.atan2((second * first.conjugate()).imag, (second * first.conjugate()).real)
        if sweep and angle < 0:
            angle += 2 * math.pi
        elif not sweep and angle > 0:
            angle -= 2 * math.pi
        middle = (self.at + end) / 2
        steps = _steps(abs(angle) * max(rx, ry))
        for i in range(1, steps):
            p = centre + first * complex(math.cos(angle * i / steps), math.sin(angle * i / steps))
            self._to(middle + complex(p.real * rx, p.imag * ry) * axis)
        self._to(end)


def _steps(length: float) -> int:
    """Return into how many straight pieces a curve of so many pixels is cut: 2 pixels each, within reason."""
    return min(max(int(length / 2), 8), 512)


def _casteljau(points: list[Point], t: float) -> Point:
    while len(points) > 1:
        points = [a + (b - a) * t for a, b in pairwise(points)]
    return points[0]
