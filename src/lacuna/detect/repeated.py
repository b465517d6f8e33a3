"""A static overlay that a folder of pictures has in common: a watermark, a logo, a stamp, dust on the sensor.

The scene changes from picture to picture and the overlay does not, so the median of their gradients shows the
overlay alone [1]_.

References
----------
.. [1] Dekel, Rubinstein, Liu & Freeman, On the Effectiveness of Visible Watermarks, CVPR 2017: section 3.1.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.detection import Detection, Region, check_sensitivity, region_mask
from lacuna.errors import ImageError, LimitError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, open_image
from lacuna.progress import report, scaled
from lacuna.types import Hole, OnStep

if TYPE_CHECKING:
    from lacuna.detect.consensus import Gradients

FEWEST = 3
"""Pictures without which there is nothing to compare."""

FEW = 10
"""Pictures below which only strong overlays are told from chance."""

MOST = 64
"""Pictures that are looked at; more of them, evenly chosen, would tell nothing new."""

MEMORY = 400 * 2**20
"""Bytes of decoded pixels that are held at once; pictures are read again and again to stay below."""

ONE_SCENE = 0.5
"""A larger share that is the same in most pictures is no overlay but one scene, and all of it is found."""

FAINTEST = 7.0
"""Grey levels that an overlay has to change somewhere, at sensitivity 0.5."""

ROWS = 32
"""Rows that are compared at once."""

RIM = 2
"""Pixels around what is found that belong to it: the soft edge."""


def find_repeated(
    images: Sequence[Any],
    *,
    sensitivity: float = 0.5,
    region: Region = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    memory: int = MEMORY,
    on_step: OnStep | None = None,
) -> Detection:
    """Find what is laid over all pictures of a series alike.

    Parameters
    ----------
    images : paths, arrays, or whatever else `lacuna.image.open_image` takes; of one size. Ten and more, of
        different scenes, tell a faint overlay from chance; with fewer only strong ones are found.
    sensitivity : 0 to 1. More finds fainter overlays, and more that is none.
    region : bool (H, W) or a box; where to look.
    max_pixels : refuse larger files.
    memory : bytes of decoded pixels that may be held at once; less takes longer and finds the same.
    on_step : progress out, cancellation in.

    Returns
    -------
    One mask for all pictures. Pictures that cannot be read are left out, and the notes name them.

    Raises
    ------
    ImageError : fewer than three readable pictures, or of different sizes; the message names them.
    OptionError, MaskError : sensitivity, memory or region cannot be used.
    """
    level = check_sensitivity(sensitivity)
    if isinstance(memory, bool) or not isinstance(memory, int) or memory < 1:
        raise OptionError(f"memory is {memory!r}; expected a number of bytes, 1 or more")
    series = _Series(images, max_pixels, memory)
    gradients, still = series.compare(scaled(on_step, 0.0, 0.8))
    region_mask(region, still.shape)
    if still.mean() > ONE_SCENE:
        return Detection(still, still.astype(np.float32), tuple(series.notes)).within(region)
    from lacuna.detect.consensus import strength

    found, noise = strength(gradients, still, scaled(on_step, 0.8, 1.0))
    mask, confidence = _cut(found, still, noise, level, series.used)
    return Detection(mask, confidence, tuple(series.notes)).within(region)


def _cut(
    found: NDArray[np.float32], still: Hole, noise: float, level: float, count: int
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return the pieces that rise high enough, as far as they rise above their neighbourhood."""
    import cv2

    high = max(FAINTEST, 6 * noise) * max(1.0, FEW / count) ** 1.5 * 3.0 ** (1 - 2 * level)
    local = cv2.dilate(found, _disk(8))
    # What is the same in most pictures is opaque: the inside of a piece, if the piece has an edge.
    raised = still | ((found > 0.35 * high) & (found > 0.3 * local))
    pieces, label = cv2.connectedComponents(raised.astype(np.uint8), connectivity=8)
    peak = np.zeros(pieces, np.float32)
    np.maximum.at(peak, label.ravel(), found.ravel())
    peak[0] = 0
    sure = peak / (peak + np.float32(high))  # one half at the threshold
    confidence = cv2.dilate(sure[label], _disk(RIM)).astype(np.float32)
    return confidence >= 0.5, confidence


def _disk(radius: int) -> Any:
    import cv2

    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)


