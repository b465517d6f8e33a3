"""Random masks for training and evaluation: the same seed, the same bytes, on any machine.

Random numbers are raw PCG64 integers, a stream of their own for each (seed, kind, index); shapes are painted
by the rasteriser of `lacuna.masks`, in whole numbers. Sizes are those of a 512-pixel picture and scale with
the shorter side.

The kinds follow published descriptions, not published mask files: ``irregular`` stands in for the masks of
Liu et al., which were made from occlusions estimated in films. Report which masks were used.

References
----------
.. [1] Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, 2018, arXiv:1804.07723.
.. [2] Yu et al., Free-Form Image Inpainting with Gated Convolution, 2019, arXiv:1806.03589, algorithm 1.
.. [3] Suvorov et al., Resolution-robust Large Mask Inpainting with Fourier Convolutions, 2022,
   arXiv:2109.07161, and the settings published with its code.
.. [4] Lugmayr et al., RePaint, 2022, arXiv:2201.09865, section 5.1.
"""

from __future__ import annotations

import math
import operator
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MaskError, OptionError
from lacuna.masks import kernels
from lacuna.types import Hole

_DRAWS = 8192
_ATTEMPTS = 500
_SIDE = 512
_HUGE = (0.5, 0.7)


@dataclass(frozen=True)
class _Kind:
    """How a kind of mask is painted.

    Parameters
    ----------
    help : one line.
    element : what `lacuna.masks.kernels.element` paints; None for a fixed pattern.
    sizes : of an element.
    count : least and most elements of a mask without a wanted area.
    turned : ways in which a mask may be turned and mirrored: 1, 4 (mirrored) or 8.
    most : largest share of the picture, unless an area is wanted.
    also : another kind that takes its place in so many of 1,000 masks.
    pattern : the fixed pattern.
    """

    help: str
    element: int | None = None
    sizes: tuple[int, int] = (0, 0)
    count: tuple[int, int] = (1, 1)
    turned: int = 1
    most: float = 1.0
    also: tuple[int, str] = (0, "")
    pattern: Callable[[Hole, int], None] | None = None


