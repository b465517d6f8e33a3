"""Noise schedules: how much of the picture is left at each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import OptionError

STEPS = 1000
"""Steps of the papers' schedules."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Times 0 … T − 1, of which 0 is the least noisy; time −1 is the clean picture.

    Parameters
    ----------
    left : (T,), in (0, 1), falling: ᾱ, the share of the picture's variance that is left at each time.
    steps : (T,), the numbers by which the network knows the times; 0 … T − 1 unless respaced.
    """

    left: NDArray[np.float64]
    steps: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.left.ndim != 1 or len(self.left) == 0 or self.left.shape != self.steps.shape:
            raise OptionError(
                f"schedule of shape {self.left.shape} with {self.steps.shape} steps; expected two vectors "
                "of the same length, one step or more"
            )
        if not (np.diff(self.left, prepend=1.0) < 0).all() or self.left[-1] <= 0:
            raise OptionError("what a schedule leaves must fall from below 1 to above 0")

    def __len__(self) -> int:
        return len(self.left)

    def at(self, time: int) -> float:
        """Return ᾱ of a time from −1 on; 1 for the clean picture."""
        return 1.0 if time < 0 else float(self.left[time])

    def respaced(self, count: int) -> Schedule:
        """Return the schedule of ``count`` of the times, evenly spread, both ends included.

        Raises
        ------
        OptionError : ``count`` is not from 1 to T.

        References
        ----------
        .. [1] Nichol & Dhariwal, Improved Denoising Diffusion Probabilistic Models, ICML 2021, section 4.
        """
        if not 1 <= count <= len(self):
            raise OptionError(f"steps is {count}; expected 1 to {len(self)}")
        stride = (len(self) - 1) / max(count - 1, 1)
        kept = np.array([round(i * stride) for i in range(count)], dtype=np.int64)
        return Schedule(self.left[kept], self.steps[kept])


def linear(steps: int = STEPS) -> Schedule:
    """Return the schedule whose β rises linearly, from 1e-4 to 0.02 at 1,000 steps.

    With other numbers of steps β is scaled so that the ends stay about as noisy.

    References
    ----------
    .. [1] Ho, Jain & Abbeel, Denoising Diffusion Probabilistic Models, NeurIPS 2020, section 4.
    """
    _check(steps)
    scale = STEPS / steps
    beta = np.minimum(np.linspace(scale * 1e-4, scale * 0.02, steps), 0.999)
    return Schedule(np.cumprod(1 - beta), np.arange(steps))


def cosine(steps: int = STEPS) -> Schedule:
    """Return the schedule in which ᾱ falls like a squared cosine.

    References
    ----------
    .. [1] Nichol & Dhariwal 2021, equation 17, with β cut at 0.999.
    """
    _check(steps)
    shift = 0.008
    curve = np.cos((np.arange(steps + 1) / steps + shift) / (1 + shift) * np.pi / 2) ** 2
    beta = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
    return Schedule(np.cumprod(1 - beta), np.arange(steps))


def of_betas(beta: NDArray[np.float64]) -> Schedule:
    """Return the schedule of given variances of the noise of each step, (T,), in (0, 1)."""
    return Schedule(np.asarray(np.cumprod(1 - beta), np.float64), np.arange(len(beta)))


def _check(steps: int) -> None:
    if steps < 1:
        raise OptionError(f"steps is {steps}; expected 1 or more")
