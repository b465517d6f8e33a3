"""Let the broad shapes of a fill lean to what several fills have in common.

Each seed ends in another fill. Fine texture must come from one of them, since the mean of several textures is
none; but the broad shapes of the mean are nearer to the truth than those of any one. They are all that is
taken from it, so fills at half the size will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lacuna.exemplar.engine import Effort, Guide, fill_patches
from lacuna.exemplar.stage import distance_to_known
from lacuna.progress import scaled
from lacuna.sizing import resize, shrink
from lacuna.types import FloatImage, Hole, OnStep

SCALE = 0.5
"""Scale of the further fills; a quarter gives two thirds of the gain."""

MOST = 2**17
"""Missing pixels of a further fill, at most; larger holes are filled at a smaller scale than `SCALE`."""

THINNEST = 4.0
"""Pixels from rim to middle from which on it is done; thinner holes hardly have broad shapes."""

BROAD = 1.2
"""Deviation of what is broad, in pixels of a further fill."""

SHARE = 0.8
"""Share of the broad shapes that is taken from the mean when there are very many further fills; n of them
give n / (n + 1) of that."""

STRIDE = 7919
"""Between the seeds of the further fills: the fills of seeds that users take one after another differ."""


@dataclass(frozen=True)
class Consensus:
    """What further fills have in common.

    Parameters
    ----------
    mean : (h, w, K), [0, 1], the mean of the further fills, at their scale.
    hole : (h, w). True was filled.
    count : of further fills.
    """

    mean: FloatImage
    hole: Hole
    count: int


def agree(
    image: FloatImage,
    hole: Hole,
    *,
    count: int,
    sources: Hole | None = None,
    guide: Guide | None = None,
    effort: Effort | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Consensus | None:
    """Fill the hole several times at a smaller scale.

    Parameters
    ----------
    image : (H, W, K), [0, 1]. What lies under the hole is ignored.
    hole : (H, W). True is missing.
    count : further fills.
    sources, guide, effort, seed, on_step : as given to `fill_patches` for the fill at full size.

    Returns
    -------
    What they have in common, or None: none are wanted, or the hole is too thin for them.
    """
    if count == 0 or float(distance_to_known(hole).max()) < THINNEST:
        return None
    scale = min(SCALE, math.sqrt(MOST / np.count_nonzero(hole)))
    small, missing, _ = shrink(image, hole, None, scale)
    if not missing.any() or missing.all():
        return None
    allowed = None
    if sources is not None:
        allowed = resize(sources[..., None].astype(np.float32), missing.shape)[..., 0] > 0.999
    total = np.zeros_like(small)
    for i in range(1, count + 1):
        step = scaled(on_step, (i - 1) / count, i / count)
        total += fill_patches(
            small,
            missing,
            sources=allowed,
            guide=guide,
            effort=effort,
            seed=seed + i * STRIDE,
            on_step=step,
        )
    return Consensus(total / np.float32(count), missing, count)


def lean(fill: FloatImage, hole: Hole, consensus: Consensus) -> FloatImage:
    """Return a fill whose broad shapes lean to the consensus.

    Parameters
    ----------
    fill : (H, W, K), [0, 1], the hole filled.
    hole : (H, W). True was missing.

    Returns
    -------
    (H, W, K), new array, equal to ``fill`` outside the hole.
    """
    import cv2

    height, width = hole.shape
    small = resize(fill, consensus.hole.shape)
    apart = np.where(consensus.hole[..., None], consensus.mean - small, np.float32(0))
    broad = cv2.GaussianBlur(apart, (0, 0), BROAD)
    broad = cv2.resize(broad, (width, height), interpolation=cv2.INTER_LINEAR).reshape(fill.shape)
    share = np.float32(SHARE * consensus.count / (consensus.count + 1))
    out = fill.copy()
    out[hole] = (fill[hole] + share * broad[hole]).clip(0, 1)
    return out
