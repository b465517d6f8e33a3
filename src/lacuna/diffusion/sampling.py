"""The loop, and the steps that it can take."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

import torch
from torch import Tensor

from lacuna.diffusion.conditioning import Conditioning, calls
from lacuna.diffusion.denoisers import Denoiser, Prediction
from lacuna.diffusion.schedules import Schedule
from lacuna.errors import OptionError
from lacuna.progress import report
from lacuna.types import OnStep

Variance = Literal["learned", "least", "most"]


@dataclass(frozen=True, eq=False)
class Noise:
    """Normal noise, all of it from one generator, or each row of a batch from its own.

    With its own, a row is the same whatever else is in the batch: n samples at once are the n samples one
    by one.

    Parameters
    ----------
    generators : one for all rows, or one a row.
    """

    generators: Sequence[torch.Generator]

    @staticmethod
    def seeded(seed: int, count: int = 1, device: str | torch.device = "cpu") -> Noise:
        """Return noise for ``count`` rows with the seeds ``seed``, ``seed + 1``, …."""
        return Noise([torch.Generator(device).manual_seed(seed + i) for i in range(count)])

    def __call__(self, like: Tensor) -> Tensor:
        """Return noise of the shape, type and device of a batch ``(B, …)``.

        Raises
        ------
        OptionError : neither one generator nor one for each row.
        """
        if len(self.generators) not in (1, len(like)):
            raise OptionError(
                f"{len(self.generators)} generators for a batch of {len(like)}; expected one, or one a row"
            )
        parts = like.chunk(len(self.generators))
        drawn = [
            torch.randn(part.shape, generator=g, device=g.device)
            for part, g in zip(parts, self.generators, strict=True)
        ]
        return torch.cat(drawn).to(like)


class Step:
    """From one time to an earlier one. A step may remember; `forget` is called where noise was added."""

    def __call__(
        self, x: Tensor, said: Prediction, time: int, to: int, schedule: Schedule, noise: Noise
    ) -> Tensor:
        """Return the state at time ``to``, below ``time``."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what was remembered."""


@dataclass
class ancestral(Step):  # noqa: N801 - reads as what it is: sample(…, step=ancestral())
    """A draw from the posterior of the earlier state.

    Parameters
    ----------
    variance : ``learned`` where the network tells it, else ``least``. The least is that of a known
        picture, the most that of white noise.

    References
    ----------
    .. [1] Ho et al. 2020, equations 6 and 7.
    .. [2] Nichol & Dhariwal 2021, equation 15.
    """

    variance: Variance = "learned"

    def __call__(
        self, x: Tensor, said: Prediction, time: int, to: int, schedule: Schedule, noise: Noise
    ) -> Tensor:
        """See `Step`."""
        left, after = schedule.at(time), schedule.at(to)
        kept = left / after  # α of this stretch
        mean = sqrt(after) * (1 - kept) / (1 - left) * said.clean + sqrt(kept) * (1 - after) / (1 - left) * x
        if to < 0:
            return mean
        least, most = (1 - after) / (1 - left) * (1 - kept), 1 - kept
        if self.variance == "learned" and said.spread is not None:
            low, high = math.log(least), math.log(most)
            deviation = torch.exp((low + said.spread * (high - low)) / 2)
            return mean + deviation * noise(x)
        return mean + sqrt(most if self.variance == "most" else least) * noise(x)


@dataclass
class ddim(Step):  # noqa: N801
    """The step that keeps the noise it finds.

    Parameters
    ----------
    fresh : η, 0 to 1: how much of the noise is new. 0 is deterministic; 1 has the variance of `ancestral`.

    References
    ----------
    .. [1] Song, Meng & Ermon, Denoising Diffusion Implicit Models, ICLR 2021, equations 12 and 16.
    """

    fresh: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.fresh <= 1:
            raise OptionError(f"fresh is {self.fresh}; expected 0 to 1")

    def __call__(
        self, x: Tensor, said: Prediction, time: int, to: int, schedule: Schedule, noise: Noise
    ) -> Tensor:
        """See `Step`."""
        left, after = schedule.at(time), schedule.at(to)
        found = (x - sqrt(left) * said.clean) / sqrt(1 - left)
        deviation = self.fresh * sqrt((1 - after) / (1 - left) * (1 - left / after))
        x = sqrt(after) * said.clean + sqrt(max(1 - after - deviation**2, 0.0)) * found
        return x + deviation * noise(x) if deviation > 0 else x


