"""LaMa: large masks by fast Fourier convolutions (Suvorov et al., WACV 2022). Pictures 0 … 1, 1 = missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

Kind = Literal["fourier", "dilated"]


def _reflecting(inputs: int, outputs: int, stride: int = 1, rate: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, rate, rate, bias=False, padding_mode="reflect")


class FourierUnit(nn.Module):
    """A 1×1 convolution on the real Fourier transform: every output pixel sees the whole picture.

    Notes
    -----
    Always float32 or better: cuFFT takes half precision for powers of two only, and sums over a picture
    overflow it.

    References
    ----------
    .. [1] Chi, Jiang & Mu, Fast Fourier Convolution, NeurIPS 2020.
    .. [2] Suvorov et al., Resolution-robust Large Mask Inpainting with Fourier Convolutions, WACV 2022,
       arXiv:2109.07161, section 2.1.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * inputs, 2 * outputs, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, D, H, W) for (B, C, H, W)."""
        b, c, h, w = x.shape
        with torch.autocast(x.device.type, enabled=False):
            wide = x.to(torch.promote_types(x.dtype, torch.float32))
            waves = torch.fft.rfft2(wide, norm="ortho")  # (B, C, H, W/2+1), complex
            stacked = torch.view_as_real(waves).permute(0, 1, 4, 2, 3)  # (B, C, 2, H, W/2+1)
            y = F.relu(self.bn(self.conv_layer(stacked.reshape(b, 2 * c, h, -1))))  # (B, 2D, H, W/2+1)
            y = y.reshape(b, -1, 2, h, w // 2 + 1).permute(0, 1, 3, 4, 2).contiguous()  # (B, D, H, W/2+1, 2)
            out: Tensor = torch.fft.irfft2(torch.view_as_complex(y), s=(h, w), norm="ortho")
        return out.to(x.dtype)


class SpectralTransform(nn.Module):
    """Fourier unit between two 1×1 convolutions, with a way around it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1 = nn.Sequential(nn.Conv2d(inputs, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = FourierUnit(half, half)
        self.conv2 = nn.Conv2d(half, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))  # type: ignore[no-any-return]


class FFC(nn.Module):
    """Fast Fourier convolution: a local and a global branch that exchange what they see.

    Parameters
    ----------
    inputs, outputs : (local, global) channels. No global inputs, or outputs, is 0.
    """

    def __init__(
        self, inputs: tuple[int, int], outputs: tuple[int, int], kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        (in_local, in_global), (out_local, out_global) = inputs, outputs
        if kernel == 3:
            self.convl2l: nn.Module = _reflecting(in_local, out_local, stride)
        else:  # the first layer's picture is padded before
            self.convl2l = nn.Conv2d(in_local, out_local, kernel, stride, bias=False)
        self.convl2g = _reflecting(in_local, out_global, stride) if out_global else None
        self.convg2l = _reflecting(in_global, out_local, stride) if in_global else None
        self.convg2g = SpectralTransform(in_global, out_global) if in_global and out_global else None

    def forward(self, local: Tensor, wide: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the local and the global features."""
        y = self.convl2l(local)
        if self.convg2l is not None and wide is not None:
            y = y + self.convg2l(wide)
        if self.convl2g is None:
            return y, None
        z = self.convl2g(local)
        if self.convg2g is not None and wide is not None:
            z = z + self.convg2g(wide)
        return y, z


class FFCNorm(nn.Module):
    """Fast Fourier convolution, batch norm and ReLU of both branches."""

    def __init__(
        self, inputs: tuple[int, int], outputs: tuple[int, int], kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.ffc = FFC(inputs, outputs, kernel, stride)
        self.bn_l = nn.BatchNorm2d(outputs[0])
        self.bn_g = nn.BatchNorm2d(outputs[1]) if outputs[1] else None

    def forward(self, pair: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
        """Return the local and the global features."""
        local, wide = self.ffc(*pair)
        if self.bn_g is not None and wide is not None:
            wide = F.relu(self.bn_g(wide))
        return F.relu(self.bn_l(local)), wide


class FFCBlock(nn.Module):
    """Two fast Fourier convolutions and a way around them."""

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = FFCNorm(channels, channels)
        self.conv2 = FFCNorm(channels, channels)

    def forward(self, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the local and the global features."""
        local, wide = self.conv2(self.conv1(pair))
        return pair[0] + local, pair[1] + wide


class _Join(nn.Module):
    """Concatenate the two branches."""

    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return torch.cat(pair, 1)


class _Pair(nn.Module):
    """Start the two branches: everything is local."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(3)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.pad(x), None


class MultiDilated(nn.Module):
    """Convolutions of several rates side by side, each on its share of the channels, summed."""

    def __init__(self, channels: int, rates: tuple[int, ...] = (1, 2, 4, 8)) -> None:
        super().__init__()
        if channels % len(rates):
            raise ValueError(f"{channels} channels cannot be shared by {len(rates)} rates")
        self.share = channels // len(rates)
        self.rates = rates
        self.convs = nn.ModuleList(
            nn.Conv2d(self.share, channels, 3, padding=rate, dilation=rate, bias=False) for rate in rates
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape that was given."""
        parts = x.chunk(len(self.rates), dim=1)
        total: Tensor = sum(conv(part) for conv, part in zip(self.convs, parts, strict=True))
        return total


class DilatedBlock(nn.Module):
    """Two multi-dilated convolutions and a way around them; the exportable alternative to `FFCBlock`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            MultiDilated(channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            MultiDilated(channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape that was given."""
        return x + self.body(x)  # type: ignore[no-any-return]


class Lama(nn.Module):
    """Residual network whose blocks see the whole picture.

    Parameters
    ----------
    width : channels of the first layer; published 64.
    blocks : residual blocks; 9, and 18 in big-lama.
    kind : ``"fourier"``, or ``"dilated"``, which nearly reaches it and exports to ONNX.
    ratio : share of the channels in the global branch, ``"fourier"`` only.

    Notes
    -----
    Parameter names of the Fourier kind are those of the published code. Zero padding in the dilated blocks,
    rates 1, 2, 4 and 8 on a quarter of the channels each, is our reading of the paper's ablation; no
    published checkpoint of it is converted.

    References
    ----------
    .. [1] Suvorov et al., WACV 2022, arXiv:2109.07161.
    """

    multiple = 8

    def __init__(self, width: int = 64, blocks: int = 9, kind: Kind = "fourier", ratio: float = 0.75) -> None:
        super().__init__()
        self.config = {"width": width, "blocks": blocks, "kind": kind, "ratio": ratio}
        w, deep = width, 8 * width
        layers = _fourier_body(w, blocks, ratio) if kind == "fourier" else _dilated_body(w, blocks)
        for level in (8, 4, 2):
            up = nn.ConvTranspose2d(level * w, level * w // 2, 3, 2, 1, output_padding=1)
            layers += [up, nn.BatchNorm2d(level * w // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Sigmoid()]
        self.model = nn.Sequential(*layers)
        self.deep = deep

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read width, blocks, kind and ratio from the names and shapes of a state."""
        if any(".body." in key for key in state):
            blocks = len({key.split(".")[1] for key in state if ".body." in key})
            return {"width": state["model.1.weight"].shape[0], "blocks": blocks, "kind": "dilated"}
        blocks = len({m[1] for m in (re.match(r"model\.(\d+)\.conv1\.", key) for key in state) if m})
        width = state["model.1.ffc.convl2l.weight"].shape[0]
        wide = state["model.4.ffc.convl2g.weight"].shape[0]
        return {"width": width, "blocks": blocks, "kind": "fourier", "ratio": wide / (8 * width)}

    def forward(self, image: Tensor, missing: Tensor) -> Tensor:
        """Return (B, 3, H, W), 0 … 1, before the known pixels are put back.

        Parameters
        ----------
        image : (B, 3, H, W), 0 … 1, H and W multiples of 8, at least 16. What is under the mask is ignored.
        missing : (B, 1, H, W), 1 = missing.
        """
        missing = missing.to(image.dtype).expand(image.shape[0], -1, -1, -1)
        return self.model(torch.cat([image * (1 - missing), missing], 1))  # type: ignore[no-any-return]


def _fourier_body(w: int, blocks: int, ratio: float) -> list[nn.Module]:
    wide = int(8 * w * ratio)
    split = (8 * w - wide, wide)
    return [
        _Pair(),
        FFCNorm((4, 0), (w, 0), kernel=7),
        FFCNorm((w, 0), (2 * w, 0), stride=2),
        FFCNorm((2 * w, 0), (4 * w, 0), stride=2),
        FFCNorm((4 * w, 0), split, stride=2),
        *(FFCBlock(split) for _ in range(blocks)),
        _Join(),
    ]


def _dilated_body(w: int, blocks: int) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(4, w, 7), nn.BatchNorm2d(w), nn.ReLU()]
    for level in (1, 2, 4):
        conv = nn.Conv2d(level * w, 2 * level * w, 3, 2, 1)
        layers += [conv, nn.BatchNorm2d(2 * level * w), nn.ReLU()]
    return layers + [DilatedBlock(8 * w) for _ in range(blocks)]


class PatchDiscriminator(nn.Module):
    """PatchGAN with its features, for the adversarial and the feature-matching loss.

    Parameters
    ----------
    width : published 64.
    layers : stride-2 layers; published 4.
    """

    def __init__(self, width: int = 64, layers: int = 4, inputs: int = 3) -> None:
        super().__init__()
        sizes = [min(width * 2**i, 512) for i in range(layers + 1)]
        stages = [nn.Sequential(nn.Conv2d(inputs, sizes[0], 4, 2, 2), nn.LeakyReLU(0.2))]
        for i in range(1, layers + 1):
            stride = 2 if i < layers else 1
            conv = nn.Conv2d(sizes[i - 1], sizes[i], 4, stride, 2)
            stages.append(nn.Sequential(conv, nn.BatchNorm2d(sizes[i]), nn.LeakyReLU(0.2)))
        self.stages = nn.ModuleList(stages)
        self.score = nn.Conv2d(sizes[-1], 1, 4, 1, 2)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the (B, 1, h, w) logits and the features of every stage."""
        features = []
        for stage in self.stages:
            image = stage(image)
            features.append(image)
        return self.score(image), features
