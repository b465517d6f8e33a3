"""A small net for the structure and colour of a hole, meant for pictures of 64 to 128 pixels. 1 = missing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm

from lacuna.nets.gated_conv import GatedConv2d
from lacuna.nets.guided_diffusion import Attention

RATES = (1, 2, 4, 8)
HEAD = 32
"""Channels of a head of attention."""


def _gated(inputs: int, outputs: int, stride: int = 1, rate: int = 1) -> GatedConv2d:
    return GatedConv2d(inputs, outputs, 3, stride, rate, nn.LeakyReLU(0.2))


class GuideNet(nn.Module):
    """Gated encoder and decoder with skips at every scale and dilated residual blocks at an eighth.

    Parameters
    ----------
    width : channels at half of the size, an even number.
    blocks : residual blocks; their dilations are 1, 2, 4, 8 and again.
    attention : let the places at an eighth look at one another, after the middle block and the last one;
        then ``width`` is a multiple of 8.

    Notes
    -----
    The encoder's features are added to the decoder's, not joined to them: at full size that is a third of
    the work. There is no tanh, whose flat ends fade strong colours; who shows a picture clamps it.

    References
    ----------
    .. [1] Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019, arXiv:1806.03589: the
       layer.
    """

    multiple = 8

    def __init__(self, width: int = 48, blocks: int = 4, attention: bool = False) -> None:
        super().__init__()
        if width < 2 or width % 2 or blocks < 1:
            raise ValueError(f"width is {width} and blocks {blocks}; expected an even number and 1 or more")
        if attention and width % 8:
            raise ValueError(f"width is {width}; with attention expected a multiple of 8")
        self.config = {"width": width, "blocks": blocks, "attention": attention}
        sizes = [width // 2, width, 2 * width, 4 * width]
        self.stem = _gated(4, sizes[0])
        self.down = nn.ModuleList(_gated(a, b, stride=2) for a, b in itertools.pairwise(sizes))
        self.level = nn.ModuleList(_gated(c, c) for c in sizes[1:3])
        self.middle = nn.ModuleList(_gated(sizes[3], sizes[3], rate=RATES[i % 4]) for i in range(blocks))
        places = {blocks // 2, blocks - 1} if attention else set()
        self.attention = nn.ModuleDict({str(i): Attention(sizes[3], HEAD) for i in sorted(places)})
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(sizes))
        self.join = nn.ModuleList(_gated(c, c) for c in sizes[:3])
        self.to_rgb = nn.Conv2d(sizes[0], 3, 3, padding=1)

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read width and blocks from the names and shapes of a state."""
        blocks = len({key.split(".")[1] for key in state if key.startswith("middle.")})
        attention = any(key.startswith("attention.") for key in state)
        return {"width": 2 * state["to_rgb.weight"].shape[1], "blocks": blocks, "attention": attention}

    def forward(self, image: Tensor, missing: Tensor) -> Tensor:
        """Return (B, 3, H, W), about −1 … 1.

        Parameters
        ----------
        image : (B, 3, H, W), −1 … 1, H and W multiples of 8. What lies under the mask is ignored.
        missing : (B, 1, H, W), 1 = missing.
        """
        missing = missing.to(image.dtype)
        x = self.stem(torch.cat([image * (1 - missing), missing], 1))  # (B, w/2, H, W)
        skips = []
        for i, down in enumerate(self.down):
            skips.append(x)
            x = down(x)  # (B, w·2^i, H/2^(i+1), W/2^(i+1))
            if i < len(self.level):
                x = self.level[i](x)
        for i, block in enumerate(self.middle):
            x = x + block(x)
            if str(i) in self.attention:
                x = self.attention[str(i)](x)
        for up, join, skip in zip(reversed(self.up), reversed(self.join), reversed(skips), strict=True):
            x = join(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + skip)
        return self.to_rgb(x)  # type: ignore[no-any-return]


class GuideDiscriminator(nn.Module):
    """Spectrally normalised critic of overlapping patches, which also sees the mask.

    Parameters
    ----------
    width : channels of the first layer.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.config = {"width": width}
        sizes = [4, width, 2 * width, 4 * width]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in itertools.pairwise(sizes)
        )
        self.layers.append(spectral_norm(nn.Conv2d(sizes[3], sizes[3], 3, padding=1)))
        self.score = spectral_norm(nn.Conv2d(sizes[3], 1, 3, padding=1))

    def forward(self, image: Tensor, missing: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return (B, 1, H/8, W/8) scores, and the features of every layer for feature matching.

        Parameters
        ----------
        image : (B, 3, H, W), −1 … 1.
        missing : (B, 1, H, W), 1 = missing.
        """
        x, features = torch.cat([image, missing.to(image.dtype)], 1), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.score(x), features
