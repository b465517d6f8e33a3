"""Contextual attention and the two-stage network around it (DeepFill v1, Yu et al., CVPR 2018).

In this file 1 is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

SMALLEST_NORM = 1e-4


def affinity(query: Tensor, key: Tensor, patch: int = 3) -> Tensor:
    """Compare every patch of one feature map with every patch of another.

    Parameters
    ----------
    query : (B, C, H, W)
    key : (B, C, h, w). Its patches are normalised to length 1; the queries are not, as in the published code.

    Returns
    -------
    (B, h·w, H·W), inner products.
    """
    keys = F.unfold(key, patch, padding=patch // 2)  # (B, C·p·p, h·w)
    keys = keys / torch.linalg.vector_norm(keys, dim=1, keepdim=True).clamp(min=SMALLEST_NORM)
    queries = F.unfold(query, patch, padding=patch // 2)  # (B, C·p·p, H·W)
    return torch.bmm(keys.transpose(1, 2), queries)


def propagate(scores: Tensor, key_size: tuple[int, int], query_size: tuple[int, int], width: int) -> Tensor:
    """Let neighbours agree: sum scores along equal shifts of query and key, by rows, then by columns.

    Parameters
    ----------
    scores : (B, h·w, H·W)
    width : odd number of neighbours that are summed; 3 in the paper.

    Notes
    -----
    As published, a shift that leaves a row goes on in the next one: positions are numbers in reading order.
    """
    (h, w), (big_h, big_w) = key_size, query_size
    by_rows = _diagonal_sum(scores, width)
    turned = by_rows.view(-1, h, w, big_h, big_w).permute(0, 2, 1, 4, 3)  # (B, w, h, W, H)
    by_columns = _diagonal_sum(turned.reshape(-1, w * h, big_w * big_h), width)
    back = by_columns.view(-1, w, h, big_w, big_h).permute(0, 2, 1, 4, 3)  # (B, h, w, H, W)
    return back.reshape(-1, h * w, big_h * big_w)


def _diagonal_sum(matrix: Tensor, width: int) -> Tensor:
    """Sum ``width`` neighbours along the diagonals of (B, N, M): a convolution with an identity kernel."""
    total = matrix.clone()
    for shift in range(1, width // 2 + 1):
        total[:, shift:, shift:] += matrix[:, :-shift, :-shift]
        total[:, :-shift, :-shift] += matrix[:, shift:, shift:]
    return total


def choose(scores: Tensor, known: Tensor, scale: float) -> Tensor:
    """Turn scores into shares of the known patches.

    Parameters
    ----------
    scores : (B, N, M)
    known : (B or 1, N, 1), 1 where a patch may be copied.

    Notes
    -----
    Patches that may not be copied enter the softmax with logit 0, not −∞, and are removed afterwards: the
    shares of a pixel need not sum to 1. Published checkpoints were trained with it.
    """
    return torch.softmax(scores * known * scale, dim=1) * known


def paste(shares: Tensor, values: Tensor, rate: int) -> Tensor:
    """Put the patches together that the shares choose; where patches overlap, their sum is divided by 4.

    Parameters
    ----------
    shares : (B, h·w, H·W)
    values : (B, C, rate·h, rate·w). Patches of 2·rate pixels are taken from it every ``rate`` pixels.

    Returns
    -------
    (B, C, rate·h, rate·w). The constant 4 is the number of overlaps away from the border; borders are
    darker, as published.
    """
    patches = F.unfold(values, 2 * rate, stride=rate, padding=rate // 2)  # (B, C·2r·2r, h·w)
    copied = torch.bmm(patches, shares)  # (B, C·2r·2r, H·W)
    return F.fold(copied, values.shape[-2:], 2 * rate, stride=rate, padding=rate // 2) / 4


def copyable(missing: Tensor, size: tuple[int, int], patch: int = 3) -> Tensor:
    """Return (B, h·w, 1): 1 where a patch of the reduced map holds no missing pixel.

    Parameters
    ----------
    missing : (B or 1, 1, H, W), 1 = missing. It is reduced to size by taking every n-th pixel.
    """
    small = F.interpolate(missing.float(), size=size, mode="nearest")
    touched = F.max_pool2d(small, patch, 1, patch // 2)
    return (touched == 0).float().flatten(2).transpose(1, 2)  # (B, h·w, 1)


def contextual_attention(
    foreground: Tensor,
    background: Tensor,
    missing: Tensor,
    *,
    rate: int = 2,
    patch: int = 3,
    scale: float = 10.0,
    fuse: int = 3,
) -> tuple[Tensor, Tensor]:
    """Rebuild features as weighted copies of background patches.

    Parameters
    ----------
    foreground, background : (B, C, H, W), H and W multiples of ``rate``. Often the same.
    missing : (B or 1, 1, H·n, W·n), 1 = missing; patches that touch it are not copied.
    rate : matching is done on every rate-th feature, copying at full resolution.
    scale : of the softmax.
    fuse : see `propagate`; 0 leaves it out.

    Returns
    -------
    (B, C, H, W) features, and (B, h, w, H/rate, W/rate) shares: how much each place (last two) took from each
    patch (h, w). ``shares.flatten(1, 2).argmax(1)`` is where attention looked.

    Notes
    -----
    Batched matrix products; the published code loops over the batch with one grouped convolution each. Scores
    and softmax are float32 whatever the features are. Each picture has its own mask; the published code
    uses the first one's for the whole batch.

    References
    ----------
    .. [1] Yu et al., Generative Image Inpainting with Contextual Attention, CVPR 2018, arXiv:1801.07892,
       section 4.1.
    """
    dtype = foreground.dtype
    exact = torch.promote_types(dtype, torch.float32)
    with torch.autocast(foreground.device.type, enabled=False):
        query, key = (side.to(exact)[..., ::rate, ::rate] for side in (foreground, background))
        sizes = (key.shape[-2], key.shape[-1]), (query.shape[-2], query.shape[-1])
        scores = affinity(query, key, patch)
        if fuse:
            scores = propagate(scores, *sizes, fuse)
        known = copyable(missing, sizes[0], patch).to(exact)
        shares = choose(scores, known, scale)
        out = paste(shares, background.to(exact), rate).to(dtype)
    return out, shares.view(-1, *sizes[0], *sizes[1])


class TwoStageOutput(NamedTuple):
    """What the two-stage networks return.

    Parameters
    ----------
    coarse, refined : (B, 3, H, W), −1 … 1, before the known pixels are put back.
    shares : of the attention; see `contextual_attention`.
    """

    coarse: Tensor
    refined: Tensor
    shares: Tensor


class _Conv(nn.Sequential):
    """Convolution and ELU, the size kept or halved."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        rate: int = 1,
        activation: nn.Module | None = None,
    ) -> None:
        pad = rate * (kernel - 1) // 2
        conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, rate)
        super().__init__(conv, activation or nn.ELU())


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), _Conv(inputs, outputs))


