"""Partial convolutions and the U-Net made of them (Liu et al., ECCV 2018).

**In this file 1 is valid.**
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

Convention = Literal["authors", "port"]

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, in 0 … 1: what the port's checkpoints were trained on."""


def count_valid(
    mask: Tensor, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, divisor: int = 1
) -> Tensor:
    """Sum a mask over the window of each output pixel: one box filter, whatever the number of channels.

    Parameters
    ----------
    mask : (B, 1, H, W), float. Zero padding counts as missing.
    divisor : divide the counts.

    Returns
    -------
    (B, 1, H', W'), what a convolution with a kernel of ones would give.
    """
    # ONNX's average pooling knows no divisor, and the exporter forgets it.
    if dilation == 1 and padding <= kernel // 2 and not torch.onnx.is_in_onnx_export():
        return F.avg_pool2d(mask, kernel, stride, padding, divisor_override=divisor)
    ones = mask.new_ones(1, 1, kernel, kernel)
    with torch.autocast(mask.device.type, enabled=False):  # counts above 2048 are not exact in half precision
        return F.conv2d(mask, ones, None, stride, padding, dilation) / divisor


class PartialConv2d(nn.Conv2d):
    """Convolve the valid pixels only and say which outputs saw one.

    Parameters
    ----------
    convention : ``"authors"`` is the paper's equation, Wᵀ(X ⊙ M) · sum(1)/sum(M) + b. ``"port"`` is that of
        the common PyTorch port, Wᵀ(X ⊙ M) / sum(M) + b, with M repeated per channel; its checkpoints need it.

    Notes
    -----
    Both are 0 where sum(M) = 0. The division needs no epsilon: counts are whole numbers, kept in float32
    whatever the precision of the features.

    References
    ----------
    .. [1] Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, ECCV 2018,
       arXiv:1804.07723, eq. 1 and 2.

    Examples
    --------
    >>> layer = PartialConv2d(1, 1, 3, padding=1)
    >>> mask = torch.zeros(1, 1, 5, 5)
    >>> mask[..., 2, 2] = 1
    >>> [int(layer(torch.ones(1, 1, 5, 5), m)[1].sum()) for m in (mask, layer(mask, mask)[1])]
    [9, 25]
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        convention: Convention = "authors",
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding, dilation, bias=bias)
        self.box = (kernel, stride, padding, dilation)
        self.convention = convention

    def forward(  # type: ignore[override]
        self, x: Tensor, mask: Tensor, *, counted: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the features and the new mask.

        Parameters
        ----------
        x : (B, C, H, W). What lies under the mask's zeros is ignored.
        mask : (B or 1, 1 or C, H, W), 1 = valid. One channel is shared by all of x.
        counted : x is 0 already where it is missing, and the mask, (B or 1, 1, H, W), says how many channels
            of each pixel are valid. Two concatenated masks of a and b channels are ``a * first + b *
            second``: still one box filter.

        Returns
        -------
        (B, D, H', W') features, and the mask in float32 with 1 or D channels, as many as were given.
        """
        exact = torch.promote_types(mask.dtype, torch.float32)
        channels, mask = mask.shape[1], mask.to(exact if mask.is_floating_point() else torch.float32)
        kernel = self.box[0]
        # The channels that one unit of the mask stands for: all of them if it is shared.
        each = 1 if counted or channels > 1 else self.in_channels
        hide = None if counted else mask.to(x.dtype)
        if channels > 1 and not counted:
            mask = mask.sum(1, keepdim=True)  # (B, 1, H, W)
        # Few operations, as each one on a small map costs more to start than to run.
        window = self.in_channels // each * kernel**2 if self.convention == "authors" else 1
        share = count_valid(mask, *self.box, divisor=window)
        seen = share.sign()
        # Where nothing was seen the convolution is 0 already, and anything but 0 will do as a divisor.
        share = share.clamp_(min=1 / window)
        if self.convention == "port" and each > 1:
            share = share * each
        if _trains(x, self.weight):
            y = _Trained.apply(  # type: ignore[no-untyped-call]
                x, self.weight, self.bias, hide, share.to(x.dtype), seen.to(x.dtype), self.box[1:]
            )
        else:
            y = _masked(x if hide is None else x * hide, self.weight, self.bias, share, seen, self.box[1:])
        return y, seen if channels == 1 else seen.expand(-1, self.out_channels, -1, -1)


def _masked(
    x: Tensor, weight: Tensor, bias: Tensor | None, share: Tensor, seen: Tensor, how: tuple[int, int, int]
) -> Tensor:
    """Convolve what is 0 where it is missing, and normalise; in place, as memory is what it waits for."""
    y = F.conv2d(x, weight, None, *how)
    # In place is safe under autograd: neither the share nor the mask needs a gradient.
    y = y.div_(share.to(y.dtype))
    return y if bias is None else y.addcmul_(bias.to(y.dtype)[:, None, None], seen.to(y.dtype))


def _trains(x: Tensor, weight: Tensor) -> bool:
    """Say whether `_Trained` is worth it and knows the case: gradients, one precision, no compiler."""
    wanted = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    mixed = x.dtype != weight.dtype or torch.is_autocast_enabled(x.device.type)
    return wanted and not mixed and not torch.compiler.is_compiling() and not torch.onnx.is_in_onnx_export()


