"""Masks written down: the expressions that ``--mask`` takes.

::

    mask    =  sum { "|" step }                        from left to right
    sum     =  product { ("+" | "-") product }         union, without
    product =  term { "&" term }                       intersection
    term    =  [ "!" ] ( source | "(" mask ")" )       ! is everything else
    step    =  "dilate" N | "erode" N | "fill" | "invert" | "feather" N
    source  =  "box:" x,y,width,height
            |  "ellipse:" x,y,rx[,ry]                  centre and half axes
            |  "polygon:" x,y,x,y,x,y… [ ";" … ]       further rings cut holes or add islands
            |  "svg:" "path data"
            |  "color:" #rgb | #rrggbb [ "~" tolerance ]
            |  "coco:" FILE [ "#" annotation ]
            |  "strokes:" FILE
            |  "click:" x,y { ";" x,y | ";-" x,y } [ "@" x,y,width,height ]
                                                       an object: on it, not on it, within a box
            |  "file:" FILE  |  FILE                   white is missing
            |  "alpha"                                 the fully transparent pixels
            |  detector [ ":" sensitivity ] [ "@" x,y,width,height ]
                                                       what is found in the picture, 0 … 1, within a box
    detector = "scratches" | "dust" | "torn-corners" | "dead-pixels" | "borders" | …
                                                       the keys of lacuna.detect.DETECTORS

Signs between masks stand between spaces, so that a file's name may hold them; a name or path data with
spaces, brackets or quotes goes in quotes. Coordinates are pixels from the upper left corner, x first.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lacuna.detect import DETECTORS
from lacuna.errors import MaskError
from lacuna.masks import sources
from lacuna.masks.click import click
from lacuna.masks.coco import coco
from lacuna.masks.detected import is_named, named
from lacuna.masks.sources import counted, numbers
from lacuna.masks.svg import svg
from lacuna.masks.values import Mask

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<sign> [()!|] | [-+&](?=[\s()"'!]|$) )
      | (?P<word> (?: [^\s()"'|]+ | "[^"]*" | '[^']*' )+ )
    )""",
    re.VERBOSE,
)
_SOURCE = re.compile(r"([a-z]+):(.*)", re.DOTALL)
_DEEPEST = 50


def parse(text: str) -> Mask:
    """Return the mask that an expression describes; the grammar is that of `lacuna.masks.grammar`.

    Raises
    ------
    MaskError : it cannot be read; the message says where and what was expected.

    Examples
    --------
    >>> print(parse("alpha + box:10,10,200,80 - color:#fff~5 | dilate 4"))
    alpha + box:10,10,200,80 - color:#ffffff~5 | dilate 4
    """
    reader = _Reader(text)
    mask = reader.mask(0)
    if reader.token is not None:
        raise reader.error("a sign (+ - & |) between two masks")
    return mask