def _centre(hole: Hole, draw: int) -> None:
    height, width = hole.shape
    top, left = max((height - 64) // 2, 0), max((width - 64) // 2, 0)
    hole[top : top + 64, left : left + 64] = True


def _half(hole: Hole, draw: int) -> None:
    height, width = hole.shape
    upper, left = hole[: height // 2], hole[:, : width // 2]
    lower, right = hole[height // 2 :], hole[:, width // 2 :]
    (left, right, upper, lower)[draw % 4][:] = True


def _expand(hole: Hole, draw: int) -> None:
    height, width = hole.shape
    h, w = max(height // 4, 1), max(width // 4, 1)
    hole[:] = True
    hole[(height - h) // 2 : (height + h) // 2, (width - w) // 2 : (width + w) // 2] = False


def _lines(hole: Hole, draw: int) -> None:
    hole[1::2] = True


def _grid(hole: Hole, draw: int) -> None:
    hole[:] = True
    hole[::2, ::2] = False


_KINDS: dict[str, _Kind] = {
    "irregular": _Kind(
        "random walks 9 to 49 pixels wide, turned and mirrored; stands in for Liu et al. 2018",
        kernels.WALK,
        (9, 49),
        (2, 10),
        turned=8,
    ),
    "brush": _Kind("zigzag brush strokes of DeepFill v2", kernels.BRUSH, (24, 80), (1, 3), turned=4),
    "narrow": _Kind("LaMa's narrow strokes", kernels.FREE, (100, 20), (4, 70), most=0.5),
    "medium": _Kind(
        "LaMa's medium strokes, boxes in 23 of 100",
        kernels.FREE,
        (200, 100),
        (4, 10),
        most=0.5,
        also=(231, "medium-boxes"),
    ),
    "wide": _Kind(
        "LaMa's wide strokes, boxes in 23 of 100",
        kernels.FREE,
        (450, 250),
        (1, 5),
        most=0.5,
        also=(231, "wide-boxes"),
    ),
    "boxes": _Kind("one to four rectangles", kernels.BOXES, (30, 300), (1, 4)),
    "blobs": _Kind(
        "one to three shapes with smooth outlines, as objects have", kernels.BLOB, (100, 340), (1, 3)
    ),
    "huge": _Kind("blobs that leave 30 to 50 % known", kernels.BLOB, (150, 420), (1, 1), turned=8),
    "centre": _Kind("64 by 64 pixels in the middle", pattern=_centre),
    "half": _Kind("one half: left, right, upper or lower", pattern=_half),
    "expand": _Kind("all but a quarter of each side in the middle", pattern=_expand),
    "lines": _Kind("every second line", pattern=_lines),
    "grid": _Kind("three of four pixels: doubling the size", pattern=_grid),
}
_PARTNERS: dict[str, _Kind] = {
    "medium-boxes": _Kind("", kernels.BOXES, (30, 150), (1, 5), most=0.5),
    "wide-boxes": _Kind("", kernels.BOXES, (30, 300), (1, 4), most=0.5),
}

KINDS: dict[str, str] = {name: kind.help for name, kind in _KINDS.items()}
"""The kinds of masks, each with a line that says what it is."""


def draw(
    kind: str = "irregular",
    shape: tuple[int, int] = (_SIDE, _SIDE),
    *,
    seed: int = 0,
    index: int = 0,
    area: tuple[float, float] | None = None,
    border: int = 0,
    touching: bool = False,
) -> Hole:
    """Return a random mask.

    Parameters
    ----------
    kind : one of `KINDS`.
    shape : (H, W).
    seed, index : 0 or more. Each pair is a mask of its own; a data loader counts the index up.
    area : (low, high]: share of the picture that is to be missing; more than low, at most high. None: as it
        comes.
    border : pixels at each edge of the picture that stay known; with `touching` the band that the mask must
        reach into instead.

    Returns
    -------
    (H, W), new. True is missing.

    Raises
    ------
    OptionError : no such kind, a fixed pattern with an area or border, or numbers out of range.
    MaskError : no such mask came about in 500 attempts.

    Examples
    --------
    >>> hole = draw("irregular", (64, 64), seed=3, area=(0.2, 0.3))
    >>> bool(0.2 < hole.mean() <= 0.3)
    True
    """
    found = _checked(kind, shape, area, border)
    seed, index = _natural("seed", seed), _natural("index", index)
    if found.pattern is not None:
        hole = np.zeros(shape, dtype=np.bool_)
        found.pattern(hole, int(_stream(seed, kind, index, 0)[0] >> np.uint64(62)))
        return hole
    limits = _limits(area or (_HUGE if kind == "huge" else None), found.most, shape[0] * shape[1])
    margin = 0 if touching else border
    inner = shape[0] - 2 * margin, shape[1] - 2 * margin
    share, partner = found.also
    # Chosen once: strokes that are refused for their size must not become boxes.
    if int(_stream(seed, kind, index, 0)[-2] >> np.uint64(32)) * 1000 >> 32 < share:
        found = _PARTNERS[partner]
    for attempt in range(_ATTEMPTS):
        draws = _stream(seed, kind, index, attempt)
        hole = np.zeros(inner, dtype=np.bool_)
        if not limits[0] < _paint(hole, draws, found, min(shape), limits) <= limits[1]:
            continue
        hole = _turned(hole, int(draws[-1] >> np.uint64(61)) % found.turned)
        if touching and not _touches(hole, border):
            continue
        if margin:
            hole = np.pad(hole, margin)
        return np.ascontiguousarray(hole)
    raise MaskError(
        f"no {kind!r} mask with {max(limits[0], 0)} to {limits[1]} missing pixels came about in a "
        f"{shape[1]}x{shape[0]} picture; widen the area, or take another kind or size"
    )


def _checked(kind: str, shape: tuple[int, int], area: tuple[float, float] | None, border: int) -> _Kind:
    if kind not in _KINDS:
        raise OptionError(f"there is no kind of mask called {kind!r}; there are {', '.join(_KINDS)}")
    if len(shape) != 2 or not all(1 <= _natural("a side", side) <= 32768 for side in shape):
        raise OptionError(f"shape is {shape!r}; expected (height, width), 1 to 32768 each")
    if _KINDS[kind].pattern is not None and (area or border):
        raise OptionError(f"{kind!r} is a fixed pattern; it has neither an area nor a border to choose")
    if area is not None and not 0 <= area[0] < area[1] <= 1:
        raise OptionError(f"area is {area!r}; expected two shares, 0 to 1, the smaller one first")
    if 2 * _natural("border", border) >= min(shape):
        raise OptionError(f"a border of {border} pixels leaves nothing of {shape[1]}x{shape[0]}")
    return _KINDS[kind]


def _natural(name: str, value: Any) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise OptionError(f"{name} is {value!r}; expected a whole number, 0 or more")
    return number


def _limits(area: tuple[float, float] | None, most: float, pixels: int) -> tuple[int, int]:
    """Return (low, high] in pixels, low −1 where no area is wanted; 0.29 is a little less as a float."""
    low = -1 if area is None else math.floor(area[0] * pixels + 1e-6)
    return low, math.floor((most if area is None else area[1]) * pixels + 1e-6)


def _stream(seed: int, kind: str, index: int, attempt: int) -> NDArray[np.uint64]:
    """Return the random numbers of one attempt. Only raw integers: what numpy makes of them may change."""
    key = (zlib.crc32(kind.encode()), index, attempt)
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))
    draws: NDArray[np.uint64] = bits.random_raw(_DRAWS)
    return draws


def _paint(hole: Hole, draws: NDArray[np.uint64], kind: _Kind, side: int, limits: tuple[int, int]) -> int:
    """Paint into an empty hole and return the missing pixels, −1 for a failure."""
    unit = max(kernels.UNIT * side // _SIDE, 8)
    sizes, count, area = np.array([kind.sizes, kind.count, limits], dtype=np.int64)
    return int(kernels.scatter(hole, draws, kind.element, unit, sizes, count, area))


def _turned(hole: Hole, way: int) -> Hole:
    """Return a view, mirrored by the lowest two bits and, if it is square, by its diagonal for the third."""
    if way & 4 and hole.shape[0] == hole.shape[1]:
        hole = hole.T
    return hole[:: -1 if way & 1 else 1, :: -1 if way & 2 else 1]


def _touches(hole: Hole, border: int) -> bool:
    if not border:
        return True
    edges = (hole[:border], hole[-border:], hole[:, :border], hole[:, -border:])
    return any(bool(edge.any()) for edge in edges)