class _Trained(torch.autograd.Function):
    """`_masked` with a gradient of its own, which makes fewer copies than the recorded one.

    Forward and backward take 1.12 instead of 1.25 times a plain convolution. Differentiable once.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        hide: Tensor | None,
        share: Tensor,
        seen: Tensor,
        how: tuple[int, int, int],
    ) -> Tensor:
        x = x if hide is None else x * hide
        ctx.save_for_backward(x, weight, hide, share, seen)
        ctx.how = how
        return _masked(x, weight, bias, share, seen, how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, hide, share, seen = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad[:3]
        of_bias = None
        if need_bias:
            of_bias = torch.matmul(slope.flatten(2), seen.flatten(2).transpose(1, 2)).sum((0, 2))
        sides = [[side, side] for side in ctx.how]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            slope / share, x, weight, None, *sides, False, [0, 0], 1, [need_x, need_weight, False]
        )
        if need_x and hide is not None:
            of_x = of_x.mul_(hide)
        return of_x, of_weight, of_bias, None, None, None, None


class PartialBlock(nn.Module):
    """Partial convolution, batch norm, activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        *,
        norm: bool = True,
        slope: float | None = 0.0,
        bias: bool = False,
        convention: Convention = "port",
    ) -> None:
        super().__init__()
        self.conv = PartialConv2d(
            inputs, outputs, kernel, stride, kernel // 2, bias=bias, convention=convention
        )
        if norm:
            self.bn = nn.BatchNorm2d(outputs)
        self.norm, self.slope = norm, slope

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and mask; valid counts channels, see `PartialConv2d.forward`."""
        x, seen = self.conv(x, valid, counted=True)
        if self.norm:
            x = self.bn(x)
        if self.slope is not None:
            x = F.leaky_relu(x, self.slope) if self.slope else F.relu(x)
        return x, seen


class PartialConvOutput(NamedTuple):
    """What `PartialConvUNet` returns.

    Parameters
    ----------
    image : (B, 3, H, W), the prediction, in the range of the input.
    masks : the encoder's masks from fine to coarse, (B, 1, h, w) each: the hole shrinking.
    """

    image: Tensor
    masks: tuple[Tensor, ...]


class PartialConvUNet(nn.Module):
    """U-Net of partial convolutions with skips of features and masks.

    Parameters
    ----------
    width : channels of the first level; published 64.
    levels : stride-2 levels; published 7 (8 for 512×512 in the paper). Sides are multiples of 2 to that
        power.
    convention : see `PartialConv2d`; ``"port"`` for checkpoints of the common PyTorch port.

    Notes
    -----
    The authors' batch norm of the encoder is frozen for fine-tuning: `freeze_encoder_norm`.

    References
    ----------
    .. [1] Liu et al., ECCV 2018, arXiv:1804.07723, section 3.2 and its supplement.
    """

    def __init__(self, width: int = 64, levels: int = 7, convention: Convention = "port") -> None:
        super().__init__()
        if levels < 4:
            raise ValueError(f"levels is {levels}; expected 4 or more")
        self.config = {"width": width, "levels": levels, "convention": convention}
        self.levels, self.multiple, self._frozen = levels, 2**levels, False
        # Channels at the resolution 1/2**i; 0 is the picture.
        self.channels = [3, width, width * 2, width * 4] + [width * 8] * (levels - 3)
        kernels = [7, 5, 5] + [3] * (levels - 3)
        for i in range(1, levels + 1):
            into, out = self.channels[i - 1], self.channels[i]
            block = PartialBlock(into, out, kernels[i - 1], 2, norm=i > 1, convention=convention)
            self.add_module(f"enc_{i}", block)
        for i in range(levels, 0, -1):
            into, out, inner = self.channels[i] + self.channels[i - 1], self.channels[i - 1], i > 1
            block = PartialBlock(
                into,
                out,
                3,
                1,
                norm=inner,
                slope=0.2 if inner else None,
                bias=not inner,
                convention=convention,
            )
            self.add_module(f"dec_{i}", block)

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read width and levels from the shapes of a state."""
        levels = max(int(m[1]) for m in (re.match(r"enc_(\d+)\.", key) for key in state) if m)
        return {"width": state["enc_1.conv.weight"].shape[0], "levels": levels}

    def forward(self, image: Tensor, mask: Tensor) -> PartialConvOutput:
        """Predict a picture.

        Parameters
        ----------
        image : (B, 3, H, W); the port's checkpoints expect ImageNet's mean and deviation taken out.
        mask : (B or 1, 1, H, W), 1 = valid.
        """
        mask = mask[:, :1].to(torch.promote_types(image.dtype, torch.float32))
        features, masks = [image * mask.to(image.dtype)], [mask]
        for i in range(1, self.levels + 1):
            x, seen = getattr(self, f"enc_{i}")(features[-1], self.channels[i - 1] * masks[-1])
            features.append(x * seen.to(x.dtype))
            masks.append(seen)
        x, seen = features[-1], masks[-1]
        for i in range(self.levels, 0, -1):
            x = F.interpolate(x * seen.to(x.dtype), scale_factor=2, mode="nearest")
            seen = F.interpolate(seen, scale_factor=2, mode="nearest")
            valid = self.channels[i] * seen + self.channels[i - 1] * masks[i - 1]
            x = torch.cat([x, features[i - 1].to(x.dtype)], 1)  # (B, c_i + c_{i-1}, h, w)
            x, seen = getattr(self, f"dec_{i}")(x, valid)
        return PartialConvOutput(x, tuple(masks))

    def freeze_encoder_norm(self, frozen: bool = True) -> None:
        """Keep the encoder's batch norm at its running statistics, as the paper does in its second phase."""
        self._frozen = frozen
        self.train(self.training)

    def train(self, mode: bool = True) -> PartialConvUNet:
        """Set training mode; a frozen norm stays as it is."""
        super().train(mode)
        if self._frozen:
            for i in range(2, self.levels + 1):
                getattr(self, f"enc_{i}").bn.eval()
        return self
