"""The net that sees scratches and dust, run tile by tile through OpenCV."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MissingDependencyError
from lacuna.progress import report
from lacuna.types import FloatImage, OnStep

FILE = "damage.onnx"

HALO = 48
"""Pixels around a tile that the net sees too; what it answers there is dropped."""
_CORE = 976
"""Side of a tile without its halo: large enough to waste little, small enough to notice Ctrl-C in time."""
_FOLD = 8
"""The net halves the picture three times."""

SCRATCHES, DUST = 0, 1

HATS = (5, 15)
"""Sides of the squares that thin and thick lines fit into."""
GAIN = 4
"""Brings what stands out to the range of the colours."""
_GAIN = np.float32(GAIN / 255)


def planes(image: FloatImage) -> NDArray[np.float32]:
    """Return what the net sees, (7, H, W): red, green, blue, and what stands out.

    Brightness minus its opening is what is brighter than all around and fits into a square; its closing minus
    brightness is what is darker (top hats, [1]_).

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1].

    References
    ----------
    .. [1] Meyer, Iterative image transformations for an automatic screening of cervical smears, 1979.
    """
    import cv2

    out = np.empty((3 + 2 * len(HATS), *image.shape[:2]), dtype=np.float32)
    out[:3] = image.transpose(2, 0, 1)
    grey = (out[0] + out[1] + out[2]) * np.float32(85)
    grey = np.rint(grey, out=grey).astype(np.uint8)
    for index, side in enumerate(HATS):
        square = np.ones((side, side), np.uint8)
        out[3 + 2 * index] = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square) * _GAIN
        out[4 + 2 * index] = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, square) * _GAIN
    return out


def damage_maps(image: FloatImage, on_step: OnStep | None = None) -> NDArray[np.float32]:
    """Return how sure the net is that a pixel belongs to a scratch, and to dust.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1].
    on_step : progress out, cancellation in, between tiles.

    Returns
    -------
    float32 (2, H, W), 0 to 1: scratches and creases, dust.

    Notes
    -----
    A small U-Net [1]_ (0.13 million weights) that works from half to an eighth of the size. It was trained on
    photographs with drawn damage; docs/restore.md is its model card.

    References
    ----------
    .. [1] Ronneberger, Fischer & Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015.
    """
    net = _net()
    height, width = image.shape[:2]
    out = np.empty((2, height, width), dtype=np.float32)
    tiles = [(top, left) for top in range(0, height, _CORE) for left in range(0, width, _CORE)]
    for done, (top, left) in enumerate(tiles):
        report(on_step, done / len(tiles), "looking for damage")
        bottom, right = min(top + _CORE, height), min(left + _CORE, width)
        out[:, top:bottom, left:right] = _tile(net, image, (top, left, bottom, right))
    report(on_step, 1.0, "looking for damage")
    return out


def _net() -> Any:
    """Return the net; one for each call, because OpenCV's cannot be shared by threads."""
    import cv2

    weights = (resources.files("lacuna.detect") / FILE).read_bytes()
    try:
        return cv2.dnn.readNetFromONNX(np.frombuffer(weights, dtype=np.uint8))
    except (AttributeError, cv2.error) as error:
        raise MissingDependencyError(
            f"this OpenCV ({cv2.__version__}) cannot run the damage detector: {error}; pip install "
            "'opencv-python-headless>=4.10'"
        ) from error


def _tile(net: Any, image: FloatImage, core: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Return the net's answer (2, h, w) for one box, which it sees with a halo around it."""
    top, left, bottom, right = core
    up, before = min(HALO, top), min(HALO, left)
    part = image[top - up : bottom + HALO, left - before : right + HALO]
    down, after = -part.shape[0] % _FOLD, -part.shape[1] % _FOLD
    if down or after:
        part = np.pad(part, ((0, down), (0, after), (0, 0)), mode="edge")
    h, w = part.shape[0] // 2, part.shape[1] // 2
    folded = planes(part).reshape(-1, h, 2, w, 2).transpose(0, 2, 4, 1, 3)  # (7, 2, 2, h, w)
    net.setInput(np.ascontiguousarray(folded).reshape(1, -1, h, w))
    maps = net.forward().reshape(2, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(2, 2 * h, 2 * w)
    answer: NDArray[np.float32] = maps[:, up : up + bottom - top, before : before + right - left]
    return answer
