"""Masks as values: what to take, combined and reshaped, before any picture is there.

A `Mask` says what is missing without saying of which picture. `hole` draws it. Values never change; every
operator returns a new one, and ``str`` gives the expression that `lacuna.masks.parse` reads back.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lacuna.errors import MaskError
from lacuna.image import Picture
from lacuna.masks.shape import dilated, filled
from lacuna.types import Hole

Drawn = tuple[Hole, tuple[str, ...]]
"""A hole and what was noticed while it was drawn."""

FURTHEST = 1 << 20
"""No coordinate or distance is larger, in pixels."""


@dataclass(frozen=True)
class Mask:
    """What is missing, for a picture of any size.

    Combine with ``a | b`` (union), ``a & b`` (intersection), ``a - b`` and ``~a`` (the rest of the picture).

    Examples
    --------
    >>> from lacuna.masks import box
    >>> mask = (box(0, 0, 4, 2) - box(1, 0, 1, 1)).dilate(1)
    >>> print(mask)
    box:0,0,4,2 - box:1,0,1,1 | dilate 1
    >>> mask.hole((3, 5)).astype(int).tolist()
    [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    """

    def draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        """Return the hole in a picture of a size, new, and what was noticed.

        Parameters
        ----------
        shape : (H, W) of the picture.
        picture : for the masks that look at it: colour, alpha, click.

        Raises
        ------
        MaskError : nothing of it lies in the picture, or it needs a picture and there is none.
        """
        return self._draw(shape, picture)

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        raise NotImplementedError

    def hole(self, shape: tuple[int, int], picture: Picture | None = None) -> Hole:
        """Return what `draw` does, without its notes."""
        return self.draw(shape, picture)[0]

    @property
    def softness(self) -> float:
        """Pixels over which the fill is to fade out around the hole; 0 unless `feather` says otherwise."""
        return self._softness()

    def _softness(self) -> float:
        return 0.0

    @property
    def takes_alpha(self) -> bool:
        """Whether the picture's transparency is a part of it, so that the filled part becomes opaque."""
        return self._takes_alpha()

    def _takes_alpha(self) -> bool:
        return False

    def __or__(self, other: Mask) -> Mask:
        return Combined("+", self, _checked(other))

    def __add__(self, other: Mask) -> Mask:
        return Combined("+", self, _checked(other))

    def __sub__(self, other: Mask) -> Mask:
        return Combined("-", self, _checked(other))

    def __and__(self, other: Mask) -> Mask:
        return Combined("&", self, _checked(other))

    def __invert__(self) -> Mask:
        return Inverted(self)

    def dilate(self, pixels: int) -> Mask:
        """Grow by a distance, in all directions alike."""
        return Reshaped("dilate", self, pixels)

    def erode(self, pixels: int) -> Mask:
        """Shrink by a distance; what lies beyond the picture's edge does not eat into it."""
        return Reshaped("erode", self, pixels)

    def fill_holes(self) -> Mask:
        """Take in the known parts that it surrounds."""
        return FilledIn(self)

    def feather(self, pixels: float) -> Mask:
        """Let the fill fade out over a distance. **Changes known pixels**; must be the last step."""
        return Feathered(self, pixels)


def _checked(mask: Any) -> Mask:
    if not isinstance(mask, Mask):
        raise MaskError(
            f"a mask can be combined with masks only, got {type(mask).__name__}; "
            "lacuna.masks.file(...) makes one of a file or an array"
        )
    return mask


def _hard(mask: Mask) -> Mask:
    if mask.softness:
        raise MaskError(f"feather must be the last step of a mask; it is inside {mask}")
    return mask


def _distance(name: str, value: Any) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number <= FURTHEST:
        raise MaskError(f"{name} {value!r}: expected a whole number of pixels, 0 to {FURTHEST}")
    return number


@dataclass(frozen=True)
class Combined(Mask):
    """Two masks put together: ``+``, ``-`` or ``&``."""

    sign: str
    left: Mask
    right: Mask

    def __post_init__(self) -> None:
        _hard(self.left)
        _hard(self.right)

    def __str__(self) -> str:
        # & binds tighter; everything else reads from the left.
        tight = self.sign == "&"
        left = _grouped(self.left, Reshaped, FilledIn, *((Combined,) if tight and _loose(self.left) else ()))
        loose_right = isinstance(self.right, Combined) and (tight or _loose(self.right))
        right = _grouped(self.right, Reshaped, FilledIn, *((Combined,) if loose_right else ()))
        return f"{left} {self.sign} {right}"

    def _takes_alpha(self) -> bool:
        return self.left.takes_alpha or (self.sign != "-" and self.right.takes_alpha)

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        (left, first), (right, second) = self.left.draw(shape, picture), self.right.draw(shape, picture)
        if self.sign == "+":
            left |= right
        elif self.sign == "&":
            left &= right
        else:
            left &= ~right
        return left, (*first, *second)


def _loose(mask: Mask) -> bool:
    return isinstance(mask, Combined) and mask.sign != "&"


def _grouped(mask: Mask, *kinds: type[Mask]) -> str:
    return f"({mask})" if isinstance(mask, kinds) else str(mask)


@dataclass(frozen=True)
class Inverted(Mask):
    """Everything else."""

    inner: Mask

    def __post_init__(self) -> None:
        _hard(self.inner)

    def __str__(self) -> str:
        return f"!{_grouped(self.inner, Combined, Reshaped, FilledIn)}"

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        hole, notes = self.inner.draw(shape, picture)
        return ~hole, notes


@dataclass(frozen=True)
class Reshaped(Mask):
    """A mask grown or shrunk."""

    name: str
    inner: Mask
    pixels: int

    def __post_init__(self) -> None:
        _hard(self.inner)
        object.__setattr__(self, "pixels", _distance(self.name, self.pixels))

    def __str__(self) -> str:
        return f"{self.inner} | {self.name} {self.pixels}"

    def _takes_alpha(self) -> bool:
        return self.inner.takes_alpha

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        hole, notes = self.inner.draw(shape, picture)
        if self.name == "dilate":
            return dilated(hole, self.pixels), notes
        return ~dilated(~hole, self.pixels), notes


@dataclass(frozen=True)
class FilledIn(Mask):
    """A mask without holes of its own."""

    inner: Mask

    def __post_init__(self) -> None:
        _hard(self.inner)

    def __str__(self) -> str:
        return f"{self.inner} | fill"

    def _takes_alpha(self) -> bool:
        return self.inner.takes_alpha

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        hole, notes = self.inner.draw(shape, picture)
        return filled(hole), notes


@dataclass(frozen=True)
class Feathered(Mask):
    """A mask around which the fill fades out."""

    inner: Mask
    pixels: float

    def __post_init__(self) -> None:
        _hard(self.inner)
        good = isinstance(self.pixels, int | float | np.integer | np.floating)
        if not good or isinstance(self.pixels, bool) or not 0 <= self.pixels <= FURTHEST:
            raise MaskError(f"feather {self.pixels!r}: expected a number of pixels, 0 or more")

    def __str__(self) -> str:
        return f"{self.inner} | feather {self.pixels:g}"

    def _softness(self) -> float:
        return float(self.pixels)

    def _takes_alpha(self) -> bool:
        return self.inner.takes_alpha

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        return self.inner.draw(shape, picture)
