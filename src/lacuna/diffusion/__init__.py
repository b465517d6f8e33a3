"""Diffusion as functions on tensors: schedules, denoisers, one loop, and conditioning on known pixels.

torch is imported when this package is; nothing else of Lacuna imports it before a method needs it.
"""

from __future__ import annotations

from lacuna.diffusion.conditioning import Conditioning, NullSpace, RePaint, Replacement, jump_times
from lacuna.diffusion.denoisers import Denoiser, Prediction, denoiser
from lacuna.diffusion.sampling import Noise, ancestral, ddim, multistep, sample
from lacuna.diffusion.schedules import Schedule, cosine, linear

__all__ = [
    "Conditioning",
    "Denoiser",
    "Noise",
    "NullSpace",
    "Prediction",
    "RePaint",
    "Replacement",
    "Schedule",
    "ancestral",
    "cosine",
    "ddim",
    "denoiser",
    "jump_times",
    "linear",
    "multistep",
    "sample",
]
