"""How good fills of hidden pixels are, and what that says about the hole itself.

No network judges: three statistics of the difference between fill and truth stand in for LPIPS, and what
they say about hidden copies of the hole is weighed against what other photos say about holes of its form.
All numbers here come from ``python benchmarks/choice.py --fit``: 60 photos of 320 pixels and 34 of 512, with
three kinds of hole each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.metrics import psnr, seam, ssim
from lacuna.types import FloatImage, Hole

MARGIN = 12
"""Pixels around what is hidden that are looked at: half of what a fill does to roughness lies outside it."""

STATISTICS = ("difference", "roughness", "coarse roughness")
"""Names of what `statistics` returns."""

LPIPS = (1.312, 0.244, 0.111)
"""What each of the statistics adds to the LPIPS of hidden pixels."""

Options = tuple[tuple[str, Any], ...]

CONSENSUS: Options = (("consensus", 3),)
"""What each mixture is made with in earnest; in a trial, where all are compared, it is left out."""

CANDIDATES: tuple[tuple[str, Options], ...] = (
    ("guided", CONSENSUS),
    ("guided", (*CONSENSUS, ("least", 0.25))),
    ("guided", (*CONSENSUS, ("least", 0.5))),
    ("patchmatch", ()),
)
"""Methods and options that are tried; the first one is the choice where nothing speaks for another."""

PRIOR = (
    (0.0, 0.0, 0.0, 0.0),
    (-0.00217, -0.00028, 0.00012, 0.00779),
    (-0.00223, -0.00021, 0.00022, 0.02936),
    (0.02624, 0.00091, -0.00042, -0.01314),
)
"""LPIPS of each candidate less that of the first on the hole itself: a quadratic of `Form.spread`, and what
`Form.blur` adds."""

TRUST = (0.0413, 0.0202, 0.0151)
"""How much of a difference on hidden pixels is left on the hole itself: a quadratic of `Form.spread`,
and at least 0."""

LEVEL = 0.990
"""LPIPS of the first candidate on the hole itself, for one on hidden pixels."""

AHEAD = 0.002
"""By how much the LPIPS of another candidate must be expected to be less than that of the first."""

WIDEST, BLURRIEST = 5.5, 0.7
"""Spread and blur up to which all this was fitted."""


class Form(NamedTuple):
    """What of a hole decides how far copies of it can be believed.

    Parameters
    ----------
    spread : the logarithm of how many discs of the hole's own thickness its area holds: about 0 for a disc, 2
        for thick strokes across a photo and 5 for thin ones. Copies of a hole that is spread out lie all over
        the photo, and tell more about it.
    blur : 1 less the scale at which the network is shown the frame; the more, the blurrier its picture.
    """

    spread: float
    blur: float


@dataclass(frozen=True)
class Verdict:
    """What is to be expected of a method on the hole, going by what it made of hidden pixels.

    Parameters
    ----------
    method, options : what was tried.
    psnr : over the hidden pixels, dB.
    ssim : over the hidden pixels, of the mean over colours.
    seam : at their rim, grey levels of 255.
    roughness : how far the roughness of the fill is from that of the truth, natural logarithm, 0 or more.
    lpips : expected over the hole's pixels: the LPIPS of the picture, divided by the share that is missing.
    """

    method: str
    options: Options
    psnr: float
    ssim: float
    seam: float
    roughness: float
    lpips: float

    @property
    def label(self) -> str:
        """The method and its options, as people read it; what it makes in earnest only is left out."""
        return label(self.method, tried_options(self.options))


def label(method: str, options: Options) -> str:
    """Return a candidate's name for people.

    Examples
    --------
    >>> label("guided", (("least", 0.25),))
    'guided least=0.25'
    """
    return " ".join((method, *(f"{name}={value:g}" for name, value in options)))


def tried_options(options: Options) -> Options:
    """Return the options of a candidate as it is tried: without `CONSENSUS`."""
    return tuple(option for option in options if option not in CONSENSUS)


def judge(fills: list[FloatImage], truth: FloatImage, hidden: Hole, form: Form) -> list[Verdict]:
    """Return a verdict on each of the candidates.

    Parameters
    ----------
    fills : (h, w, K) for each of `CANDIDATES`, equal to the truth outside what was hidden.
    truth : (h, w, K), [0, 1].
    hidden : (h, w). True was filled.
    form : of the hole itself.
    """
    measured = [statistics(fill, truth, hidden) for fill in fills]
    expected = predict(np.array([each @ np.array(LPIPS) for each in measured]), form)
    verdicts = []
    for (method, options), fill, each, lpips in zip(CANDIDATES, fills, measured, expected, strict=True):
        verdicts.append(
            Verdict(
                method,
                options,
                psnr(fill, truth, hidden),
                ssim(_grey(fill), _grey(truth), hidden),
                seam(fill, hidden),
                float(each[1]),
                float(lpips),
            )
        )
    return verdicts


def predict(seen: NDArray[np.float64], form: Form) -> NDArray[np.float64]:
    """Return the LPIPS that each candidate is expected to have on the hole, from that on hidden pixels."""
    *powers, blur = terms(form)
    ours = LEVEL * seen[0]
    trust = max(float(np.array(TRUST) @ powers), 0.0)
    others = np.array(PRIOR) @ (*powers, blur) + trust * (seen - seen[0])
    return np.asarray(np.maximum(ours + others, 0.0), np.float64)


def best(expected: Sequence[float] | NDArray[np.float64]) -> int:
    """Return which candidate to take, going by the LPIPS that is expected of each.

    Examples
    --------
    >>> best([0.200, 0.199, 0.250, 0.300]), best([0.200, 0.190, 0.250, 0.300])
    (0, 1)
    """
    least = int(np.argmin(expected))
    return least if expected[least] + AHEAD < expected[0] else 0


def terms(form: Form) -> tuple[float, float, float, float]:
    """Return what the fitted numbers belong to: 1, spread and its square, and blur."""
    spread = min(max(form.spread, 0.0), WIDEST)
    return 1.0, spread, spread**2, min(max(form.blur, 0.0), BLURRIEST)


def form_of(hole: Hole, seen_at: float) -> Form:
    """Return the form of a hole, (H, W), in a frame that the network is shown at a scale, at most 1."""
    from lacuna.exemplar.stage import distance_to_known

    reach = max(float(distance_to_known(hole).max()), 1.0)
    spread = math.log(max(np.count_nonzero(hole) / (math.pi * reach**2), 1.0))
    return Form(spread, 1 - seen_at)


def statistics(fill: FloatImage, truth: FloatImage, hidden: Hole) -> NDArray[np.float64]:
    """Return what LPIPS is estimated from, (3,), 0 where fill and truth are equal; see `STATISTICS`.

    The mean difference in colour at half the size, and how far the logarithms of the local roughness are
    apart, at full and at half size. All are sums over the picture, divided by the number of hidden pixels.
    """
    import cv2

    rows, columns = np.nonzero(hidden)
    top, left = max(0, int(rows.min()) - MARGIN), max(0, int(columns.min()) - MARGIN)
    part = np.s_[top : int(rows.max()) + MARGIN + 1, left : int(columns.max()) + MARGIN + 1]
    a, b = (np.ascontiguousarray(each[part], np.float32) for each in (fill, truth))
    count = np.count_nonzero(hidden)
    difference = cv2.pyrDown(a - b)
    grey = [each.mean(axis=2) for each in (a, b)]
    fine = np.subtract(*(_log_roughness(each) for each in grey))
    coarse = np.subtract(*(_log_roughness(cv2.pyrDown(each)) for each in grey))
    return np.array(
        [
            4 * np.abs(difference).sum() / (a.shape[2] * count),
            np.abs(fine).sum() / count,
            4 * np.abs(coarse).sum() / count,
        ],
        dtype=np.float64,
    )


def _grey(image: FloatImage) -> FloatImage:
    return np.asarray(image.mean(axis=2, keepdims=True), np.float32)


def _log_roughness(grey: FloatImage) -> FloatImage:
    """Return the logarithm of the deviation from a blurred copy, over windows of a few pixels."""
    import cv2

    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.0)
    deviation = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 1.5) + np.float32(1e-6))
    return np.asarray(np.log(deviation + np.float32(0.005)), np.float32)
