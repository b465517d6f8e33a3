"""Pictures and holes at the sizes that networks take, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.types import FloatImage, Hole


def resize(image: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Return (H, W, C) of another size, [0, 1]."""
    import cv2  # slow to import, and wanted only here

    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    out = cv2.resize(np.ascontiguousarray(image, np.float32), size[::-1], interpolation=way)
    return np.asarray(out, np.float32).reshape(*size, -1).clip(0, 1)


def shrink(
    image: FloatImage, hole: Hole, sketch: FloatImage | None, scale: float
) -> tuple[FloatImage, Hole, FloatImage | None]:
    """Return the three at a smaller scale; what lies under the hole does not bleed into its rim."""
    height, width = hole.shape
    size = max(1, int(height * scale)), max(1, int(width * scale))
    known = resize((~hole)[..., None].astype(np.float32), size)
    known_only = np.where(hole[..., None], np.float32(0), image)
    small = resize(known_only, size) / np.maximum(known, np.float32(1e-6))
    missing = known[..., 0] < 0.5
    shown: FloatImage = np.where(missing[..., None], np.float32(0), small.clip(0, 1)).astype(np.float32)
    return shown, missing, None if sketch is None else resize(sketch, size)


def mirror(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return (H', W', …) of a larger size, mirrored outwards below and on the right, as often as needed.

    Examples
    --------
    >>> mirror(np.array([[1, 2]]), (1, 5))
    array([[1, 2, 2, 1, 1]])
    """
    below, right = size[0] - array.shape[0], size[1] - array.shape[1]
    return np.pad(array, ((0, below), (0, right), *((0, 0),) * (array.ndim - 2)), mode="symmetric")
