"""Tasks: how a family of recipes calls its nets, and which losses apply.

The loop knows a task only by `Task`: its nets, whose turn it is, and what that turn minimises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lacuna import losses
from lacuna.errors import ConfigError, WeightsNotFoundError
from lacuna.nets.loading import NETS
from lacuna.train import critics, generators
from lacuna.train.recipe import Recipe


@dataclass
class Samples:
    """A batch on the device.

    Parameters
    ----------
    target : (B, 3, H, W), −1 … 1.
    missing : (B, 1, H, W), 1 = missing.
    kept : what one turn leaves for the next, so that the generator runs once for both.
    """

    target: Tensor
    missing: Tensor
    kept: dict[str, Any] = field(default_factory=dict)


class Task(Protocol):
    """What the loop trains.

    Attributes
    ----------
    nets : every net with weights that are trained; ``"net"`` is the generator, and the one that is averaged.
    """

    nets: dict[str, nn.Module]

    def turns(self, step: int) -> Sequence[str]:
        """Return the names of the nets that take a step, in order."""
        ...

    def at(self, samples: int) -> float:
        """Enter the phase that begins after so many samples; return its rate, or 0 for the recipe's."""
        ...

    def losses(self, turn: str, samples: Samples) -> dict[str, Tensor]:
        """Return weighted terms, each a mean over samples; their sum is minimised."""
        ...

    def fill(self, net: nn.Module, samples: Samples) -> Tensor:
        """Return the composite, (B, 3, H, W), −1 … 1."""
        ...

    def rows(self, net: nn.Module, samples: Samples) -> list[Tensor]:
        """Return the rows of a sheet, each (B, 3, H, W), −1 … 1."""
        ...

    def measure(self, net: nn.Module, samples: Samples) -> dict[str, float]:
        """Return what validation writes down, the same numbers for the same weights."""
        ...


