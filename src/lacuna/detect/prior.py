"""How much of a picture is damaged at all, and what that makes of each pixel's likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ODDS = np.exp((np.arange(256) - 128) / 16)
"""What a byte of the net's answer means: the odds that a pixel is damaged. 128 is one to one."""

_ROUNDS = 20
_MOST = 1.5
"""However much is damaged, what looks whole stays so."""


def adapted(likely: NDArray[np.uint8], usual: float, least: float) -> NDArray[np.float32]:
    """Return likelihoods for a picture with as much damage as this one seems to have.

    The net learned from pictures of which a usual share is damaged. In a picture where it sees little, what
    little it sees is more often something else: a wire, a highlight. The share of this picture is found from
    the likelihoods themselves, in rounds (expectation maximisation, [1]_ eq. 2.9).

    Parameters
    ----------
    likely : (H, W), see `ODDS`.
    usual : the share, 0 to 1, that the likelihoods were made for.
    least : the odds of no pixel shrink to less than this share of themselves, so that the only scratch of a
        picture is found; 1 leaves all likelihoods at least as they are.

    Returns
    -------
    float32 (H, W), 0 to 1.

    References
    ----------
    .. [1] Saerens, Latinne & Decaestecker, Adjusting the Outputs of a Classifier to New a Priori
       Probabilities, 2002.

    Examples
    --------
    >>> whole = np.full((50, 50), 66, dtype=np.uint8)
    >>> whole[3, 3] = 134
    >>> round(float(adapted(whole, 0.1, 0.05)[3, 3]), 2)
    0.07
    """
    share, ratio = np.bincount(likely.ravel(), minlength=len(ODDS)) / max(likely.size, 1), 1.0
    for _ in range(_ROUNDS):
        damaged = min(max(float((share * _likelihood(ratio * ODDS)).sum()), 1e-6), 1 - 1e-6)
        ratio = damaged / (1 - damaged) * (1 - usual) / usual
        ratio = min(max(ratio, least), max(_MOST, least))
    return np.asarray(_likelihood(ratio * ODDS).astype(np.float32)[likely], dtype=np.float32)


def _likelihood(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return odds / (1 + odds)
