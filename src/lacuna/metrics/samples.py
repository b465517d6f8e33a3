"""How much several fills of one hole differ."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from lacuna.errors import OptionError
from lacuna.types import FloatImage


def diversity(samples: Sequence[FloatImage], distance: Callable[[FloatImage, FloatImage], float]) -> float:
    """Return the mean distance over all pairs of samples; 0 = all alike.

    Parameters
    ----------
    samples : two or more fills of the same hole, (H, W, C).
    distance : of two pictures, for instance `l1` or a `Lpips` (the papers' choice).

    Raises
    ------
    OptionError : fewer than two samples.

    References
    ----------
    .. [1] Zhu et al., Toward Multimodal Image-to-Image Translation, NeurIPS 2017, section 5.1 (LPIPS distance
       between random pairs; here of all pairs).

    Examples
    --------
    >>> diversity([0, 1, 2], lambda a, b: float(abs(a - b)))
    1.3333333333333333
    """
    if len(samples) < 2:
        raise OptionError(f"diversity of {len(samples)} samples; two or more are needed")
    return float(np.mean([distance(a, b) for a, b in itertools.combinations(samples, 2)]))
