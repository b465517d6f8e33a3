"""The task of diffusion on pixels: what the loss is, and how the net is shown and measured.

The net sees a noisy picture and says what `lacuna.diffusion.denoiser` understands, so that what is trained
here samples there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lacuna.diffusion import Conditioning, Noise, Replacement, Schedule, ddim, denoiser, sample, schedules
from lacuna.diffusion.denoisers import Says
from lacuna.errors import ConfigError
from lacuna.nets.loading import NETS
from lacuna.train.recipe import Recipe
from lacuna.train.tasks import Samples, compared, in_parts, made

KIND = "guided-diffusion"
COLOURS = 3
SHOWN = COLOURS + 1
"""Channels that a conditioned net sees beside the noisy picture: the masked one, and the mask."""

SECOND = 10**6
"""Seed of the second completions: seeds of rows follow one another."""

LEVELS = 4
"""Levels of noise at which validation asks about each photo."""

SCHEDULES: dict[str, Callable[[int], Schedule]] = {"linear": schedules.linear, "cosine": schedules.cosine}

Net = Callable[[Tensor, Tensor], Tensor]


class Denoising:
    """Tell the noise from the picture: unconditional, or shown the picture around the hole.

    Parameters
    ----------
    recipe : names net and schedule.

    Raises
    ------
    ConfigError : a net of another kind or with other channels, a critic, or numbers out of range.

    References
    ----------
    .. [1] Ho, Jain & Abbeel, Denoising Diffusion Probabilistic Models, NeurIPS 2020, equation 14.
    .. [2] Saharia et al., Palette: Image-to-Image Diffusion Models, SIGGRAPH 2022: conditioned by
       concatenation.
    """

    def __init__(self, recipe: Recipe) -> None:
        settings = recipe.diffusion
        check_settings(recipe, KIND)
        inputs = COLOURS + SHOWN * settings.conditioned
        options = {"inputs": inputs, "outputs": COLOURS, **recipe.net.options}
        net = made(NETS, recipe.net.kind, options, "net")
        _check_net(net, inputs)
        net.facts = {"lacuna.diffusion": json.dumps(facts(recipe))}  # type: ignore[assignment]
        self._begin(recipe, net, SCHEDULES[settings.schedule](settings.steps), settings.says)

    def _begin(self, recipe: Recipe, net: nn.Module, schedule: Schedule, says: Says) -> None:
        self.recipe, self.settings = recipe, recipe.diffusion
        self.schedule, self.says = schedule, says
        self._left = torch.from_numpy(schedule.left).float()
        self.nets: dict[str, nn.Module] = {"net": net.to(memory_format=torch.channels_last)}  # type: ignore[call-overload]
        self._net: Net = net
        if recipe.run.compile:
            self._net = torch.compile(net)
            torch.backends.cudnn.benchmark = True  # every step has the same shapes

    def turns(self, step: int) -> Sequence[str]:
        """Return the only net."""
        return ("net",)

    def at(self, samples: int) -> float:
        """Return 0: there is one phase."""
        return 0.0

    def losses(self, turn: str, samples: Samples) -> dict[str, Tensor]:
        """Return the error at times that are spread evenly over the batch, and drawn as one.

        References
        ----------
        .. [1] Kingma et al., Variational Diffusion Models, NeurIPS 2021, appendix I.1: times.
        """
        samples = self.inner(samples)
        share, noise = drawn(samples.target)
        time = (share * len(self.schedule)).long().clamp(max=len(self.schedule) - 1)
        return {"denoising": self.error(self._net, samples, time, noise).mean()}

    def inner(self, samples: Samples) -> Samples:
        """Return the batch as the net knows it: as it is."""
        return samples

    def outer(self, x: Tensor) -> Tensor:
        """Return what the net knows as pictures, −1 … 1."""
        return x.clamp(-1, 1)

    def weights(self, missing: Tensor) -> Tensor | float:
        """Return how much the error of each place counts."""
        if not self.settings.conditioned:
            return 1.0
        losses = self.recipe.losses
        return torch.where(missing > 0, losses.hole, losses.valid)

    def error(self, net: Net, samples: Samples, time: Tensor, noise: Tensor) -> Tensor:
        """Return (B,), the weighted squared error of what the net says at times (B,) of the inner batch."""
        left = self._left.to(time.device)[time][:, None, None, None]
        signal, spread = left.sqrt(), (1 - left).sqrt()
        target = samples.target
        said = self.says_of(net, signal * target + spread * noise, time, samples)
        wanted = {"noise": noise, "velocity": signal * noise - spread * target, "clean": target}
        squared = self.weights(samples.missing) * (said - wanted[self.says]) ** 2
        return squared.flatten(1).mean(1) * importance(left.flatten(), self.says, self.settings.snr)

    def says_of(self, net: Net, x: Tensor, time: Tensor, samples: Samples) -> Tensor:
        """Return what the net says of the noisy batch, (B, 3, H, W)."""
        if self.settings.conditioned:
            x = torch.cat([x, samples.target * (1 - samples.missing), samples.missing], dim=1)
        return net(x, time).float()

    def fill(self, net: nn.Module, samples: Samples) -> Tensor:
        """Return completions by known-pixel replacement, of the same noise each time."""
        return self.completed(net, samples, 0)

    def completed(self, net: nn.Module, samples: Samples, seed: int) -> Tensor:
        """Return completions, (B, 3, H, W), −1 … 1."""
        return self.sampled(net, samples, Replacement(samples.target, samples.missing), seed)

    def rows(self, net: nn.Module, samples: Samples) -> list[Tensor]:
        """Return photos, what is known of them, two completions, and without a condition free samples."""
        found = [self.completed(net, samples, seed) for seed in (0, SECOND)]
        if not self.settings.conditioned:
            found.append(self.sampled(net, samples, Conditioning(), 0))
        return [samples.target, samples.target * (1 - samples.missing), *found]

    def measure(self, net: nn.Module, samples: Samples) -> dict[str, float]:
        """Return the error at fixed times and noise, and what completions miss where LPIPS is asked for."""
        found: list[Tensor] = []
        for part in map(self.inner, in_parts(samples)):
            device, count = part.target.device, len(part.target)
            noise = Noise.seeded(len(found) * 1000, count)(part.target.cpu()).to(device)
            place = torch.arange(count, device=device) / count
            for level in range(LEVELS):
                time = ((level + place) / LEVELS * len(self.schedule)).long()
                found.append(self.error(net, part, time, noise))
        values = {"denoising": float(torch.cat(found).mean())}
        if self.recipe.run.lpips:
            values |= compared(self, net, samples, self.recipe.run.lpips)
        return values

    def sampled(
        self, net: nn.Module, samples: Samples, condition: Conditioning, seed: int, *, clamp: bool = True
    ) -> Tensor:
        """Walk from noise to pictures in the few steps of ``preview``."""
        schedule = self.schedule.respaced(min(self.settings.preview, len(self.schedule)))
        inner = self.inner(samples)

        def says(x: Tensor, step: Tensor) -> Tensor:
            return self.says_of(net, x, step, inner)

        noise = Noise.seeded(seed, len(inner.target))
        denoise = denoiser(says, schedule, says=self.says, clamp=clamp)
        start = noise(inner.target)
        return self.outer(sample(denoise, schedule, start, noise=noise, condition=condition, step=ddim()))


def facts(recipe: Recipe) -> dict[str, object]:
    """Return what a sampler must know of the weights."""
    settings = recipe.diffusion
    return {
        "schedule": settings.schedule,
        "steps": settings.steps,
        "says": settings.says,
        "size": recipe.data.sizes[-1][1],
        "conditioned": settings.conditioned,
    }


def drawn(like: Tensor) -> tuple[Tensor, Tensor]:
    """Return each sample's place in time, (B,) of [0, 1), and its noise, like the batch (B, …).

    Every process draws for all of them and takes its own, so that two with half of the batch draw what one
    does.
    """
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    count = torch.distributed.get_world_size() if together else 1
    mine = torch.distributed.get_rank() if together else 0
    size = len(like)
    whole = size * count
    first = torch.rand((), device=like.device)
    place = (first + torch.arange(whole, device=like.device) / whole) % 1
    noise = torch.randn(whole, *like.shape[1:], device=like.device, dtype=like.dtype)
    part = slice(mine * size, (mine + 1) * size)
    return place[part], noise[part]


def importance(left: Tensor, says: Says, most: float) -> Tensor:
    """Return the weights of times at which a share ``left`` (B,) of the picture is left.

    Parameters
    ----------
    most : γ, largest ratio of signal to noise that counts; 0 weighs all alike.

    References
    ----------
    .. [1] Hang et al., Efficient Diffusion Training via Min-SNR Weighting Strategy, ICCV 2023,
       arXiv:2303.09556, section 3.4.
    """
    if not most:
        return torch.ones_like(left)
    ratio = left / (1 - left)
    capped = ratio.clamp(max=most)
    per = {"noise": ratio, "velocity": ratio + 1, "clean": torch.ones_like(ratio)}
    return capped / per[says]


def check_settings(recipe: Recipe, kind: str) -> None:
    """Refuse what no diffusion can have.

    Parameters
    ----------
    kind : of the net.

    Raises
    ------
    ConfigError
    """
    settings = recipe.diffusion
    rules = (
        ("net.kind", recipe.net.kind, recipe.net.kind == kind, f"{kind!r} for this task"),
        ("critic.kind", recipe.critic.kind, not recipe.critic.kind, "none; diffusion has no critic"),
        ("diffusion.steps", settings.steps, settings.steps >= 1, "1 or more"),
        ("diffusion.snr", settings.snr, settings.snr >= 0, "0 or more"),
        ("diffusion.preview", settings.preview, settings.preview >= 1, "1 or more"),
    )
    for key, value, right, expected in rules:
        if not right:
            raise ConfigError(f"{key} is {value!r}; expected {expected}")


def _check_net(net: nn.Module, inputs: int) -> None:
    config: dict[str, int] = net.config  # type: ignore[assignment]
    expected = {"inputs": inputs, "outputs": COLOURS, "classes": 0}
    for key, value in expected.items():
        if config[key] != value:
            raise ConfigError(f"net.options.{key} is {config[key]}; this task trains nets with {value}")
