"""The net that sees scratches and dust, run tile by tile through onnxruntime."""

from __future__ import annotations

from importlib import resources

import numpy as np
from numpy.typing import NDArray

from lacuna import onnx_io
from lacuna.progress import report
from lacuna.types import FloatImage, OnStep

FILE = "damage.onnx"

HALO = 112
"""Pixels around a tile that the net sees too; what it answers there is dropped."""
_EDGE = 16
"""Pixels beyond that, a mirror image: the net takes what lies outside for black."""
_CORE = 1536
"""Side of a tile without its halo: large enough to waste little, in less than half a gigabyte."""
FOLD = 16
"""The net halves the picture four times."""

SCRATCHES, DUST = 0, 1
_DOING = "looking for damage"

HATS = (5, 15)
"""Sides of the squares that thin and thick lines fit into."""
GAIN = 4
"""Brings what stands out to the range of the colours."""


def planes(image: FloatImage) -> NDArray[np.uint8]:
    """Return what the net sees, (7, H, W): red, green, blue, and what stands out.

    Brightness minus its opening is what is brighter than all around and fits into a square; its closing minus
    brightness is what is darker (top hats, [1]_). The net takes hats `GAIN` times.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1].

    References
    ----------
    .. [1] Meyer, Iterative image transformations for an automatic screening of cervical smears, 1979.
    """
    import cv2

    out = np.empty((3 + 2 * len(HATS), *image.shape[:2]), dtype=np.uint8)
    out[:3] = np.rint(image * np.float32(255)).transpose(2, 0, 1)
    grey = ((out[0].astype(np.uint16) + out[1] + out[2] + 1) // 3).astype(np.uint8)
    for index, side in enumerate(HATS):
        square = np.ones((side, side), np.uint8)
        out[3 + 2 * index] = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square)
        out[4 + 2 * index] = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, square)
    return out


def damage_maps(image: FloatImage, on_step: OnStep | None = None) -> NDArray[np.uint8]:
    """Return how likely it is that a pixel belongs to a scratch, and to dust.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1].
    on_step : progress out, cancellation in.

    Returns
    -------
    uint8 (2, H, W), log odds as `lacuna.detect.prior.ODDS` reads them: scratches and creases, dust.

    Notes
    -----
    A U-Net [1]_ (2.6 million weights) that works from half to a sixteenth of the size, in 8-bit integers. It
    was trained on photographs with drawn damage; docs/restore.md is its model card.

    References
    ----------
    .. [1] Ronneberger, Fischer & Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015.
    """
    with resources.as_file(resources.files("lacuna.detect") / FILE) as path:
        net = onnx_io.load(path, "cpu")
    height, width = image.shape[:2]
    out = np.empty((2, height, width), dtype=np.uint8)
    tiles = [(top, left) for top in range(0, height, _CORE) for left in range(0, width, _CORE)]
    for done, (top, left) in enumerate(tiles):
        bottom, right = min(top + _CORE, height), min(left + _CORE, width)
        share = done / len(tiles)
        report(on_step, share, _DOING)
        out[:, top:bottom, left:right] = _tile(net, image, (top, left, bottom, right), share, on_step)
    report(on_step, 1.0, _DOING)
    return out


def _tile(
    net: onnx_io.Model,
    image: FloatImage,
    core: tuple[int, int, int, int],
    share: float,
    on_step: OnStep | None,
) -> NDArray[np.uint8]:
    """Return the net's answer (2, h, w) for one box, which it sees with a halo around it."""
    top, left, bottom, right = core
    up, before = min(HALO, top), min(HALO, left)
    part = planes(image[top - up : bottom + HALO, left - before : right + HALO])
    down, after = -part.shape[1] % FOLD, -part.shape[2] % FOLD
    part = np.pad(part, ((0, 0), (_EDGE, _EDGE + down), (_EDGE, _EDGE + after)), mode="reflect")
    h, w = part.shape[1] // 2, part.shape[2] // 2
    folded = part.reshape(-1, h, 2, w, 2).transpose(0, 2, 4, 1, 3).reshape(1, -1, h, w)  # (1, 28, h, w)
    found = net({"image": folded}, on_step=lambda *_: report(on_step, share, _DOING))["found"]
    maps = found.reshape(2, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(2, 2 * h, 2 * w)
    y, x = _EDGE + up, _EDGE + before
    answer: NDArray[np.uint8] = maps[:, y : y + bottom - top, x : x + right - left]
    return answer
