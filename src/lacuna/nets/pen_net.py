"""PEN-Net: a pyramid whose deep levels tell the shallow ones what to copy (Zeng et al., CVPR 2019).

In this file 1 is missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm

from lacuna.nets.contextual_attention import affinity, choose, copyable, paste

RATES = (1, 2, 4, 8)


def transfer(deep: Tensor, shallow: Tensor, missing: Tensor, scale: float = 10.0) -> Tensor:
    """Fill a shallow feature map by the attention that its deep neighbour learns.

    Parameters
    ----------
    deep : (B, D, H/2, W/2). Where it matches (3×3 cosine similarity) ...
    shallow : (B, C, H, W). ... patches of this one are copied.
    missing : (B, 1, n·H, n·W), 1 = missing.

    Returns
    -------
    (B, C, H, W)

    References
    ----------
    .. [1] Zeng et al., Learning Pyramid-Context Encoder Network for High-Quality Image Inpainting, CVPR 2019,
       arXiv:1904.07475, eq. 1 to 3.
    """
    dtype = shallow.dtype
    exact = torch.promote_types(dtype, torch.float32)
    with torch.autocast(deep.device.type, enabled=False):
        key = deep.to(exact)
        size = (key.shape[-2], key.shape[-1])
        known = copyable(missing, size).to(exact)
        shares = choose(affinity(F.normalize(key, dim=1), key), known, scale)
        return paste(shares, shallow.to(exact), 2).to(dtype)


class AttentionTransfer(nn.Module):
    """`transfer`, refined by dilated convolutions of four rates."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // len(RATES)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, quarter, 3, padding=rate, dilation=rate), nn.ReLU())
            for rate in RATES
        )

    def forward(self, shallow: Tensor, deep: Tensor, missing: Tensor) -> Tensor:
        """Return the shallow map, filled."""
        filled = transfer(deep, shallow, missing)
        return torch.cat([branch(filled) for branch in self.branches], 1)


class PyramidOutput(NamedTuple):
    """What `PENNet` returns.

    Parameters
    ----------
    image : (B, 3, H, W), −1 … 1, before the known pixels are put back.
    pyramid : the prediction of every level, (B, 3, H/2, W/2) to (B, 3, H/32, W/32).
    """

    image: Tensor
    pyramid: tuple[Tensor, ...]


class PENNet(nn.Module):
    """Pyramid-context encoder with attention transfer and a multi-scale decoder.

    Parameters
    ----------
    width : channels of the first level, a multiple of 4; published 32, for 256×256.

    References
    ----------
    .. [1] Zeng et al., CVPR 2019, arXiv:1904.07475.
    """

    multiple = 64

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        if width < 4 or width % 4:
            raise ValueError(f"width is {width}; expected a multiple of 4")
        self.config = {"width": width}
        self.channels = [width * factor for factor in (1, 2, 4, 8, 16, 16)]
        sizes = [4, *self.channels]
        pairs = itertools.pairwise(sizes)
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairs)
        self.attention = nn.ModuleList(AttentionTransfer(c) for c in self.channels[:5])
        # The level below joins features and their filled copies, except at the bottom.
        below = [2 * c for c in self.channels[1:5]] + [self.channels[5]]
        self.up = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(below, self.channels[:5], strict=True)
        )
        self.to_rgb = nn.ModuleList(nn.Conv2d(2 * c, 3, 1) for c in self.channels[:5])
        self.head = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width, 3, 3, padding=1)
        )

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read the width from the shapes of a state."""
        return {"width": state["encoder.0.weight"].shape[0]}

    def forward(self, image: Tensor, missing: Tensor) -> PyramidOutput:
        """Predict at every level.

        Parameters
        ----------
        image : (B, 3, H, W), −1 … 1, H and W multiples of 64. What lies under the mask is ignored.
        missing : (B, 1, H, W), 1 = missing.
        """
        missing = missing.to(image.dtype).expand(image.shape[0], -1, -1, -1)
        x = torch.cat([image * (1 - missing), missing], 1)  # (B, 4, H, W)
        levels = []
        for conv in self.encoder:
            x = F.leaky_relu(conv(x), 0.2)
            levels.append(x)
        deep = levels[5]
        filled = [deep] * 5
        for i in range(4, -1, -1):
            deep = filled[i] = self.attention[i](levels[i], deep, missing)
        y, pyramid = levels[5], []
        for i in range(4, -1, -1):
            y = F.leaky_relu(self.up[i](F.interpolate(y, scale_factor=2, mode="nearest")), 0.2)
            y = torch.cat([y, filled[i]], 1)  # (B, 2c, H/2^(i+1), W/2^(i+1))
            pyramid.append(torch.tanh(self.to_rgb[i](y)))
        full = torch.tanh(self.head(F.interpolate(y, scale_factor=2, mode="nearest")))
        return PyramidOutput(full, tuple(reversed(pyramid)))


class PatchDiscriminator(nn.Module):
    """Spectrally normalised PatchGAN.

    Parameters
    ----------
    width : published 64.
    """

    def __init__(self, width: int = 64, inputs: int = 3) -> None:
        super().__init__()
        w = width
        sizes = [inputs, w, 2 * w, 4 * w, 8 * w]
        layers: list[nn.Module] = []
        for a, b, stride in zip(sizes, sizes[1:], (2, 2, 2, 1), strict=False):
            layers += [spectral_norm(nn.Conv2d(a, b, 5, stride, 1, bias=False)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * w, 1, 5, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, 1, h, w) logits."""
        return self.layers(image)  # type: ignore[no-any-return]
