"""How much several fills of one hole differ."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

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


def spread(samples: Iterable[FloatImage]) -> NDArray[np.float32]:
    """Return how much several fills of one hole disagree in each pixel, (H, W): 0 where they agree.

    Parameters
    ----------
    samples : one or more, (H, W, C), [0, 1]; taken one after the other.

    Returns
    -------
    The standard deviation over the samples, root mean square over the channels; 0 to 0.5.

    Raises
    ------
    OptionError : no sample.

    Examples
    --------
    >>> spread([np.zeros((1, 2, 1)), np.array([[[0.0], [1.0]]])]).tolist()
    [[0.0, 0.5]]
    """
    count, mean, squares = 0, np.zeros(0), np.zeros(0)
    for sample in samples:
        values = np.asarray(sample, np.float64)
        count += 1
        off = values - mean if count > 1 else values
        mean = mean + off / count if count > 1 else values
        # Welford's: the sum of squares about the mean, without a second pass over large pictures.
        squares = squares + off * (values - mean) if count > 1 else np.zeros_like(values)
    if count == 0:
        raise OptionError("spread of no samples; one or more are needed")
    return np.asarray(np.sqrt(np.maximum(squares, 0).mean(axis=2) / count), np.float32)
