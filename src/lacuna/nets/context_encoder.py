"""Context encoder: an autoencoder that sees the surroundings only (Pathak et al., CVPR 2016). 1 = missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

Region = Literal["centre", "random"]
MEAN = (117 / 127.5 - 1, 104 / 127.5 - 1, 123 / 127.5 - 1)
"""The colour that replaces missing pixels, −1 … 1."""


class ChannelwiseLinear(nn.Module):
    """A fully connected layer within each channel, none across: m·n⁴ weights in place of m²·n⁴.

    References
    ----------
    .. [1] Pathak et al., CVPR 2016, arXiv:1604.07379, section 3.1.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        pixels = size * size
        self.weight = nn.Parameter(torch.randn(channels, pixels, pixels) / size)
        self.bias = nn.Parameter(torch.zeros(channels, pixels))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, n, n) for (B, C, n, n)."""
        flat = x.flatten(2)  # (B, C, n·n)
        return (torch.einsum("bcp,cpq->bcq", flat, self.weight) + self.bias).view_as(x)


def _down(inputs: int, outputs: int, norm: bool = True) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 4, 2, 1)
    return [conv, *([nn.BatchNorm2d(outputs)] if norm else []), nn.LeakyReLU(0.2)]


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]


class ContextEncoder(nn.Module):
    """Predict the centre of a 128×128 picture, or all of it, from what surrounds the hole.

    Parameters
    ----------
    width : channels of the first layer; published 64.
    bottleneck : units between encoder and decoder; published 4000. 0 puts a channel-wise fully connected
        layer there, as the paper's feature learning network has.
    region : ``"centre"`` predicts the inner 64×64 pixels, ``"random"`` all 128×128.

    Notes
    -----
    The sizes are those of the authors' code for inpainting. Their AlexNet variant learns features and is
    represented here by its channel-wise layer alone.

    References
    ----------
    .. [1] Pathak et al., Context Encoders: Feature Learning by Inpainting, CVPR 2016, arXiv:1604.07379.
    """

    size = 128
    multiple = 128

    def __init__(self, width: int = 64, bottleneck: int = 4000, region: Region = "centre") -> None:
        super().__init__()
        self.config = {"width": width, "bottleneck": bottleneck, "region": region}
        self.region = region
        w = width
        self.encoder = nn.Sequential(
            *_down(3, w, norm=False),
            *_down(w, w),
            *_down(w, 2 * w),
            *_down(2 * w, 4 * w),
            *_down(4 * w, 8 * w),
        )  # (B, 8w, 4, 4)
        if bottleneck:
            self.bottleneck = nn.Sequential(
                nn.Conv2d(8 * w, bottleneck, 4),
                nn.BatchNorm2d(bottleneck),
                nn.LeakyReLU(0.2),
                nn.ConvTranspose2d(bottleneck, 8 * w, 4),
                nn.BatchNorm2d(8 * w),
                nn.ReLU(),
            )
        else:
            self.bottleneck = nn.Sequential(
                ChannelwiseLinear(8 * w, 4), nn.Conv2d(8 * w, 8 * w, 1), nn.ReLU()
            )
        wider = _up(w, w) if region == "random" else []
        last = nn.ConvTranspose2d(w, 3, 4, 2, 1)
        self.decoder = nn.Sequential(
            *_up(8 * w, 4 * w), *_up(4 * w, 2 * w), *_up(2 * w, w), *wider, last, nn.Tanh()
        )

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read width, bottleneck and region from the names and shapes of a state."""
        first = state["bottleneck.0.weight"]
        units = first.shape[0] if first.dim() == 4 else 0
        region = "random" if "decoder.12.weight" in state else "centre"
        return {"width": state["encoder.0.weight"].shape[0], "bottleneck": units, "region": region}

    def forward(self, image: Tensor, missing: Tensor) -> Tensor:
        """Return (B, 3, 64, 64), or (B, 3, 128, 128) for random regions; −1 … 1.

        Parameters
        ----------
        image : (B, 3, 128, 128), −1 … 1. What lies under the mask is replaced by a mean colour.
        missing : (B, 1, 128, 128), 1 = missing. Of the centre kind, the inner 64×64 pixels are to be missing.
        """
        mean = image.new_tensor(MEAN)[:, None, None]  # (3, 1, 1)
        x = torch.where(missing > 0, mean, image)
        return self.decoder(self.bottleneck(self.encoder(x)))  # type: ignore[no-any-return]


class RegionDiscriminator(nn.Module):
    """Tell predicted regions from real ones.

    Parameters
    ----------
    size : side of the region: 64 for the centre, 128 for random regions.
    width : published 64.
    """

    def __init__(self, size: int = 64, width: int = 64) -> None:
        super().__init__()
        if size not in (64, 128):
            raise ValueError(f"size is {size}; expected 64 or 128")
        w = width
        wider = _down(w, w) if size == 128 else []
        self.layers = nn.Sequential(
            *_down(3, w, norm=False),
            *wider,
            *_down(w, 2 * w),
            *_down(2 * w, 4 * w),
            *_down(4 * w, 8 * w),
            nn.Conv2d(8 * w, 1, 4),
        )

    def forward(self, region: Tensor) -> Tensor:
        """Return (B, 1) logits of (B, 3, size, size) regions."""
        return self.layers(region).flatten(1)  # type: ignore[no-any-return]
