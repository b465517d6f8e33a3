"""Losses of the inpainting literature: functions of tensors, each with its paper's normalisation stated.

Pictures are ``(B, C, H, W)``; ``missing`` is ``(B or 1, 1, H, W)``, 1 = missing. Every loss is a scalar, a
mean unless it says otherwise. Feature losses take lists of feature maps, from any network
(`lacuna.nets.features` has two).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Adversary = Literal["vanilla", "non-saturating", "least-squares", "hinge", "wasserstein"]
Features = Callable[[Tensor], Sequence[Tensor]]

# --- reconstruction ----------------------------------------------------------------------------------------


def l1(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference; with a weight, divided by the number of values, not by the sum of weights.

    With ``weight=missing`` and ``weight=1 - missing`` these are L_hole and L_valid of Liu et al. 2018, eq. 2.
    """
    difference = (prediction - target).abs()
    return (difference if weight is None else difference * weight).mean()


def l2(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared difference; with a weight, divided by the number of values."""
    difference = (prediction - target) ** 2
    return (difference if weight is None else difference * weight).mean()


def overlap_weight(missing: Tensor, overlap: int = 7, factor: float = 10.0) -> Tensor:
    """Weigh the hole by 1 and the known band around it, which is predicted too, by more.

    For `l2`: the masked L2 of Pathak et al. 2016, eq. 1, with the overlap of section 5.1.

    Parameters
    ----------
    overlap : width of the band in pixels, by the larger of row and column distance.
    """
    band = F.max_pool2d(missing, 2 * overlap + 1, 1, overlap) - missing
    return missing + factor * band


def discount(missing: Tensor, gamma: float = 0.99) -> Tensor:
    """Weigh missing pixels by γ to the power of their distance to the nearest known one; known pixels by 1.

    For `l1`: the spatially discounted loss of Yu et al. 2018, section 3.2.

    Notes
    -----
    Distance is the larger of row and column distance, as in the published code for boxes; 1 at the rim.

    Examples
    --------
    >>> discount(torch.tensor([[[[0.0, 1, 1, 1, 0]]]]), 0.5).flatten().tolist()
    [1.0, 0.5, 0.25, 0.5, 1.0]
    """
    left = (missing > 0).to(missing.dtype)
    distance = left.clone()
    while bool(left.any()) and not bool(left.all()):
        # A pixel stays while all of its neighbours did; outside the picture nothing is known.
        smaller = -F.max_pool2d(-left, 3, 1, 1)
        if bool((smaller == left).all()):
            break
        left = smaller
        distance = distance + left
    return gamma**distance


def pyramid_l1(pyramid: Sequence[Tensor], target: Tensor) -> Tensor:
    """Sum over levels of the mean absolute difference to the target, averaged down to the level's size.

    References
    ----------
    .. [1] Zeng et al., CVPR 2019, arXiv:1904.07475, eq. 5.
    """
    if not pyramid:
        raise ValueError("the pyramid has no level")
    return torch.stack(
        [l1(level, F.adaptive_avg_pool2d(target, (level.shape[-2], level.shape[-1]))) for level in pyramid]
    ).sum()


# --- features ----------------------------------------------------------------------------------------------


def perceptual(ours: Sequence[Tensor], theirs: Sequence[Tensor], power: Literal[1, 2] = 1) -> Tensor:
    """Sum over layers of the mean difference of features, absolute or squared.

    1 is Liu et al. 2018, eq. 3, which divides each layer by its number of values; 2 is the high receptive
    field perceptual loss of Suvorov et al. 2022, eq. 1, for features of a dilated network.
    """
    pairs = list(zip(ours, theirs, strict=True))
    return torch.stack([((a - b).abs() ** power).mean() for a, b in pairs]).sum()


def gram(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return (B, C, C): how features occur together, divided by C and by the number of places.

    Parameters
    ----------
    features : (B, C, H, W)
    mask : (B or 1, 1, H', W'): only places that it marks count; None is all of them.

    Notes
    -----
    Divided before and after the product, so that half precision does not overflow.
    """
    b, c, h, w = features.shape
    flat = features.flatten(2)  # (B, C, H·W)
    if mask is None:
        return torch.bmm(flat / (h * w), flat.transpose(1, 2)) / c
    chosen = F.interpolate(mask.to(features.dtype), size=(h, w), mode="nearest").flatten(2).expand(b, -1, -1)
    places = chosen.sum(2, keepdim=True).clamp(min=1)  # (B, 1, 1)
    return torch.bmm(flat * chosen / places, flat.transpose(1, 2)) / c


def style(ours: Sequence[Tensor], theirs: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
    """Sum over layers of the mean absolute difference of Gram matrices: Liu et al. 2018, eq. 4 and 5.

    Parameters
    ----------
    mask : compare these places only; see `gram`.
    """
    pairs = list(zip(ours, theirs, strict=True))
    return torch.stack([(gram(a, mask) - gram(b, mask)).abs().mean() for a, b in pairs]).sum()


def feature_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean over a discriminator's layers of the mean squared difference, as in LaMa; real is not trained."""
    pairs = list(zip(fake, real, strict=True))
    return torch.stack([((a - b.detach()) ** 2).mean() for a, b in pairs]).mean()


def total_variation(image: Tensor, missing: Tensor) -> Tensor:
    """Sum of absolute steps between neighbours near the hole, divided by the number of the picture's values.

    Only steps between two pixels of the hole grown by one pixel count: Liu et al. 2018, eq. 6, where the
    picture is the composited one.
    """
    near = F.max_pool2d(missing.to(image.dtype), 3, 1, 1)
    across = (image[..., 1:] - image[..., :-1]).abs() * (near[..., 1:] * near[..., :-1])
    down = (image[..., 1:, :] - image[..., :-1, :]).abs() * (near[..., 1:, :] * near[..., :-1, :])
    return (across.sum() + down.sum()) / image.numel()


def partial_conv_terms(
    features: Features, prediction: Tensor, target: Tensor, missing: Tensor
) -> dict[str, Tensor]:
    """Return the weighted terms whose sum is the loss of partial convolutions.

    Perceptual and style compare both the prediction and the composited picture with the target.

    References
    ----------
    .. [1] Liu et al., ECCV 2018, arXiv:1804.07723, eq. 7.
    """
    composite = torch.where(missing > 0, prediction, target)
    raw, pasted, real = features(prediction), features(composite), features(target)
    return {
        "valid": l1(prediction, target, 1 - missing),
        "hole": 6 * l1(prediction, target, missing),
        "perceptual": 0.05 * (perceptual(raw, real) + perceptual(pasted, real)),
        "style": 120 * (style(raw, real) + style(pasted, real)),
        "variation": 0.1 * total_variation(composite, missing),
    }


# --- adversaries -------------------------------------------------------------------------------------------


def discriminator_loss(kind: Adversary, real: Tensor, fake: Tensor) -> Tensor:
    """Return what the discriminator minimises, given its raw outputs for real and for filled pictures.

    Both halves are means and are added. ``"least-squares"`` halves the sum (Mao et al. 2017, eq. 9);
    ``"hinge"`` does not (Yu et al. 2019, eq. 5). ``"non-saturating"`` differs from ``"vanilla"`` only for the
    generator.
    """
    if kind in ("vanilla", "non-saturating"):
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    if kind == "least-squares":
        return ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if kind == "wasserstein":
        return fake.mean() - real.mean()
    raise ValueError(f"unknown adversary {kind!r}")


def generator_loss(kind: Adversary, fake: Tensor) -> Tensor:
    """Return what the generator minimises, given the discriminator's raw outputs for filled pictures."""
    if kind == "vanilla":
        return -F.softplus(fake).mean()  # log(1 − D), which saturates
    if kind == "non-saturating":
        return F.softplus(-fake).mean()  # −log D
    if kind == "least-squares":
        return ((fake - 1) ** 2).mean() / 2
    if kind in ("hinge", "wasserstein"):
        return -fake.mean()
    raise ValueError(f"unknown adversary {kind!r}")


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    missing: Tensor | None = None,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean over pictures of (‖gradient‖ − 1)² at random mixtures of real and fake (WGAN-GP).

    Parameters
    ----------
    missing : count the gradient inside the hole only, as Yu et al. 2018, eq. 4, do.
    generator : of the mixing shares; on the device of ``real``.

    References
    ----------
    .. [1] Gulrajani et al., Improved Training of Wasserstein GANs, NeurIPS 2017, eq. 3; times λ = 10.
    """
    share = torch.rand(real.shape[0], 1, 1, 1, generator=generator, device=real.device, dtype=real.dtype)
    mixture = torch.lerp(fake.detach(), real.detach(), share).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(mixture).sum(), mixture, create_graph=True)
    if missing is not None:
        gradient = gradient * missing
    length: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return ((length - 1) ** 2).mean()


def r1_penalty(scores: Tensor, real: Tensor) -> Tensor:
    """Mean over pictures of the squared gradient of the discriminator at real ones, without the γ/2.

    Parameters
    ----------
    scores : the discriminator's outputs for ``real``, which requires gradients.

    References
    ----------
    .. [1] Mescheder, Geiger & Nowozin, Which Training Methods for GANs do actually Converge?, ICML 2018,
       eq. 9.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
    return (gradient**2).flatten(1).sum(1).mean()
