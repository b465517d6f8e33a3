"""The discriminators by name, how each is asked, and what they minimise."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lacuna import losses
from lacuna.nets import lama, pen_net
from lacuna.nets.context_encoder import RegionDiscriminator
from lacuna.nets.contextual_attention import LocalGlobalCritics
from lacuna.nets.gated_conv import SNPatchDiscriminator
from lacuna.nets.guide import GuideDiscriminator
from lacuna.train.recipe import Critic

CRITICS: dict[str, Callable[..., nn.Module]] = {
    "guide": GuideDiscriminator,
    "sn-patch": SNPatchDiscriminator,
    "patch": pen_net.PatchDiscriminator,
    "lama-patch": lama.PatchDiscriminator,
    "region": RegionDiscriminator,
    "local-global": LocalGlobalCritics,
}
"""One per paper."""

Judged = tuple[Tensor, list[Tensor]]


def judge(critic: nn.Module, image: Tensor, missing: Tensor) -> Judged:
    """Return float32 scores, and the critic's features where it tells them.

    Parameters
    ----------
    image : (B, 3, H, W), −1 … 1.
    missing : (B, 1, H, W), 1 = missing.
    """
    if isinstance(critic, (GuideDiscriminator, SNPatchDiscriminator)):
        found = critic(image, missing)
    elif isinstance(critic, RegionDiscriminator):
        found = critic(_region(critic, image))
    elif isinstance(critic, LocalGlobalCritics):
        found = torch.cat(critic(image, boxes(image, missing, _local_side(critic, image))), 1)  # (B, 2)
    else:
        found = critic(image)
    scores, features = found if isinstance(found, tuple) else (found, [])
    return scores.float(), [f.float() for f in features]


def terms(
    critic: nn.Module, real: Tensor, fake: Tensor, missing: Tensor, recipe: Critic
) -> dict[str, Tensor]:
    """Return the weighted terms of the critic's turn.

    Two calls, one for photos and one for fills: a critic with batch norm must not see them mixed.
    """
    if recipe.penalty == "r1":
        real = real.detach().requires_grad_()
    real_scores, _ = judge(critic, real, missing)
    fake_scores, _ = judge(critic, fake, missing)
    out = {"critic_loss": losses.discriminator_loss(recipe.loss, real_scores, fake_scores)}
    if recipe.penalty == "r1":
        out["penalty"] = recipe.penalty_weight / 2 * losses.r1_penalty(real_scores, real)
    elif recipe.penalty == "wgan-gp":
        out["penalty"] = recipe.penalty_weight * _gradient_penalty(critic, real, fake, missing)
    return out


def _gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, missing: Tensor) -> Tensor:
    if not isinstance(critic, LocalGlobalCritics):
        return losses.gradient_penalty(lambda x: judge(critic, x, missing)[0], real, fake, missing)
    side = _local_side(critic, real)
    local = [boxes(x, missing, side) for x in (real, fake, missing)]
    whole = losses.gradient_penalty(critic.whole, real, fake, missing)
    return whole + losses.gradient_penalty(critic.local, *local)


def _local_side(critic: LocalGlobalCritics, image: Tensor) -> int:
    """Return the side that the local critic was made for: four stride-2 layers end in its linear one."""
    last = critic.local.features[-2]
    channels = last.out_channels if isinstance(last, nn.Conv2d) else 1
    cells = math.isqrt(critic.local.score.in_features // channels)
    return min(16 * cells, image.shape[-1])


def boxes(image: Tensor, missing: Tensor, side: int) -> Tensor:
    """Cut the square around the middle of each hole's bounding box, as far as the picture reaches.

    Returns
    -------
    (B, C, side, side)
    """
    out = []
    for picture, mask in zip(image, missing.expand(len(image), -1, -1, -1), strict=True):
        starts = []
        for axis in (1, 2):
            length = mask.shape[axis]
            where = mask[0].amax(2 - axis).nonzero().flatten()
            middle = int(where[0] + where[-1] + 1) // 2 if len(where) else length // 2
            starts.append(min(max(middle - side // 2, 0), length - side))
        top, left = starts
        out.append(picture[:, top : top + side, left : left + side])
    return torch.stack(out)


def _region(critic: RegionDiscriminator, image: Tensor) -> Tensor:
    """Cut what the context encoder predicts: the inner half for the critic of centres, else all."""
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in critic.layers)
    if convolutions > 5:  # the one for 128×128 has a layer more
        return image
    side = image.shape[-1]
    part = slice(side // 4, side // 4 + side // 2)
    return image[..., part, part]
