"""What a network says, whatever it was trained to say: one signature for all denoisers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import torch
from torch import Tensor

from lacuna.diffusion.schedules import Schedule
from lacuna.errors import OptionError

Says = Literal["noise", "velocity", "clean"]


@dataclass(frozen=True)
class Prediction:
    """What the picture is taken for at one time.

    Parameters
    ----------
    clean : (B, C, H, W), about −1 … 1: the expected picture.
    spread : (B, C, H, W), or None. Where the variance of the next step lies between its least (0) and its
        most (1) on a logarithmic scale, for networks that learned it.
    """

    clean: Tensor
    spread: Tensor | None = None


Denoiser = Callable[[Tensor, int], Prediction]
"""``(x, time) → Prediction``, x (B, C, H, W) as noisy as the schedule says for that time."""


def denoiser(
    network: Callable[[Tensor, Tensor], Tensor],
    schedule: Schedule,
    *,
    says: Says = "noise",
    clamp: bool = True,
) -> Denoiser:
    """Return a network as a denoiser on a schedule.

    Parameters
    ----------
    network : ``(x, step) → (B, C, H, W)``, or (B, 2C, H, W): then the second half tells the variance as in
        guided-diffusion, −1 for the least and 1 for the most. ``step`` is (B,), int64, the schedule's number.
    says : what it predicts: the noise ε, the velocity √ᾱ ε − √(1 − ᾱ) x₀, or the clean picture.
    clamp : cut the clean picture to −1 … 1, as the papers do for pixels; not for latents.

    Raises
    ------
    OptionError : no such prediction, or a network with another number of channels.

    References
    ----------
    .. [1] Ho et al. 2020, equation 9.
    .. [2] Salimans & Ho, Progressive Distillation for Fast Sampling of Diffusion Models, ICLR 2022, appendix
       D: velocity.
    .. [3] Nichol & Dhariwal 2021, equation 15: variance.
    """
    if says not in ("noise", "velocity", "clean"):
        raise OptionError(f"says is {says!r}; expected 'noise', 'velocity' or 'clean'")

    def denoise(x: Tensor, time: int) -> Prediction:
        step = torch.full((len(x),), int(schedule.steps[time]), dtype=torch.int64, device=x.device)
        out = network(x, step)
        spread = None
        if out.shape[1] == 2 * x.shape[1]:
            out, spread = out.chunk(2, dim=1)
            spread = (spread + 1) / 2
        elif out.shape[1] != x.shape[1]:
            raise OptionError(
                f"the network gives {out.shape[1]} channels for {x.shape[1]}; expected as many or twice"
            )
        signal, noise = sqrt(schedule.at(time)), sqrt(1 - schedule.at(time))
        if says == "noise":
            clean = (x - noise * out) / signal
        elif says == "velocity":
            clean = signal * x - noise * out
        else:
            clean = out
        return Prediction(clean.clamp(-1, 1) if clamp else clean, spread)

    return denoise
