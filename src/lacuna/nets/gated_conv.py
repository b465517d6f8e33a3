"""Gated convolutions and the free-form network made of them (DeepFill v2, Yu et al., ICCV 2019).

In this file 1 is missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm

from lacuna.nets.contextual_attention import TwoStageOutput, contextual_attention


class GatedConv2d(nn.Module):
    """Convolution whose output is weighed by a learned gate: φ(W_f·I) ⊙ σ(W_g·I).

    Parameters
    ----------
    activation : φ, ELU by default.

    References
    ----------
    .. [1] Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019, arXiv:1806.03589, eq. 3.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        rate: int = 1,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        # One convolution makes features and gates, features first.
        self.conv = nn.Conv2d(inputs, 2 * outputs, kernel, stride, rate * (kernel - 1) // 2, rate)
        self.activation = activation or nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H', W')."""
        features, gates = self.conv(x).chunk(2, dim=1)
        return self.activation(features) * torch.sigmoid(gates)  # type: ignore[no-any-return]


class _Up(nn.Module):
    """Nearest-neighbour doubling, then a gated convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = GatedConv2d(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))  # type: ignore[no-any-return]


class _DownBlock(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.conv1_downsample = GatedConv2d(inputs, hidden, stride=2)
        self.conv2 = GatedConv2d(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1_downsample(x))  # type: ignore[no-any-return]


class _UpBlock(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.conv1_upsample = _Up(inputs, hidden)
        self.conv2 = GatedConv2d(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1_upsample(x))  # type: ignore[no-any-return]


class _ToRGB(nn.Module):
    """The last convolution has no gate; tanh keeps its picture in −1 … 1."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.conv(x))


RATES = (2, 4, 8, 16)


class _Coarse(nn.Module):
    """The first stage: one branch with dilated convolutions at a quarter of the size."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        c = width
        self.conv1 = GatedConv2d(inputs, c // 2, 5)
        self.down_block1 = _DownBlock(c // 2, c, c)
        self.down_block2 = _DownBlock(c, 2 * c, 2 * c)
        for i, rate in enumerate((1, *RATES, 1, 1), start=1):
            self.add_module(f"conv_bn{i}", GatedConv2d(2 * c, 2 * c, rate=rate))
        self.up_block1 = _UpBlock(2 * c, c, c)
        self.up_block2 = _UpBlock(c, c // 2, c // 4)
        self.conv_to_rgb = _ToRGB(c // 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down_block2(self.down_block1(self.conv1(x)))
        for i in range(1, 8):
            x = getattr(self, f"conv_bn{i}")(x)
        return self.conv_to_rgb(self.up_block2(self.up_block1(x)))  # type: ignore[no-any-return]


class _Refinement(nn.Module):
    """The second stage: a dilated branch beside one with attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        c = width
        self.conv_conv1 = GatedConv2d(3, c // 2, 5)
        self.conv_down_block1 = _DownBlock(c // 2, c // 2, c)
        self.conv_down_block2 = _DownBlock(c, c, 2 * c)
        for i, rate in enumerate((1, *RATES), start=1):
            self.add_module(f"conv_conv_bn{i}", GatedConv2d(2 * c, 2 * c, rate=rate))
        self.ca_conv1 = GatedConv2d(3, c // 2, 5)
        self.ca_down_block1 = _DownBlock(c // 2, c // 2, c)
        self.ca_down_block2 = _DownBlock(c, 2 * c, 2 * c)
        self.ca_conv_bn1 = GatedConv2d(2 * c, 2 * c, activation=nn.ReLU())
        self.ca_conv_bn4 = GatedConv2d(2 * c, 2 * c)
        self.ca_conv_bn5 = GatedConv2d(2 * c, 2 * c)
        self.conv_bn6 = GatedConv2d(4 * c, 2 * c)
        self.conv_bn7 = GatedConv2d(2 * c, 2 * c)
        self.up_block1 = _UpBlock(2 * c, c, c)
        self.up_block2 = _UpBlock(c, c // 2, c // 4)
        self.conv_to_rgb = _ToRGB(c // 4)

    def forward(self, x: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
        dilated = self.conv_down_block2(self.conv_down_block1(self.conv_conv1(x)))
        for i in range(1, 6):
            dilated = getattr(self, f"conv_conv_bn{i}")(dilated)
        y = self.ca_conv_bn1(self.ca_down_block2(self.ca_down_block1(self.ca_conv1(x))))
        y, shares = contextual_attention(y, y, missing)
        y = self.ca_conv_bn5(self.ca_conv_bn4(y))
        y = self.conv_bn7(self.conv_bn6(torch.cat([dilated, y], 1)))  # (B, 4c, H/4, W/4) enters
        return self.conv_to_rgb(self.up_block2(self.up_block1(y))), shares


class DeepFillV2(nn.Module):
    """Two-stage gated network for free-form holes, optionally guided by a sketch.

    Parameters
    ----------
    width : base channels, a multiple of 4; published 48 (about 4.1 M parameters).
    sketch : the first stage takes one more channel, with lines that the fill should follow.

    Notes
    -----
    Parameter names are those of the published PyTorch port.

    References
    ----------
    .. [1] Yu et al., ICCV 2019, arXiv:1806.03589.
    """

    multiple = 8

    def __init__(self, width: int = 48, sketch: bool = False) -> None:
        super().__init__()
        if width < 4 or width % 4:
            raise ValueError(f"width is {width}; expected a multiple of 4")
        self.config = {"width": width, "sketch": sketch}
        self.sketch = sketch
        self.stage1 = _Coarse(6 if sketch else 5, width)
        self.stage2 = _Refinement(width)

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read width and sketch channel from the shapes of a state."""
        shape = state["stage1.conv1.conv.weight"].shape
        return {"width": shape[0], "sketch": shape[1] == 6}

    def forward(self, image: Tensor, missing: Tensor, sketch: Tensor | None = None) -> TwoStageOutput:
        """Predict twice.

        Parameters
        ----------
        image : (B, 3, H, W), −1 … 1, H and W multiples of 8. What lies under the mask is ignored.
        missing : (B, 1, H, W), 1 = missing.
        sketch : (B, 1, H, W), 1 on lines; only for networks that were made with it. None is no line.
        """
        missing = missing.to(image.dtype).expand(image.shape[0], -1, -1, -1)
        known = image * (1 - missing)
        inputs = [known, torch.ones_like(missing), missing]
        if self.sketch:
            inputs.append(torch.zeros_like(missing) if sketch is None else sketch.to(image.dtype))
        coarse = self.stage1(torch.cat(inputs, 1))  # (B, 5 or 6, H, W)
        refined, shares = self.stage2(coarse * missing + known, missing)
        return TwoStageOutput(coarse, refined, shares)


class SNPatchDiscriminator(nn.Module):
    """Spectrally normalised critic of every patch and every feature (SN-PatchGAN).

    Parameters
    ----------
    inputs : channels: picture 3 and mask 1; one more with a sketch.
    width : published 64.

    Notes
    -----
    Each value of the output map is one score for the hinge loss; there is no reduction to one channel.
    """

    def __init__(self, inputs: int = 4, width: int = 64) -> None:
        super().__init__()
        sizes = [inputs, *(width * factor for factor in (1, 2, 4, 4, 4, 4))]
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 5, 2, 2)) for a, b in pairs)

    def forward(self, image: Tensor, missing: Tensor) -> Tensor:
        """Return (B, 4·width, H/64, W/64) scores.

        Parameters
        ----------
        image : (B, 3, H, W), −1 … 1.
        missing : (B, inputs − 3, H, W), the mask, and what else guides.
        """
        x = torch.cat([image, missing.to(image.dtype)], 1)
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.layers) - 1:
                x = F.leaky_relu(x, 0.2)
        return x
