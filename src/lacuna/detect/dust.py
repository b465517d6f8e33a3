"""Dust on scanned photos: specks, blobs and hairs, bright or dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.detect.detection import Detection, Region, between, detect
from lacuna.detect.hysteresis import connected_above
from lacuna.detect.network import DUST, HALO, damage_maps
from lacuna.detect.prior import adapted
from lacuna.types import FloatImage

CERTAIN = (0.85, 0.6, 0.25)
"""Somewhere it must be at least so likely that it is dust: at sensitivity 0, 0.5 and 1."""
LIKELY = (0.6, 0.4, 0.12)
"""And so likely in all of it."""
USUAL = 0.006
"""The share of damaged pixels that the likelihoods were made for; chosen with the thresholds."""
FEWEST = (0.02, 0.05, 1.0)
"""So far the odds may shrink in a picture with little damage."""


def find_dust(image: FloatImage, *, sensitivity: float = 0.5, region: Region = None) -> Detection:
    """Find dust: small specks and blobs up to about 15 pixels, and curled hairs.

    Parameters
    ----------
    image : (H, W, 1 or 3), [0, 1]. In the size of the scan.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like it).
    region : bool (H, W) or box (top, left, bottom, right) to look in; None is everywhere.

    Returns
    -------
    The specks and hairs. A small highlight, a distant bird or a star may be among them.

    Raises
    ------
    ImageError, OptionError, MaskError : see `lacuna.detect.detection.detect`.
    """
    return detect(
        lambda part, level: dust_in(damage_maps(part)[DUST], level),
        image,
        sensitivity=sensitivity,
        region=region,
        margin=HALO,
    )


def dust_in(likely: NDArray[np.uint8], sensitivity: float) -> Detection:
    """Return the dust in the net's map (H, W) of how likely it is."""
    sure = adapted(likely, USUAL, between(sensitivity, *FEWEST))
    low, high = between(sensitivity, *LIKELY), between(sensitivity, *CERTAIN)
    return Detection(connected_above(sure, low, high, least=1), sure)
