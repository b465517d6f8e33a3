"""Text laid over a photograph: captions, subtitles, date and time stamps.

What is laid over is drawn in one colour, with strokes of about one width, in letters of about one size that
stand in a row, and its rim is sharp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.detection import Detection, Region, detect
from lacuna.types import FloatImage

MARGIN = 64
"""Pixels around a region that are looked at too."""

SEARCH_PIXELS = 1_500_000
"""Larger pictures are searched at this size; strokes are then painted at the full one."""

SMALLEST_SIDE = 8
"""Pixels; no line of text fits into less."""

USUAL, RANGE = 2.0, 3.0
"""Log odds that a line needs at sensitivity 0.5, and by how much more at 0 and less at 1."""

LEAST = 0.1
"""Confidence below which a line is not mentioned at all."""


def find_text(image: FloatImage, *, sensitivity: float = 0.5, region: Region = None) -> Detection:
    """Find captions, subtitles and stamps that were laid over a picture.

    Letters need to be 6 pixels tall or more, opaque or nearly so, and stand three or more in a row that is
    level within 11 degrees. Lettering in the scene itself (signs, labels) is found too where it looks alike.

    Parameters
    ----------
    image : (H, W, C), C = 1 or 3, [0, 1].
    sensitivity : 0 to 1. More finds fainter and shorter lines, and more that is none.
    region : bool (H, W) or a box; where to look.

    Returns
    -------
    The mask covers strokes, outline, shadow and the soft rim around them; the confidence is 0.5 where the
    decision falls. Pictures of more than 1.5 megapixels are searched at that size, hence for letters that are
    6 pixels tall there.

    Raises
    ------
    ImageError, OptionError, MaskError : as all detectors.

    References
    ----------
    .. [1] Epshtein, Ofek & Wexler, Detecting Text in Natural Scenes with Stroke Width Transform, CVPR 2010.
    .. [2] Neumann & Matas, Real-Time Scene Text Localization and Recognition, CVPR 2012.
    """
    return detect(_find, image, sensitivity=sensitivity, region=region, margin=MARGIN)


def _find(image: FloatImage, sensitivity: float) -> Detection:
    if min(image.shape[:2]) < SMALLEST_SIDE:
        return Detection(np.zeros(image.shape[:2], np.bool_), np.zeros(image.shape[:2], np.float32))
    from lacuna.detect.lettering import paint
    from lacuna.detect.lines import find_lines

    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    small, scale = _reduced(pixels)
    colours = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    mask = np.zeros(pixels.shape[:2], np.bool_)
    confidence = np.zeros(pixels.shape[:2], np.float32)
    threshold = USUAL + RANGE * (1 - 2 * sensitivity)
    for line in find_lines(small):
        sure = 1 / (1 + np.exp(threshold - line.score))
        if sure < LEAST:
            continue
        window, strokes = paint(colours, line.scaled(scale))
        confidence[window] = np.maximum(confidence[window], np.where(strokes, np.float32(sure), 0))
        if line.score > threshold:
            mask[window] |= strokes
    return Detection(mask, confidence)


def _reduced(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Return a picture of `SEARCH_PIXELS` at most, and how many times larger the original is."""
    height, width = pixels.shape[:2]
    scale = max(1.0, float(np.sqrt(height * width / SEARCH_PIXELS)))
    if scale == 1:
        return pixels, 1.0
    import cv2

    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return small.reshape(size[1], size[0], -1).astype(np.uint8), scale