@dataclass
class multistep(Step):  # noqa: N801
    """DPM-Solver++ of second order: as good as `ddim` in about half of its steps.

    References
    ----------
    .. [1] Lu et al., DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models, 2022,
       arXiv:2211.01095, algorithm 2.
    """

    _before: tuple[Tensor, float] | None = field(default=None, init=False, repr=False)

    def __call__(
        self, x: Tensor, said: Prediction, time: int, to: int, schedule: Schedule, noise: Noise
    ) -> Tensor:
        """See `Step`."""
        left, after = schedule.at(time), schedule.at(to)
        if to < 0:
            return said.clean
        here, there = _log_ratio(left), _log_ratio(after)
        clean = said.clean
        if self._before is not None:
            earlier, at = self._before
            share = (here - at) / (there - here)
            clean = clean + (clean - earlier) / (2 * share)
        self._before = (said.clean, here)
        return sqrt((1 - after) / (1 - left)) * x - sqrt(after) * math.expm1(here - there) * clean

    def forget(self) -> None:
        """See `Step`."""
        self._before = None


def sample(
    denoise: Denoiser,
    schedule: Schedule,
    x: Tensor,
    *,
    noise: Noise,
    condition: Conditioning | None = None,
    step: Step | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Walk from noise to pictures.

    Parameters
    ----------
    denoise : see `Denoiser`.
    schedule : as the denoiser's.
    x : (B, C, H, W), white noise; `Noise` makes it.
    noise : all randomness there is; one generator for each of the B rows.
    condition : what is known; None is nothing.
    step : `ancestral` unless given.
    on_step : called before every call of the network with the share of the calls made; may raise to cancel.

    Returns
    -------
    (B, C, H, W), about −1 … 1, equal to the known pixels outside the hole.

    Raises
    ------
    OptionError : a jump longer than the schedule.

    Notes
    -----
    Where the times rise, the noise of all those steps is added at once: a chain of Gaussian steps from ᾱₐ
    to ᾱᵦ is one Gaussian step with α = ᾱᵦ / ᾱₐ.
    """
    condition, step = condition or Conditioning(), step or ancestral()
    times = _turns(condition.times(len(schedule)))
    total, done = calls(times), 0
    x = condition.on_state(x, times[0], schedule, noise)
    for time, to in itertools.pairwise(times):
        if to > time:
            kept = schedule.at(to) / schedule.at(time)
            x = sqrt(kept) * x + sqrt(1 - kept) * noise(x)
            step.forget()
        else:
            report(on_step, done / total, "denoising")
            said = denoise(x, time)
            said = Prediction(condition.on_clean(said.clean), said.spread)
            x = step(x, said, time, to, schedule, noise)
            done += 1
        x = condition.on_state(x, to, schedule, noise)
    return x


def _turns(times: Sequence[int]) -> list[int]:
    """Return the times without those that are only passed on a way up."""
    inner = zip(times, times[1:], times[2:], strict=False)
    return [times[0], *(b for a, b, c in inner if not a < b < c), times[-1]]


def _log_ratio(left: float) -> float:
    """Return λ = log(√ᾱ / √(1 − ᾱ)), half of the logarithm of the signal-to-noise ratio."""
    return (math.log(left) - math.log1p(-left)) / 2


NamedStep = Callable[[], Step]
STEPS: dict[str, NamedStep] = {"ancestral": ancestral, "ddim": ddim, "multistep": multistep}
"""Steps by the names that options have."""