class _Reader:
    """A recursive descent through the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.start = 0
        self.token: str | None = None
        self.is_word = False
        self.next()

    def next(self) -> str | None:
        """Step to the next token and return the one that was there."""
        before = self.token
        if not self.text[self.at :].strip():
            self.start, self.token, self.is_word = len(self.text), None, False
            return before
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            self.start = self.at
            self.token = self.text[self.at :].strip()
            raise self.error("a mask (is a quotation mark without its partner?)")
        self.start, self.at = found.start(found.lastgroup or 0), found.end()
        self.token, self.is_word = found[found.lastgroup or 0], found.lastgroup == "word"
        return before

    def error(self, expected: str) -> MaskError:
        seen = "ends" if self.token is None else f"has {self.token!r} at character {self.start + 1}"
        return MaskError(f"the mask {self.text!r} {seen} where {expected} was expected")

    def take(self, signs: str) -> str | None:
        """Return the sign that comes next, if it is one of these."""
        if self.token is not None and not self.is_word and self.token in signs:
            return self.next()
        return None

    def mask(self, depth: int) -> Mask:
        if depth > _DEEPEST:
            raise MaskError(f"the mask has more than {_DEEPEST} brackets inside one another")
        mask = self.sum(depth)
        while self.take("|"):
            mask = self.step(mask)
        return mask

    def sum(self, depth: int) -> Mask:
        mask = self.product(depth)
        while sign := self.take("+-"):
            other = self.product(depth)
            mask = mask + other if sign == "+" else mask - other
        return mask

    def product(self, depth: int) -> Mask:
        mask = self.term(depth)
        while self.take("&"):
            mask = mask & self.term(depth)
        return mask

    def term(self, depth: int) -> Mask:
        if self.take("!"):
            return ~self.term(depth + 1) if depth < _DEEPEST else self.mask(depth + 1)
        if self.take("("):
            mask = self.mask(depth + 1)
            if not self.take(")"):
                raise self.error("a closing bracket")
            return mask
        if not self.is_word:
            raise self.error("a mask")
        word = self.next()
        return source(word or "")

    def step(self, mask: Mask) -> Mask:
        word = self.next() if self.is_word else None
        if word == "fill":
            return mask.fill_holes()
        if word == "invert":
            return ~mask
        if word not in ("dilate", "erode", "feather"):
            seen = f"{word!r} is not a step" if word else "a step is missing"
            raise MaskError(
                f"the mask {self.text!r}: {seen} after |; there are dilate N, erode N, fill, invert "
                "and feather N"
            )
        amount = self.next() if self.is_word else None
        if amount is None or not re.fullmatch(r"\d{1,7}(\.\d+)?", amount):
            raise MaskError(
                f"the mask {self.text!r}: {word} needs a number of pixels, got {amount or 'nothing'}"
            )
        if word == "feather":
            return mask.feather(float(amount))
        if "." in amount:
            raise MaskError(f"the mask {self.text!r}: {word} needs a whole number of pixels, got {amount}")
        return mask.dilate(int(amount)) if word == "dilate" else mask.erode(int(amount))


def source(word: str) -> Mask:
    """Return the mask that one word names."""
    if word == "alpha":
        return sources.alpha()
    if (detector := named(word)) is not None:
        return detector
    found = _SOURCE.fullmatch(word)
    if found and found[1] in _SOURCES:
        return _SOURCES[found[1]](unquoted(found[2]))
    if found and len(found[1]) > 1 and found[2][:2] != "//":  # C:\mask.png is a file
        known = ", ".join(f"{name}:" for name in _SOURCES if name != "colour")
        raise MaskError(
            f"there is no mask of the kind {found[1]}: ({word}); there are {known}, alpha, detectors "
            f"({', '.join(DETECTORS)}) and files"
        )
    return sources.file(unquoted(word))


def unquoted(text: str) -> str:
    """Return a text without the quotation marks around it, or around parts of it."""
    return re.sub(r"\"([^\"]*)\"|'([^']*)'", lambda found: found[1] or found[2] or "", text)


def is_expression(text: str) -> bool:
    """Return whether a text that names no file is meant as an expression."""
    return bool(
        re.search(r"\s[-+&|]\s|^\s*[!(]|[)]\s*$|^\"|^'", text)
        or re.match(r"\s*[a-z]{2,}:", text)
        or is_named(text.strip())
    )


def _box(text: str) -> Mask:
    return sources.box(*counted("box", text, (4,), "x,y,width,height"))


def _ellipse(text: str) -> Mask:
    return sources.ellipse(*counted("ellipse", text, (3, 4), "x,y,rx,ry"))


def points_of(kind: str, text: str) -> list[tuple[float, float]]:
    """Return x,y,x,y… as points."""
    values = numbers(text, f"{kind}:{text}")
    if len(values) % 2:
        raise MaskError(f"{kind}:{text} has {len(values)} numbers; expected pairs x,y")
    return list(zip(values[::2], values[1::2], strict=True))


def _polygon(text: str) -> Mask:
    return sources.polygon(*(points_of("polygon", ring) for ring in text.split(";")))


def _colour(text: str) -> Mask:
    value, near, tolerance = text.partition("~")
    return sources.colour(value, numbers(tolerance, f"color:{text}")[0] if near else 0)


def _click(text: str) -> Mask:
    points, around, box = text.partition("@")
    near: list[tuple[float, float]] = []
    without: list[tuple[float, float]] = []
    for part in filter(None, points.split(";")):
        pair = points_of("click", part.removeprefix("-"))
        if len(pair) != 1:
            raise MaskError(
                f"click:{text}: {part!r} is not a point; expected click:x,y;x,y;-x,y@x,y,width,height"
            )
        (without if part.startswith("-") else near).append(pair[0])
    if not around:
        return click(*near, without=without)
    x, y, width, height = counted("click", box, (4,), "x,y@x,y,width,height")
    return click(*near, without=without, within=(x, y, width, height))


def _coco(text: str) -> Mask:
    name, _, number = text.rpartition("#")
    if name and number.isdecimal():
        return coco(name, int(number))
    return coco(text)


_SOURCES: dict[str, Callable[[str], Mask]] = {
    "box": _box,
    "ellipse": _ellipse,
    "polygon": _polygon,
    "svg": svg,
    "color": _colour,
    "colour": _colour,
    "click": _click,
    "coco": _coco,
    "strokes": sources.strokes,
    "file": sources.file,
}
