"""The task of latent inpainting: a Stable Diffusion UNet learns to see the mask and the masked picture.

The first convolution takes nine channels in place of four: the noisy latents, the mask, the latents of the
masked picture. The new ones start as zeros, so that training starts from the net as it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from lacuna.diffusion import Conditioning
from lacuna.errors import ConfigError
from lacuna.train import diffusers_folder
from lacuna.train.denoising import SECOND, Denoising, Net, check_settings
from lacuna.train.recipe import Diffusion, Recipe
from lacuna.train.tasks import Samples, composite

LATENT = 4
INPUTS = LATENT + 1 + LATENT
KIND = "diffusers"


class LatentInpainting(Denoising):
    """Fine-tune a UNet of a diffusers folder to fill holes.

    Parameters
    ----------
    recipe : ``diffusion.base`` is the folder, of Stable Diffusion 1 or 2; it tells the schedule and what the
        net predicts.

    Raises
    ------
    ConfigError : another kind of folder, or settings that the folder makes.
    WeightsNotFoundError : no such folder, or one that lacks a part.
    WeightsError : weights that are no safetensors, or do not fit.
    MissingDependencyError : diffusers or transformers is not installed.

    Notes
    -----
    Latents are the mean of what the encoder says, not a draw from it: its deviation is tiny, and a step stays
    a function of weights, seed and number.

    References
    ----------
    .. [1] Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models, CVPR 2022, section
       4.5.
    """

    def __init__(self, recipe: Recipe) -> None:
        _check(recipe)
        folder = Path(recipe.diffusion.base).expanduser()
        net, self.features = diffusers_folder.load(folder, recipe.diffusion.prompt)
        schedule, says = diffusers_folder.schedule_of(folder)
        widen(net)
        levels = len(net.config["block_out_channels"])
        net.multiple = self.features.factor * 2 ** (levels - 1)
        self._begin(recipe, net, schedule, says)

    @torch.no_grad()
    def inner(self, samples: Samples) -> Samples:
        """Return latents (B, 4, H/8, W/8), the mask of their size, and in ``kept`` the masked picture's."""
        masked = samples.target * (1 - samples.missing)
        both = self.features.encode(torch.cat([samples.target, masked])).float()
        latents, known = both.chunk(2)
        return Samples(latents, shrunk(samples.missing, self.features.factor), {"known": known})

    def outer(self, x: Tensor) -> Tensor:
        """Return the pictures of latents."""
        return self.features.decode(x).float().clamp(-1, 1)

    def weights(self, missing: Tensor) -> Tensor | float:
        """Return how much the error of each latent counts."""
        losses = self.recipe.losses
        return torch.where(missing > 0, losses.hole, losses.valid)

    def says_of(self, net: Net, x: Tensor, time: Tensor, samples: Samples) -> Tensor:
        """Return what the net says of noisy latents, told the same words of every picture."""
        seen = torch.cat([x, samples.missing, samples.kept["known"]], dim=1)
        words = self.features.words.expand(len(x), -1, -1)
        return net(seen, time, words).sample.float()  # type: ignore[call-arg, attr-defined, no-any-return]

    def completed(self, net: nn.Module, samples: Samples, seed: int) -> Tensor:
        """Return completions: the net sees what is known, and pixels are exchanged at the end."""
        return composite(self.sampled(net, samples, Conditioning(), seed, clamp=False), samples)

    def rows(self, net: nn.Module, samples: Samples) -> list[Tensor]:
        """Return photos, what is known of them, and two completions."""
        found = [self.completed(net, samples, seed) for seed in (0, SECOND)]
        return [samples.target, samples.target * (1 - samples.missing), *found]


def widen(net: Any) -> None:
    """Let a UNet of four channels see nine; one of nine is left as it is.

    Raises
    ------
    ConfigError : other channels.
    """
    old = net.conv_in
    if old.in_channels == INPUTS:
        return
    if old.in_channels != LATENT:
        raise ConfigError(
            f"the UNet of diffusion.base takes {old.in_channels} channels; expected {LATENT}, or {INPUTS} of "
            "one that fills holes already"
        )
    new = nn.Conv2d(INPUTS, old.out_channels, old.kernel_size, old.stride, old.padding)
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, :LATENT] = old.weight
        new.bias.copy_(old.bias)  # type: ignore[union-attr]
    net.conv_in = new
    net.register_to_config(in_channels=INPUTS)


def shrunk(missing: Tensor, factor: int) -> Tensor:
    """Return the mask at the latents' size: a cell is missing where any of its pixels is.

    Thin strokes would vanish from a mean.

    Parameters
    ----------
    missing : (B, 1, H, W), 1 = missing; sides are multiples of the factor.

    Returns
    -------
    (B, 1, H / factor, W / factor).
    """
    return F.max_pool2d(missing, factor)


def _check(recipe: Recipe) -> None:
    settings, untouched = recipe.diffusion, Diffusion()
    check_settings(recipe, KIND)
    if not settings.base:
        raise ConfigError(
            "diffusion.base is empty; name a folder of Stable Diffusion as diffusers writes it: "
            "--set diffusion.base=FOLDER"
        )
    for key in ("schedule", "steps", "says", "conditioned"):
        if getattr(settings, key) != getattr(untouched, key):
            raise ConfigError(f"diffusion.{key} is told by the folder of diffusion.base; leave it out")
    if recipe.net.options:
        raise ConfigError("net.options are told by the folder of diffusion.base; leave them out")
