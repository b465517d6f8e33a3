"""How each generator is called, and the terms that compare its answer with the photo.

Every net has a range and a mask polarity of its own; here they become −1 … 1 and 1 = missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lacuna import losses
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


CALLS: dict[str, Callable[[nn.Module, Tensor, Tensor], Answer]] = {
    "guide": _plain,
    "gated-conv": _two_stages,
    "contextual-attention": _two_stages,
    "pen-net": _pyramid,
}


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
