"""The canon: what a picture, a hole and a method are inside Lacuna.

image
    float32 ``(H, W, C)``, C = 1 or 3, RGB, display-encoded values in [0, 1].
hole
    bool ``(H, W)``. **True is missing.**
box
    ``(top, left, bottom, right)``, half open, in pixels.

Files, PIL images and arrays of other types become canon at the door (`lacuna.image`) and leave through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
"""``(H, W, C)``, C = 1 or 3, values in [0, 1], display-encoded."""

Hole = NDArray[np.bool_]
"""``(H, W)``. True is missing."""

Box = tuple[int, int, int, int]
"""``(top, left, bottom, right)``, half open."""

OnStep = Callable[[float, str], None]
"""Called with the share of the work done (0 to 1) and a few words; raising `Cancelled` from it stops it."""


@dataclass(frozen=True)
class Aux:
    """Named spatial inputs that travel with the image and are cropped and resized with it.

    Parameters
    ----------
    guide : (H, W, C), [0, 1]
        A plausible picture of the hole, possibly blurred; what lies outside the hole is ignored.
    sources : (H, W)
        True where a method may copy from. None: every known pixel.
    sketch : (H, W, 1), [0, 1]
        Lines that the fill should follow.
    """

    guide: FloatImage | None = None
    sources: Hole | None = None
    sketch: FloatImage | None = None


@runtime_checkable
class Method(Protocol):
    """All that the author of a method writes.

    A method is a frozen dataclass whose fields are its options; `fill` does the work. It never resizes to
    please itself, converts dtypes, or pastes: the caller hands it canon and keeps the known pixels.
    """

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """Return a new ``(H, W, C)`` image; only the values inside the hole are used.

        Parameters
        ----------
        image : (H, W, C), [0, 1]. What lies under the hole is meaningless. Read-only.
        hole : (H, W). True is missing; at least one pixel is missing and one known. Read-only.
        aux : spatial inputs; only those that the method's spec names are ever set.
        seed : any non-negative int; methods without randomness ignore it.
        on_step : progress out, cancellation in (it raises).
        """
        ...


@runtime_checkable
class Manifold(Protocol):
    """What a `Method` implements as well if it makes many fills of one hole faster than one by one."""

    def fill_many(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seeds: Sequence[int], on_step: OnStep | None = None
    ) -> list[FloatImage]:
        """Return one fill for each seed; parameters as of `Method.fill`.

        A fill need not have the very bytes that `Method.fill` gives for its seed: batches round otherwise.
        """
        ...


@dataclass(frozen=True)
class Illustration:
    """A picture of what happened inside a method.

    Parameters
    ----------
    name : small letters, digits and dashes; it becomes the name of a file.
    image : (H, W, C), [0, 1], of any size.
    caption : what is seen, in a sentence or two of plain words.
    """

    name: str
    image: FloatImage
    caption: str


@dataclass(frozen=True)
class Explanation:
    """A fill, and how it came about.

    Parameters
    ----------
    fill : (H, W, C), exactly what `Method.fill` returns for the same arguments.
    pictures : in the order in which they are to be read; names differ.
    lines : what is better said than shown, a sentence each.
    """

    fill: FloatImage
    pictures: tuple[Illustration, ...]
    lines: tuple[str, ...] = ()


@runtime_checkable
class Explainable(Protocol):
    """What a `Method` implements as well if it can show how it came to its fill."""

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """Fill the hole and tell how; parameters as of `Method.fill`, which need not become slower by it."""
        ...
