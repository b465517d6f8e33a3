"""Scratches and creases on scanned photos: bright or dark, hairline to 8 pixels wide, in any direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.detection import Detection, Region, between, detect
from lacuna.detect.hysteresis import connected_above
from lacuna.detect.network import HALO, SCRATCHES, damage_maps
from lacuna.detect.prior import adapted
from lacuna.types import FloatImage

CERTAIN = (0.85, 0.5, 0.25)
"""Somewhere it must be at least so likely that it is a scratch: at sensitivity 0, 0.5 and 1."""
LIKELY = (0.6, 0.3, 0.12)
"""And so likely in all of it."""
USUAL = 0.08
"""The share of damaged pixels that the likelihoods were made for; chosen with the thresholds."""
FEWEST = (0.02, 0.05, 1.0)
"""So far the odds may shrink in a picture with little damage."""
_LEAST = 12
"""Pixels: anything smaller is not a line."""


def find_scratches(image: FloatImage, *, sensitivity: float = 0.5, region: Region = None) -> Detection:
    """Find scratches and creases.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1]. In the size of the scan: a reduced picture has lost its hairlines.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like one).
    region : bool (H, W) or box (top, left, bottom, right) to look in; None is everywhere.

    Returns
    -------
    Bright and dark lines, hairline to about 8 pixels wide, straight or bent, and the broken lines of folds.
    What the photo itself shows and looks the same (a wire before the sky) may be among them.

    Raises
    ------
    ImageError, OptionError, MaskError : see `lacuna.detect.detection.detect`.
    """
    return detect(
        lambda part, level: scratches_in(damage_maps(part)[SCRATCHES], level),
        image,
        sensitivity=sensitivity,
        region=region,
        margin=HALO,
    )


def scratches_in(likely: NDArray[np.uint8], sensitivity: float) -> Detection:
    """Return the scratches in the net's map (H, W) of how likely they are."""
    sure = adapted(likely, USUAL, between(sensitivity, *FEWEST))
    low, high = between(sensitivity, *LIKELY), between(sensitivity, *CERTAIN)
    return Detection(connected_above(sure, low, high, least=_LEAST), sure)