def _decoder(inputs: int, width: int) -> nn.Sequential:
    c = width
    return nn.Sequential(
        _Conv(inputs, 4 * c),
        _Conv(4 * c, 4 * c),
        _up(4 * c, 2 * c),
        _Conv(2 * c, 2 * c),
        _up(2 * c, c),
        _Conv(c, max(c // 2, 1)),
        nn.Conv2d(max(c // 2, 1), 3, 3, padding=1),
    )


def _dilated(channels: int) -> list[nn.Module]:
    return [_Conv(channels, channels, rate=rate) for rate in (2, 4, 8, 16)]


class _Coarse(nn.Module):
    """The first stage: a rough guess by dilated convolutions at a quarter of the size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        c = width
        self.encoder = nn.Sequential(
            _Conv(5, c, 5),
            _Conv(c, 2 * c, stride=2),
            _Conv(2 * c, 2 * c),
            _Conv(2 * c, 4 * c, stride=2),
            _Conv(4 * c, 4 * c),
            _Conv(4 * c, 4 * c),
            *_dilated(4 * c),
        )
        self.decoder = _decoder(4 * c, c)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x)).clamp(-1, 1)  # type: ignore[no-any-return]


class _Refinement(nn.Module):
    """The second stage: a dilated branch beside one with attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        c = width
        self.dilated = nn.Sequential(
            _Conv(5, c, 5),
            _Conv(c, c, stride=2),
            _Conv(c, 2 * c),
            _Conv(2 * c, 2 * c, stride=2),
            _Conv(2 * c, 4 * c),
            _Conv(4 * c, 4 * c),
            *_dilated(4 * c),
        )
        self.matching = nn.Sequential(
            _Conv(5, c, 5),
            _Conv(c, c, stride=2),
            _Conv(c, 2 * c),
            _Conv(2 * c, 4 * c, stride=2),
            _Conv(4 * c, 4 * c),
            _Conv(4 * c, 4 * c, activation=nn.ReLU()),
        )
        self.attended = nn.Sequential(_Conv(4 * c, 4 * c), _Conv(4 * c, 4 * c))
        self.decoder = _decoder(8 * c, c)

    def forward(self, x: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
        features = self.matching(x)
        copied, shares = contextual_attention(features, features, missing)
        both = torch.cat([self.dilated(x), self.attended(copied)], 1)  # (B, 8c, H/4, W/4)
        return self.decoder(both).clamp(-1, 1), shares


class DeepFillV1(nn.Module):
    """Coarse-to-fine network with contextual attention.

    Parameters
    ----------
    width : base channels; published 32.

    Notes
    -----
    The published TensorFlow code pads stride-2 convolutions on the right and below only; here padding is
    symmetric, so its checkpoints do not transfer, and none was published for PyTorch.

    References
    ----------
    .. [1] Yu et al., CVPR 2018, arXiv:1801.07892.
    """

    multiple = 8

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.config = {"width": width}
        self.coarse = _Coarse(width)
        self.refinement = _Refinement(width)

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read the width from the shapes of a state."""
        return {"width": state["coarse.encoder.0.0.weight"].shape[0]}

    def forward(self, image: Tensor, missing: Tensor) -> TwoStageOutput:
        """Predict twice.

        Parameters
        ----------
        image : (B, 3, H, W), −1 … 1, H and W multiples of 8. What lies under the mask is ignored.
        missing : (B, 1, H, W), 1 = missing.
        """
        missing = missing.to(image.dtype)
        flags = torch.cat([torch.ones_like(missing), missing], 1).expand(image.shape[0], -1, -1, -1)
        coarse = self.coarse(torch.cat([image * (1 - missing), flags], 1))  # (B, 5, H, W)
        guess = coarse * missing + image * (1 - missing)
        refined, shares = self.refinement(torch.cat([guess, flags], 1), missing)
        return TwoStageOutput(coarse, refined, shares)


class Critic(nn.Module):
    """Wasserstein critic on pictures of one size: stride-2 convolutions and a linear score.

    Parameters
    ----------
    size : side of the pictures.
    width : channels of the first layer; published 64.
    growth : channels of the layers, as multiples of the width. `LocalGlobalCritics` has the published ones.
    """

    def __init__(self, size: int, width: int = 64, growth: Sequence[int] = (1, 2, 4, 8)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        into = 3
        for factor in growth:
            layers += [nn.Conv2d(into, width * factor, 5, 2, 2), nn.LeakyReLU(0.2)]
            into, size = width * factor, (size + 1) // 2
        self.features = nn.Sequential(*layers)
        self.score = nn.Linear(into * size * size, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, 1) scores of (B, 3, size, size) pictures; no sigmoid."""
        return self.score(self.features(image).flatten(1))  # type: ignore[no-any-return]


class LocalGlobalCritics(nn.Module):
    """One critic for the whole picture, one for the box around the hole.

    Parameters
    ----------
    size : side of the pictures, published 256.
    local_size : side of the box, published 128.
    width : published 64.
    """

    def __init__(self, size: int = 256, local_size: int = 128, width: int = 64) -> None:
        super().__init__()
        self.whole = Critic(size, width, (1, 2, 4, 4))
        self.local = Critic(local_size, width, (1, 2, 4, 8))

    def forward(self, image: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, 1) scores of the pictures and of their boxes."""
        return self.whole(image), self.local(box)
