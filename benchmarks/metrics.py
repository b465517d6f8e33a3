"""Figures about a fill as the tables here show them; the mathematics is `lacuna.metrics`'."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.evaluate.statistics import Interval, bootstrap
from lacuna.metrics import PSNR_CAP, psnr, seam, ssim

__all__ = ["PSNR_CAP", "Interval", "bootstrap", "composite", "score"]

Image = NDArray[np.float32]
Hole = NDArray[np.bool_]


def score(fill: Image, truth: Image, hole: Hole) -> dict[str, float]:
    """Return the figures of one fill.

    Parameters
    ----------
    fill : (H, W, 3), [0, 1]. Only what lies in the hole is used: known pixels are taken from `truth`.
    truth : (H, W, 3), [0, 1].
    hole : (H, W). True is missing.

    Returns
    -------
    ``lpips`` (whole picture, less is better), ``psnr`` (missing pixels alone, dB, capped), ``ssim`` (whole
    picture) and ``seam`` (jump at the rim, grey levels of 255, about 0 is best).
    """
    from lpips import lpips  # torch takes seconds to import, and nothing else here needs it

    picture = composite(np.clip(fill, 0, 1).astype(np.float32), truth, hole)
    return {
        "lpips": lpips(picture, truth),
        "psnr": psnr(picture, truth, hole),
        "ssim": ssim(picture, truth),
        "seam": seam(picture, hole),
    }


def composite(fill: Image, truth: Image, hole: Hole) -> Image:
    """Return truth outside the hole and fill inside: what every figure is computed on."""
    return np.where(hole[..., None], fill, truth)
