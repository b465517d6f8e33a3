"""The net that finds scratches and dust: its layers, and how it becomes the file that is shipped."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna.detect.network import HATS

PLANES = 3 + 2 * len(HATS)
"""What `lacuna.detect.network.planes` makes of a picture."""
FOLD = 16
"""Height and width are multiples of this."""


def block(a: int, b: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution with its normalisation and activation."""
    conv = nn.Conv2d(a, b, size, stride, size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(b), nn.ReLU(inplace=True))


class Twice(nn.Module):
    """Two convolutions, and the way around them (a residual block)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = block(width, width), block(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, width, H, W)."""
        return x + self.second(self.first(x))


class Net(nn.Module):
    """A U-Net from half the size down to a sixteenth; two maps at full size, scratches and dust."""

    def __init__(self, a: int = 32, b: int = 64, c: int = 128, d: int = 192) -> None:
        super().__init__()
        self.halved = nn.Sequential(block(4 * PLANES, a), block(a, a))
        self.quarter = nn.Sequential(block(a, b, stride=2), Twice(b))
        self.eighth = nn.Sequential(block(b, c, stride=2), Twice(c), Twice(c))
        self.sixteenth = nn.Sequential(block(c, d, stride=2), Twice(d), Twice(d))
        self.join_eighth = nn.Sequential(block(c + d, c, 1), block(c, c))
        self.join_quarter = nn.Sequential(block(b + c, b, 1), block(b, b))
        self.join_half = nn.Sequential(block(a + b, a, 1), block(a, a))
        self.out = nn.Conv2d(a, 8, 3, padding=1)
        nn.init.constant_(self.out.bias, -3.0)  # most pixels are whole

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (B, 2, H, W) for planes (B, 7, H, W) of pictures."""
        return F.pixel_shuffle(self.maps(F.pixel_unshuffle(image, 2)), 2)  # (B, 2, H, W)

    def maps(self, folded: torch.Tensor) -> torch.Tensor:
        """Return the answer's eight channels at half the size, from the planes' 28."""
        half = self.halved(folded - 0.5)  # (B, a, H/2, W/2)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        eighth = self.join_eighth(_beside(eighth, self.sixteenth(eighth)))
        quarter = self.join_quarter(_beside(quarter, eighth))
        return self.out(self.join_half(_beside(half, quarter)))  # (B, 8, H/2, W/2)


def _beside(fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    return torch.cat([fine, F.interpolate(coarse, scale_factor=2.0)], 1)


class _Maps(nn.Module):
    """What is exported: the folding of 2×2 pixels into channels is left out, so that any size goes in."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, folded: torch.Tensor) -> torch.Tensor:
        """Return likelihoods."""
        return torch.sigmoid(self.net.maps(folded))


def export(net: Net, path: Path) -> None:
    """Write the net in single precision, every normalisation folded into its convolution."""
    net = net.cpu().float().eval()
    for module in net.modules():
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0] = nn.utils.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    axes = {name: {2: "height", 3: "width"} for name in ("image", "found")}
    torch.onnx.export(
        _Maps(net), (torch.zeros(1, 4 * PLANES, 64, 64),), str(path), dynamo=False, opset_version=17,
        input_names=["image"], output_names=["found"], dynamic_axes=axes,
    )  # fmt: skip
