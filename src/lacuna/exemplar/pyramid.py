"""The levels on which the engine works, from the picture itself to one in which the hole is thin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lacuna.types import FloatImage, Hole

TEXTURES = 2
"""Planes that hold texture features, after the colours."""


@dataclass(frozen=True)
class Level:
    """One level of the pyramid.

    Parameters
    ----------
    padded : (H + 2 pad, W + 2 pad, K + 2), float32. Colours in [0, 1], then the two texture features; 0 in
        the hole. The padding is not set yet.
    hole : (H, W). True is missing.
    sources : (H, W). True where a match may read.
    pad : pixels of padding on each side.
    """

    padded: NDArray[np.float32]
    hole: Hole
    sources: Hole
    pad: int

    @property
    def planes(self) -> NDArray[np.float32]:
        """The planes without their padding, (H, W, K + 2), a view."""
        height, width = self.hole.shape
        return self.padded[self.pad : self.pad + height, self.pad : self.pad + width]

    @staticmethod
    def blank(hole: Hole, sources: Hole, planes: int, pad: int) -> Level:
        """Return a level whose planes are to be set by the caller."""
        height, width = hole.shape
        return Level(np.zeros((height + 2 * pad, width + 2 * pad, planes), np.float32), hole, sources, pad)


def build(image: FloatImage, hole: Hole, sources: Hole, levels: int, pad: int = 0) -> list[Level]:
    """Return the levels, finest first.

    Parameters
    ----------
    image : (H, W, K), [0, 1].
    hole, sources : (H, W); a source is never missing.
    levels : 1 or more.
    pad : see `Level`.

    Notes
    -----
    A coarse pixel is the mean of the known pixels among its four, and is known when at least two of them are:
    picture and hole shrink by one rule, so that no colour of the hole leaks into the rim. The texture
    features are measured at the finest level and only subsampled (Newson et al. 2014, section 3.3): at coarse
    levels they still tell grass from sand where the colours no longer do.
    """
    roughness = texture(image, hole, 2 ** (levels - 1))  # first: its peak of memory is high
    finest = Level.blank(hole, sources, image.shape[2] + TEXTURES, pad)
    finest.planes[:, :, :-TEXTURES] = image
    finest.planes[:, :, -TEXTURES:] = roughness
    del roughness
    finest.planes[hole] = 0
    pyramid = [finest]
    for _ in range(levels - 1):
        pyramid.append(_halve(pyramid[-1]))
    return pyramid


def depth(reach: float, thickness: float) -> int:
    """Return how many levels bring a reach (largest distance to a known pixel) down to a thickness.

    Examples
    --------
    >>> depth(9, 10), depth(30, 10)
    (1, 3)
    """
    return 1 + max(0, math.ceil(math.log2(max(reach, 1.0) / thickness)))


def texture(image: FloatImage, hole: Hole, window: int) -> NDArray[np.float32]:
    """Return the mean absolute differences along x and y around each pixel: (H, W, 2), float32.

    Newson et al. 2014, equation 4: |∂x I| and |∂y I| of the grey picture, averaged over a window of `window`
    pixels; pairs with a missing pixel do not count.
    """
    grey = np.ascontiguousarray(image.mean(axis=2, dtype=np.float32))
    known = (~hole).astype(np.float32)
    out = np.zeros((*hole.shape, 2), np.float32)
    side = 2 * max(window // 2, 1) + 1
    for k, axis in enumerate((1, 0)):
        pair = np.zeros_like(known)
        change = np.zeros_like(grey)
        a = (slice(None), slice(1, None)) if axis == 1 else (slice(1, None), slice(None))
        b = (slice(None), slice(None, -1)) if axis == 1 else (slice(None, -1), slice(None))
        pair[b] = known[a] * known[b]
        change[b] = np.abs(grey[a] - grey[b]) * pair[b]
        weight = cv2.boxFilter(pair, -1, (side, side))
        np.divide(cv2.boxFilter(change, -1, (side, side)), weight, out=out[:, :, k], where=weight > 1e-6)
    return out


def _halve(level: Level) -> Level:
    height, width = level.hole.shape
    grow = ((0, height % 2), (0, width % 2))
    weight = np.pad((~level.hole).astype(np.float32), grow)  # a missing row or column has no weight
    quads = weight.reshape(weight.shape[0] // 2, 2, weight.shape[1] // 2, 2)
    total = quads.sum(axis=(1, 3))
    hole = total < 2
    allowed = np.pad(level.sources, grow, mode="edge")
    sources = allowed[0::2, 0::2] | allowed[1::2, 0::2] | allowed[0::2, 1::2] | allowed[1::2, 1::2]
    coarse = Level.blank(hole, sources & ~hole, level.padded.shape[2], level.pad)
    half = coarse.planes
    for y, x in ((0, 0), (1, 0), (0, 1), (1, 1)):
        part = level.planes[y::2, x::2]
        half[: part.shape[0], : part.shape[1]] += part
    half *= np.where(hole, 0, 1 / np.maximum(total, 1))[:, :, None].astype(np.float32)
    return coarse