@dataclass
class _Series:
    """Pictures, read in bands of rows so that memory stays bounded."""

    images: Sequence[Any]
    max_pixels: int | None
    memory: int
    notes: list[str] = field(default_factory=list)
    used: int = 0

    def compare(self, on_step: OnStep | None) -> tuple[Gradients, Hole]:
        """Return what the gradients agree on, and which pixels do not change, found band by band."""
        from lacuna.detect.consensus import agreed_gradients, still_pixels

        chosen, (height, width), stack = self._first_pass(scaled(on_step, 0.0, 0.3))
        self.used = len(chosen)
        across = np.zeros((height, width - 1, 3), np.float32)
        down = np.zeros((height - 1, width, 3), np.float32)
        still = np.zeros((height, width), np.bool_)
        # A band has one row more than it has gradients down.
        starts = range(0, max(1, height - 1), max(1, len(stack[0]) - 1))
        for i, top in enumerate(starts):
            report(on_step, 0.3 + 0.7 * i / len(starts), "comparing")
            band = slice(top, top + len(stack[0]))
            if i:
                stack = [_pixels(self.images[j], self.max_pixels)[band] for j in chosen]
            # Medians need many times the memory of the pixels, so they are taken of a few rows at once.
            for first in range(0, max(1, len(stack[0]) - 1), ROWS):
                together = np.stack([pixels[first : first + ROWS + 1] for pixels in stack])
                rows = slice(top + first, top + first + together.shape[1])
                part, below = agreed_gradients(together)
                across[rows], down[rows.start : rows.start + len(below)] = part, below
                still[rows] = still_pixels(together)
        return (across, down), still

    def _first_pass(
        self, on_step: OnStep | None
    ) -> tuple[list[int], tuple[int, int], list[NDArray[np.uint8]]]:
        """Read every picture once: check the sizes and keep the first band of those that are compared."""
        total = len(self.images)
        wanted = set(np.linspace(0, total - 1, min(total, MOST)).round().astype(int).tolist())
        sizes: dict[tuple[int, int], list[str]] = {}
        chosen: list[int] = []
        stack: list[NDArray[np.uint8]] = []
        for i, image in enumerate(self.images):
            report(on_step, i / total, f"reading {name_of(image, i)}")
            try:
                pixels = _pixels(image, self.max_pixels)
            except (ImageError, LimitError) as error:
                self.notes.append(f"left out: {error}")
                continue
            height, width = pixels.shape[:2]
            sizes.setdefault((height, width), []).append(name_of(image, i))
            if i in wanted and len(sizes) == 1:
                rows = max(1, self.memory // (len(wanted) * width * 3) - 1)
                chosen.append(i)
                stack.append(pixels[: rows + 1].copy())
        _check(sizes, self.notes)
        if len(chosen) < total - len(self.notes):
            self.notes.append(f"{len(chosen)} of {total} pictures were compared, evenly chosen")
        return chosen, next(iter(sizes)), stack


def name_of(image: Any, index: int) -> str:
    """Return how messages call a picture of a series: its file's name, or its number.

    Examples
    --------
    >>> name_of("holiday/001.jpg", 0), name_of(np.zeros((2, 2)), 0)
    ('001.jpg', 'picture 1')
    """
    is_path = isinstance(image, str | os.PathLike)
    return os.path.basename(os.fspath(image)) if is_path else f"picture {index + 1}"


def _pixels(image: Any, max_pixels: int | None) -> NDArray[np.uint8]:
    """Return (H, W, 3), 8 bits: gradients need no more."""
    canon = open_image(image, max_pixels=max_pixels).image
    pixels = np.clip(np.rint(canon * 255), 0, 255).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _check(sizes: dict[tuple[int, int], list[str]], notes: Sequence[str]) -> None:
    """Raise `ImageError` unless there are enough pictures, all of one size."""
    count = sum(map(len, sizes.values()))
    if len(sizes) > 1:
        usual = max(sizes, key=lambda size: len(sizes[size]))
        others = [
            f"{name} is {w}x{h}" for (h, w), names in sizes.items() if (h, w) != usual for name in names
        ]
        shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        raise ImageError(
            f"the pictures differ in size: {len(sizes[usual])} are {usual[1]}x{usual[0]}, but {shown}; an "
            "overlay is looked for in pictures of one size, so sort them by size"
        )
    if count < FEWEST:
        more = f" ({'; '.join(notes)})" if notes else ""
        raise ImageError(
            f"{count} readable picture{'s' * (count != 1)}{more}: what repeats shows only in {FEWEST} or more"
        )