class Inpainting:
    """Reconstruct, and convince a critic: every recipe that is no diffusion.

    Parameters
    ----------
    recipe : names net, critic and the weights of the terms.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.weight = recipe, recipe.losses
        net = made(NETS, recipe.net.kind, recipe.net.options, "net")
        self.nets: dict[str, nn.Module] = {"net": net}
        self.call = generators.CALLS[recipe.net.kind]
        if recipe.freeze_norm_at >= 0 and not hasattr(net, "freeze_encoder_norm"):
            raise ConfigError(f"freeze_norm_at is for partial-conv; {recipe.net.kind!r} has no such phase")
        if recipe.critic.kind:
            self.nets["critic"] = made(critics.CRITICS, recipe.critic.kind, recipe.critic.options, "critic")
        elif self.weight.adversarial or self.weight.matching:
            raise ConfigError("losses.adversarial and losses.matching need a critic; critic.kind is empty")
        self.features: nn.Module | None = None
        if self.weight.perceptual or self.weight.style:
            self.features = features_of(self.weight.features, self.weight.weights)

    def turns(self, step: int) -> Sequence[str]:
        """Return generator and critic; the generator rests while a critic takes its extra steps."""
        if "critic" not in self.nets:
            return ("net",)
        return ("net", "critic") if step % self.recipe.critic.steps == 0 else ("critic",)

    def at(self, samples: int) -> float:
        """Freeze the encoder's batch norm in the second phase of partial convolutions, at a lower rate."""
        start = self.recipe.freeze_norm_at
        second = 0 <= start <= samples
        if start >= 0:
            self.nets["net"].freeze_encoder_norm(second)  # type: ignore[operator]
        return self.recipe.freeze_lr if second else 0.0

    def losses(self, turn: str, samples: Samples) -> dict[str, Tensor]:
        """Return the generator's or the critic's terms."""
        if turn == "critic":
            return self._critic_terms(samples)
        return self._net_terms(samples)

    def fill(self, net: nn.Module, samples: Samples) -> Tensor:
        """Return the composite, clamped."""
        return composite(self.call(net, samples.target, samples.missing).image, samples).clamp(-1, 1)

    def rows(self, net: nn.Module, samples: Samples) -> list[Tensor]:
        """Return photos, what the net sees, and its answer."""
        return [samples.target, samples.target * (1 - samples.missing), self.fill(net, samples)]

    def measure(self, net: nn.Module, samples: Samples) -> dict[str, float]:
        """Return the error in the hole, and LPIPS where its weights are given."""
        return compared(self, net, samples, self.recipe.run.lpips)

    def _net_terms(self, samples: Samples) -> dict[str, Tensor]:
        answer = self.call(self.nets["net"], samples.target, samples.missing)
        answer = answer.as_float()
        pasted = composite(answer.image, samples)
        samples.kept["fake"] = pasted.detach()
        terms = generators.reconstruction(answer, pasted, samples.target, samples.missing, self.weight)
        if self.features is not None:
            terms |= self._feature_terms(self.features, answer.image, pasted, samples.target)
        if self.weight.adversarial or self.weight.matching:
            terms |= self._adversarial_terms(pasted, samples)
        return terms

    def _feature_terms(
        self, features: nn.Module, image: Tensor, pasted: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        weight = self.weight
        with torch.no_grad():
            real = [f.float() for f in features((target + 1) / 2)]
        shown = [pasted] if weight.style == 0 else [image, pasted]
        ours = [[f.float() for f in features((x.clamp(-1, 1) + 1) / 2)] for x in shown]
        terms = {}
        if weight.perceptual:
            found = [losses.perceptual(f, real, weight.perceptual_power) for f in ours]
            terms["perceptual"] = weight.perceptual * torch.stack(found).sum()
        if weight.style:
            terms["style"] = weight.style * torch.stack([losses.style(f, real) for f in ours]).sum()
        return terms

    def _adversarial_terms(self, pasted: Tensor, samples: Samples) -> dict[str, Tensor]:
        critic = self.nets["critic"].requires_grad_(False)
        try:
            scores, features = critics.judge(critic, pasted, samples.missing)
            terms = {
                "adversarial": self.weight.adversarial
                * losses.generator_loss(self.recipe.critic.loss, scores)
            }
            if self.weight.matching:
                with torch.no_grad():
                    _, real = critics.judge(critic, samples.target, samples.missing)
                terms["matching"] = self.weight.matching * losses.feature_matching(features, real)
        finally:
            critic.requires_grad_(True)
        return terms

    def _critic_terms(self, samples: Samples) -> dict[str, Tensor]:
        if "fake" not in samples.kept:
            with torch.no_grad():
                answer = self.call(self.nets["net"], samples.target, samples.missing).as_float()
                samples.kept["fake"] = composite(answer.image, samples)
        return critics.terms(
            self.nets["critic"], samples.target, samples.kept["fake"], samples.missing, self.recipe.critic
        )


def composite(image: Tensor, samples: Samples) -> Tensor:
    """Return the prediction in the hole, the photo elsewhere."""
    return torch.where(samples.missing > 0, image, samples.target)


def in_parts(samples: Samples, size: int = 16) -> Iterator[Samples]:
    """Yield a large batch in small ones."""
    for target, missing in zip(
        torch.split(samples.target, size), torch.split(samples.missing, size), strict=True
    ):
        yield Samples(target, missing)


def compared(task: Task, net: nn.Module, samples: Samples, lpips: str) -> dict[str, float]:
    """Return how far completions are from the photos.

    Parameters
    ----------
    lpips : file of the weights; empty leaves it out.

    Returns
    -------
    ``hole_l1``, the mean absolute difference over missing values in the range 0 … 1, and ``lpips``.
    """
    filled = torch.cat([task.fill(net, part) for part in in_parts(samples)])
    difference = (filled - samples.target).abs() * samples.missing
    found = {"hole_l1": float(difference.sum() / (2 * 3 * samples.missing.sum()))}
    if lpips:
        from lacuna.metrics.lpips_net import Net

        distances = Net(Path(lpips)).distances(filled.cpu(), samples.target.cpu())
        found["lpips"] = float(distances.mean())
    return found


def features_of(kind: str, weights: str) -> nn.Module:
    """Return a feature network with weights from a file.

    Raises
    ------
    WeightsNotFoundError : no file is named, or there is none.
    WeightsError : of another network.
    """
    from lacuna import torch_io
    from lacuna.nets import features

    if not weights:
        raise WeightsNotFoundError(
            f"losses.perceptual and losses.style need weights of {kind!r} features, and losses.weights names "
            "no file; none are bundled or downloaded: --set losses.weights=FILE.safetensors"
        )
    nets = {
        "vgg": features.VGG16Features,
        "squeeze": features.SqueezeFeatures,
        "lpips": features.LpipsFeatures,
    }
    net = nets[kind]()
    net.load(torch_io.read(weights).state)
    return net


def made(
    table: dict[str, Callable[..., nn.Module]], kind: str, options: dict[str, Any], what: str
) -> nn.Module:
    """Return a net of a table.

    Raises
    ------
    ConfigError : not in the table, or options that do not fit; the key of the recipe is named.
    """
    if kind not in table:
        raise ConfigError(f"{what}.kind is {kind!r}; expected one of {', '.join(table)}")
    try:
        return table[kind](**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}.options do not fit {kind!r}: {error}") from error


def _diffusion(recipe: Recipe) -> Task:
    from lacuna.train.denoising import Denoising  # builds on this module

    return Denoising(recipe)


def _latent_inpainting(recipe: Recipe) -> Task:
    from lacuna.train.latent import LatentInpainting

    return LatentInpainting(recipe)


TASKS: dict[str, Callable[[Recipe], Task]] = {
    "inpainting": Inpainting,
    "diffusion": _diffusion,
    "latent-inpainting": _latent_inpainting,
}
"""The families of recipes."""


def task_of(recipe: Recipe) -> Task:
    """Return the task that a recipe names, with fresh weights of its seed."""
    if recipe.task not in TASKS:
        raise ConfigError(f"task is {recipe.task!r}; expected one of {', '.join(TASKS)}")
    torch.manual_seed(recipe.seed)
    return TASKS[recipe.task](recipe)
