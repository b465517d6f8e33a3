"""How each generator is called, and the terms that compare its answer with the photo.

Every net has a range and a mask polarity of its own; here they become −1 … 1 and 1 = missing. They are those
of `lacuna.methods.cnn`, so that what is trained here fills there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from lacuna import losses
from lacuna.nets.features import DEVIATION, MEAN
from lacuna.train.recipe import Losses


@dataclass(frozen=True)
class Answer:
    """What a generator says, −1 … 1.

    Parameters
    ----------
    image : (B, 3, H, W).
    coarse : the answer of a first stage.
    pyramid : answers of half, a quarter, … of the size.
    """

    image: Tensor
    coarse: Tensor | None = None
    pyramid: tuple[Tensor, ...] = ()

    def as_float(self) -> Answer:
        """Return the same in float32, where losses are computed."""
        coarse = None if self.coarse is None else self.coarse.float()
        return Answer(self.image.float(), coarse, tuple(level.float() for level in self.pyramid))


def _plain(net: nn.Module, image: Tensor, missing: Tensor) -> Answer:
    return Answer(net(image, missing))


def _two_stages(net: nn.Module, image: Tensor, missing: Tensor) -> Answer:
    found = net(image, missing)
    return Answer(found.refined, found.coarse)


def _pyramid(net: nn.Module, image: Tensor, missing: Tensor) -> Answer:
    found = net(image, missing)
    return Answer(found.image, None, found.pyramid)


def _unit(net: nn.Module, image: Tensor, missing: Tensor) -> Answer:
    return Answer(2 * net((image + 1) / 2, missing) - 1)


def _partial(net: nn.Module, image: Tensor, missing: Tensor) -> Answer:
    """1 is valid, and ImageNet's mean and deviation are taken out."""
    mean, deviation = (image.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    out = net(((image + 1) / 2 - mean) / deviation, 1 - missing).image
    return Answer(2 * (out.float() * deviation + mean) - 1)


def _region(net: nn.Module, image: Tensor, missing: Tensor) -> Answer:
    """Put the prediction of a centre, half of each side, into the photo."""
    out = net(image, missing)
    if out.shape == image.shape:
        return Answer(out)
    side = image.shape[-1]
    part = slice(side // 4, side // 4 + out.shape[-1])
    whole = image.clone().to(out.dtype)
    whole[..., part, part] = out
    return Answer(whole)


CALLS: dict[str, Callable[[nn.Module, Tensor, Tensor], Answer]] = {
    "guide": _plain,
    "gated-conv": _two_stages,
    "contextual-attention": _two_stages,
    "pen-net": _pyramid,
    "lama": _unit,
    "partial-conv": _partial,
    "context-encoder": _region,
}
"""By the names of `lacuna.nets.loading.NETS`."""


def reconstruction(
    answer: Answer, pasted: Tensor, target: Tensor, missing: Tensor, weight: Losses
) -> dict[str, Tensor]:
    """Return the weighted terms that compare pixels."""
    where = losses.discount(missing, weight.discount) * missing if weight.discount else missing
    terms = {}
    for name, image, factor in (("", answer.image, 1.0), ("coarse_", answer.coarse, weight.coarse)):
        if image is None or not factor:
            continue
        if weight.hole:
            terms[f"{name}hole"] = factor * weight.hole * losses.l1(image, target, where)
        if weight.valid:
            terms[f"{name}valid"] = factor * weight.valid * losses.l1(image, target, 1 - missing)
    if weight.squared:
        terms["squared"] = weight.squared * losses.l2(answer.image, target, losses.overlap_weight(missing))
    if weight.pyramid and answer.pyramid:
        terms["pyramid"] = weight.pyramid * losses.pyramid_l1(answer.pyramid, target)
    if weight.variation:
        terms["variation"] = weight.variation * losses.total_variation(pasted, missing)
    return terms
