"""The discriminators by name, and what they minimise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lacuna import losses
from lacuna.nets.gated_conv import SNPatchDiscriminator
from lacuna.nets.guide import GuideDiscriminator
from lacuna.train.recipe import Critic

CRITICS: dict[str, Callable[..., nn.Module]] = {
    "guide": GuideDiscriminator,
    "sn-patch": SNPatchDiscriminator,
}


def judge(critic: nn.Module, image: Tensor, missing: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return float32 scores, and the critic's features where it has some."""
    found = critic(image, missing)
    scores, features = found if isinstance(found, tuple) else (found, [])
    return scores.float(), [f.float() for f in features]


def terms(
    critic: nn.Module, real: Tensor, fake: Tensor, missing: Tensor, recipe: Critic
) -> dict[str, Tensor]:
    """Return the weighted terms of the critic's turn."""
    # One pass over both: half of the calls, and the same statistics.
    both, _ = judge(critic, torch.cat([real, fake]), torch.cat([missing, missing]))
    real_scores, fake_scores = both.chunk(2)
    return {"critic": losses.discriminator_loss(recipe.loss, real_scores, fake_scores)}
