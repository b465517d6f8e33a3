"""How known pixels take part in sampling: values that are handed to the loop, not loops of their own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lacuna.diffusion.schedules import Schedule
from lacuna.errors import OptionError

if TYPE_CHECKING:
    from lacuna.diffusion.sampling import Noise


class Conditioning:
    """No condition at all; what other kinds are derived from."""

    def times(self, count: int) -> list[int]:
        """Return the times in the order in which they are visited, from ``count − 1`` to −1.

        Where it falls, a step of denoising is taken; where it rises, noise is added.
        """
        return list(range(count - 1, -2, -1))

    def on_clean(self, clean: Tensor) -> Tensor:
        """Return what the predicted clean picture is corrected to, before the step is taken from it."""
        return clean

    def on_state(self, x: Tensor, time: int, schedule: Schedule, noise: Noise) -> Tensor:
        """Return what the state is corrected to once it is at a time."""
        return x


@dataclass(frozen=True, eq=False)
class _Known(Conditioning):
    """What the kinds that know pixels share.

    Parameters
    ----------
    known : (1 or B, C, H, W), −1 … 1. What lies in the hole is ignored.
    hole : (1 or B, 1, H, W), bool or 0 and 1. True is missing.
    """

    known: Tensor
    hole: Tensor

    def _with_known(self, x: Tensor, known: Tensor) -> Tensor:
        # Chosen, not weighed: what lies in the hole may be anything, NaN included.
        return torch.where(self.hole.to(torch.bool), x, known)


@dataclass(frozen=True, eq=False)
class Replacement(_Known):
    """Put the known pixels, as noisy as the rest, into every state.

    Parameters
    ----------
    known, hole : see `Conditioning`'s kinds: (1 or B, C, H, W) in −1 … 1, and (1 or B, 1, H, W), True is
        missing.

    Notes
    -----
    The missing pixels never learn how the known ones will turn out, and more steps do not mend that [2]_.

    References
    ----------
    .. [1] Song et al., Score-Based Generative Modeling through Stochastic Differential Equations, ICLR 2021,
       appendix I.2.
    .. [2] Trippe et al., Diffusion Probabilistic Modeling of Protein Backbones in 3D for the
       Motif-Scaffolding Problem, ICLR 2023, proposition 2.
    """

    def on_state(self, x: Tensor, time: int, schedule: Schedule, noise: Noise) -> Tensor:
        """See `Conditioning.on_state`."""
        left = schedule.at(time)
        if time < 0:
            return self._with_known(x, self.known)
        noisy = sqrt(left) * self.known + sqrt(1 - left) * noise(x)
        return self._with_known(x, noisy)


@dataclass(frozen=True, eq=False)
class RePaint(Replacement):
    """Replacement that goes back again and again, so that the missing pixels can take to the known ones.

    Parameters
    ----------
    known, hole : see `Replacement`.
    jump : steps of one way back. resample : times that each stretch is denoised, 1 or more.

    Raises
    ------
    OptionError : out of range; a jump longer than the schedule, when the times are asked for.

    References
    ----------
    .. [1] Lugmayr et al., RePaint: Inpainting using Denoising Diffusion Probabilistic Models, CVPR 2022,
       arXiv:2201.09865, algorithm 1 and appendix B.
    """

    jump: int = 10
    resample: int = 10

    def __post_init__(self) -> None:
        _check_jumps(self.jump, self.resample)

    def times(self, count: int) -> list[int]:
        """See `Conditioning.times`."""
        return jump_times(count, self.jump, self.resample)


@dataclass(frozen=True, eq=False)
class NullSpace(_Known):
    """Put the known pixels into every prediction of the clean picture (DDNM), with or without ways back.

    Parameters
    ----------
    known, hole : see `Replacement`.
    jump, resample : see `RePaint`; 1 resample takes no way back.

    Notes
    -----
    The paper's range–null space decomposition x̂₀ = A⁺y + (I − A⁺A) x₀ where A drops the missing pixels. The
    state itself then meets the known pixels as the steps go on, without noise of their own.

    References
    ----------
    .. [1] Wang, Yu & Zhang, Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model, ICLR
       2023, arXiv:2212.00490, equation 13 and algorithm 3.
    """

    jump: int = 1
    resample: int = 1

    def __post_init__(self) -> None:
        _check_jumps(self.jump, self.resample)

    def times(self, count: int) -> list[int]:
        """See `Conditioning.times`."""
        return jump_times(count, self.jump, self.resample) if self.resample > 1 else super().times(count)

    def on_clean(self, clean: Tensor) -> Tensor:
        """See `Conditioning.on_clean`."""
        return self._with_known(clean, self.known)

    def on_state(self, x: Tensor, time: int, schedule: Schedule, noise: Noise) -> Tensor:
        """See `Conditioning.on_state`: only the end must be exact."""
        return self._with_known(x, self.known) if time < 0 else x


def jump_times(count: int, jump: int, resample: int) -> list[int]:
    """Return RePaint's times: down, and at every ``jump``-th of them back up, ``resample − 1`` times.

    Parameters
    ----------
    count : T, the number of times of the schedule.
    jump : 1 … T: length of a way back. resample : 1 or more.

    Raises
    ------
    OptionError : out of range.

    Examples
    --------
    >>> jump_times(6, 2, 2)
    [5, 4, 3, 2, 3, 4, 3, 2, 1, 0, 1, 2, 1, 0, -1]
    """
    _check_jumps(jump, resample)
    if jump > count:
        raise OptionError(f"jump is {jump}; expected at most the {count} steps of the schedule")
    ways_back = dict.fromkeys(range(0, count - jump, jump), resample - 1)
    times, time = [count - 1], count - 1
    while time >= 0:
        time -= 1
        times.append(time)
        if ways_back.get(time, 0) > 0:
            ways_back[time] -= 1
            times += range(time + 1, time + jump + 1)
            time += jump
    return times


def calls(times: Sequence[int]) -> int:
    """Return how often a list of times asks the network."""
    return sum(b < a for a, b in itertools.pairwise(times))


def _check_jumps(jump: int, resample: int) -> None:
    for name, value in (("jump", jump), ("resample", resample)):
        if value < 1:
            raise OptionError(f"{name} is {value}; expected 1 or more")
