"""Decoded photos: shrunk once, kept while memory allows, broken ones skipped and named."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lacuna.data.source import Source
from lacuna.errors import ImageError, LacunaError

Photo = NDArray[np.uint8]
"""``(H, W, 3)``, RGB."""


class Photos:
    """Photos by number.

    Parameters
    ----------
    names : which pictures of the source, in order.
    side : photos are shrunk until their shorter side is this long; 0 keeps their size.
    memory : bytes of decoded photos that are kept.
    on_broken : called with the name of a picture that cannot be read and why, once each.

    Attributes
    ----------
    broken : name of each picture that could not be read so far, and why.
    """

    def __init__(
        self,
        source: Source,
        names: list[str],
        *,
        side: int = 0,
        memory: int = 0,
        on_broken: Callable[[str, str], None] | None = None,
    ) -> None:
        self.source, self.names, self.side = source, names, side
        self.broken: dict[str, str] = {}
        self._left, self._kept = memory, dict[int, Photo]()
        self._on_broken, self._lock = on_broken, threading.Lock()

    def __len__(self) -> int:
        return len(self.names)

    def get(self, index: int) -> Photo | None:
        """Return a photo, or None for one that cannot be read."""
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        name = self.names[index]
        if name in self.broken:
            return None
        try:
            photo = decode(self.source.read(name), self.side)
        except (LacunaError, OSError) as error:
            self.tell(name, str(error))
            return None
        with self._lock:
            if photo.nbytes <= self._left and index not in self._kept:
                self._kept[index], self._left = photo, self._left - photo.nbytes
        return photo

    def tell(self, name: str, why: str) -> None:
        """Leave out a picture that cannot be read, and say so once.

        Raises
        ------
        ImageError : it was the last one.
        """
        if name in self.broken:
            return
        self.broken[name] = why
        if len(self.broken) == len(self.names):
            raise ImageError(
                f"none of the {len(self.names)} photos of {self.source.where} can be read: {why}"
            )
        if self._on_broken:
            self._on_broken(name, why)


def decode(data: bytes, side: int = 0) -> Photo:
    """Decode a picture as 8-bit RGB, grey tripled, alpha left out.

    Parameters
    ----------
    side : shrink it until its shorter side is this long; 0 keeps its size.

    Raises
    ------
    ImageError : not a picture, damaged, or of a kind that is not supported.
    """
    import cv2

    from lacuna.image import open_image

    canon = open_image(data).canon()
    pixels = np.rint(np.broadcast_to(canon, (*canon.shape[:2], 3)) * 255).astype(np.uint8)
    height, width = pixels.shape[:2]
    if side and min(height, width) > side:
        scale = side / min(height, width)
        size = max(round(width * scale), side), max(round(height * scale), side)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.ascontiguousarray(pixels)
