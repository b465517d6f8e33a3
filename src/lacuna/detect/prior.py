"""How much of a picture is damaged at all, and what that makes of each pixel's likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 20
_BINS = 256
_MOST = 1.5
"""However much is damaged, what looks whole stays so."""


def adapted(likely: NDArray[np.float32], usual: float, least: float) -> NDArray[np.float32]:
    """Return likelihoods for a picture with as much damage as this one seems to have.

    The net learned from pictures of which a usual share is damaged. In a picture where it sees little, what
    little it sees is more often something else: a wire, a highlight. The share of this picture is found from
    the likelihoods themselves, in rounds (expectation maximisation, [1]_ eq. 2.9).

    Parameters
    ----------
    likely : (H, W), [0, 1].
    usual : the share, 0 to 1, that the likelihoods were made for.
    least : the odds of no pixel shrink to less than this share of themselves, so that the only scratch of a
        picture is found; 1 leaves all likelihoods at least as they are.

    References
    ----------
    .. [1] Saerens, Latinne & Decaestecker, Adjusting the Outputs of a Classifier to New a Priori
       Probabilities, 2002.

    Examples
    --------
    >>> whole = np.full((50, 50), 0.02, dtype=np.float32)
    >>> whole[3, 3] = 0.6
    >>> round(float(adapted(whole, 0.1, 0.05)[3, 3]), 2)
    0.07
    """
    counts, edges = np.histogram(likely, _BINS, (0.0, 1.0))
    share, middle = counts / max(int(counts.sum()), 1), (edges[1:] + edges[:-1]) / 2
    odds, ratio = middle / (1 - middle), 1.0
    for _ in range(_ROUNDS):
        damaged = min(max(float((share * (ratio * odds / (1 + ratio * odds))).sum()), 1e-6), 1 - 1e-6)
        ratio = damaged / (1 - damaged) * (1 - usual) / usual
        ratio = min(max(ratio, least), max(_MOST, least))
    scaled = likely * np.float32(ratio)
    return np.asarray(scaled / (1 - likely + scaled), dtype=np.float32)
