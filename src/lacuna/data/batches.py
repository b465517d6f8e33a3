"""Batches of photos and holes; batch k is a function of the seed and of k, of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.data.photos import Photo, Photos, decode
from lacuna.data.source import open_source
from lacuna.errors import ImageError, MaskError
from lacuna.masks import random as masks

_PERMUTE = 1


@dataclass(frozen=True)
class Batch:
    """Photos with holes.

    Parameters
    ----------
    photos : (B, S, S, 3), uint8, RGB.
    holes : (B, S, S). True is missing.
    """

    photos: NDArray[np.uint8]
    holes: NDArray[np.bool_]


@dataclass(frozen=True)
class Cropping:
    """How a sample is cut from a photo.

    Parameters
    ----------
    crop : (low, high], share of the photo's shorter side that the crop's side takes; above 1 never.
    flip : mirror every second sample.
    tint : how far each colour's gain and gamma may be from 1, up to 1; and 0 leaves colours alone.
    """

    crop: tuple[float, float] = (0.6, 1.0)
    flip: bool = True
    tint: float = 0.0


HoleOf = Callable[[int, int, int], NDArray[np.bool_]]
"""The hole of (seed, number of the sample, side)."""


def random_holes(kinds: Sequence[tuple[str, float]], share: tuple[float, float]) -> HoleOf:
    """Return holes painted on the fly.

    Parameters
    ----------
    kinds : names of `lacuna.masks.random.KINDS` and how often each is drawn, in any unit.
    share : (low, high] of the picture that is missing; fixed patterns have their own.

    Notes
    -----
    The share is drawn first, evenly, in a narrow band of its own: asked for the whole range at once, a kind
    would give its own favourite sizes.
    """
    weights = np.cumsum([weight for _, weight in kinds])
    low, high = share

    def hole(seed: int, index: int, side: int) -> NDArray[np.bool_]:
        kind = kinds[int(np.searchsorted(weights, uniform(seed, index, 0) * weights[-1], side="right"))][0]
        if kind in FIXED:
            return masks.draw(kind, (side, side), seed=seed, index=index)
        wanted = low + (high - low) * uniform(seed, index, 1)
        band = max(low, wanted - 0.05), min(high, wanted + 0.05)
        try:
            return masks.draw(kind, (side, side), seed=seed, index=index, area=band)
        except MaskError:  # this kind has no such size; any of the range will do
            return masks.draw(kind, (side, side), seed=seed, index=index, area=share)

    return hole


def read_holes(where: str) -> HoleOf:
    """Return holes from a set of masks, white is missing, mirrored at random.

    Raises
    ------
    ImageError : nothing there.
    MaskError : from the holes themselves: a mask of another size than the samples, or that cannot be read.
    """
    source = open_source(where)

    def hole(seed: int, index: int, side: int) -> NDArray[np.bool_]:
        name = source.names[int(uniform(seed, index, 0) * len(source.names))]
        try:
            mask = decode(source.read(name))[..., 0] >= 128
        except (ImageError, OSError) as error:
            raise MaskError(f"mask {name} of {where} cannot be read: {error}") from error
        if mask.shape != (side, side):
            raise MaskError(
                f"mask {name} of {where} is {mask.shape[1]}x{mask.shape[0]}; "
                f"samples are {side}x{side} (data.sizes)"
            )
        way = int(uniform(seed, index, 1) * 4)
        return np.ascontiguousarray(mask[:: -1 if way & 1 else 1, :: -1 if way & 2 else 1])

    return hole


FIXED = ("centre", "half", "expand", "lines", "grid")
"""The kinds of holes whose size cannot be chosen."""


def uniform(seed: int, index: int, draw: int) -> float:
    """Return one number of [0, 1): the same for the same three numbers on any machine.

    A mixing function rather than a generator: it costs a microsecond, and there are several for each sample.
    """
    x = (seed * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03 + draw * 0x8CB92BA72F3D8DD7) & _WORD
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        x = ((x ^ (x >> shift)) * factor) & _WORD
    return (x >> 11) / 2**53


_WORD = 2**64 - 1


class Batches:
    """Batches by number.

    Parameters
    ----------
    hole : of each sample.
    seed : of the order, crops and holes.
    """

    def __init__(self, photos: Photos, cropping: Cropping, hole: HoleOf, *, seed: int) -> None:
        self.photos, self.cropping, self.hole, self.seed = photos, cropping, hole, seed
        self._order: tuple[int, Any] = (-1, None)

    def get(self, first: int, count: int, side: int) -> Batch:
        """Return the samples first, first + 1, …, each of side × side pixels."""
        samples = [self.sample(index, side) for index in range(first, first + count)]
        return Batch(np.stack([p for p, _ in samples]), np.stack([h for _, h in samples]))

    def sample(self, index: int, side: int) -> tuple[Photo, NDArray[np.bool_]]:
        """Return one sample: every photo once, in an order of its own, before any comes again."""
        epoch, place = divmod(index, len(self.photos))
        order = self._permutation(epoch)
        # A broken photo hands its turn to the next one.
        for step in range(len(order)):
            photo = self.photos.get(int(order[(place + step) % len(order)]))
            if photo is not None:
                return self._cut(photo, index, side), self.hole(self.seed, index, side)
        raise ImageError(f"no photo of {self.photos.source.where} can be read")

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        kept, order = self._order
        if kept != epoch:
            key = np.random.SeedSequence(self.seed, spawn_key=(_PERMUTE, epoch))
            # Sorting raw integers: what numpy's shuffle does with them may change between its versions.
            order = np.argsort(np.random.PCG64(key).random_raw(len(self.photos)), kind="stable")
            self._order = epoch, order
        return order  # type: ignore[no-any-return]

    def _cut(self, photo: Photo, index: int, side: int) -> Photo:
        import cv2

        height, width = photo.shape[:2]
        share, down, right, mirror = (uniform(self.seed, index, i) for i in (10, 11, 12, 13))
        low, high = self.cropping.crop
        size = min(max(round((low + (high - low) * share) * min(height, width)), 1), height, width)
        top, left = int(down * (height - size + 1)), int(right * (width - size + 1))
        crop = photo[top : top + size, left : left + size]
        if size != side:
            how = cv2.INTER_AREA if size > side else cv2.INTER_CUBIC
            crop = np.asarray(cv2.resize(crop, (side, side), interpolation=how), dtype=np.uint8)
        if self.cropping.flip and mirror < 0.5:
            crop = crop[:, ::-1]
        crop = np.ascontiguousarray(crop)
        return self._tinted(crop, index) if self.cropping.tint else crop

    def _tinted(self, crop: Photo, index: int) -> Photo:
        """Change brightness, contrast and white balance, as another light and camera would."""
        import cv2

        draws = np.array([2 * uniform(self.seed, index, 14 + i) - 1 for i in range(5)])
        common, gamma, own = draws[0], draws[1], draws[2:]
        gains = (1 + self.cropping.tint) ** (common + 0.4 * own)  # (3,)
        values = (np.arange(256)[:, None] / 255) ** ((1 + self.cropping.tint) ** gamma) * gains
        table = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)  # (256, 3)
        return np.asarray(cv2.LUT(crop, table[None]), dtype=np.uint8)
