"""The net that finds scratches and dust: its layers, and how it becomes the file that is shipped."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna.detect.network import GAIN, HATS

PLANES = 3 + 2 * len(HATS)
"""What `lacuna.detect.network.planes` makes of a picture."""


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


class Join(nn.Module):
    """What is seen coarsely, added to what is seen finely; reduced first, because enlarging is dear."""

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(fine, fine, 1, bias=False), nn.BatchNorm2d(fine), nn.Identity())
        self.coarse = nn.Sequential(
            nn.Conv2d(coarse, fine, 1, bias=False), nn.BatchNorm2d(fine), nn.Identity()
        )
        self.after = block(fine, fine)

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """Return (B, fine, H, W), from maps of that size and of half of it."""
        return self.after(F.relu(self.fine(fine) + F.interpolate(self.coarse(coarse), scale_factor=2.0)))


class Net(nn.Module):
    """A U-Net from half the size down to a sixteenth; two maps at full size, scratches and dust."""

    def __init__(self, a: int = 32, b: int = 64, c: int = 128, d: int = 192) -> None:
        super().__init__()
        self.halved = nn.Sequential(block(4 * PLANES, a), block(a, a))
        self.quarter = nn.Sequential(block(a, b, stride=2), Twice(b))
        self.eighth = nn.Sequential(block(b, c, stride=2), Twice(c), Twice(c))
        self.sixteenth = nn.Sequential(block(c, d, stride=2), Twice(d), Twice(d))
        self.join_eighth, self.join_quarter, self.join_half = Join(c, d), Join(b, c), Join(a, b)
        self.out = nn.Conv2d(a, 8, 3, padding=1)
        nn.init.constant_(self.out.bias, -3.0)  # most pixels are whole

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return log odds (B, 2, H, W) for planes (B, 7, H, W) of pictures; H and W are multiples of 16."""
        return F.pixel_shuffle(self.maps(F.pixel_unshuffle(image, 2)), 2)  # (B, 2, H, W)

    def maps(self, folded: torch.Tensor) -> torch.Tensor:
        """Return the answer's eight channels at half the size, from the planes' 28."""
        half = self.halved(folded)  # (B, a, H/2, W/2)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        eighth = self.join_eighth(eighth, self.sixteenth(eighth))
        quarter = self.join_quarter(quarter, eighth)
        return self.out(self.join_half(half, quarter))  # (B, 8, H/2, W/2)


class _Maps(nn.Module):
    """What is exported: bytes in, bytes out; folding 2×2 pixels is left out, so that any size goes in."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        gain = torch.tensor([1.0] * 3 + [float(GAIN)] * (PLANES - 3)) / 255
        self.register_buffer("gain", gain.repeat_interleave(4).view(1, -1, 1, 1))

    def forward(self, folded: torch.Tensor) -> torch.Tensor:
        """Return likelihoods, 255 is certain."""
        likely = torch.sigmoid(self.net.maps(folded.float() * self.gain))
        return torch.round(likely * 255).to(torch.uint8)


def export(net: Net, path: Path, crops: list[np.ndarray]) -> None:
    """Write the net in 8-bit integers; its first and last layer, which see and say small things, as they are.

    Parameters
    ----------
    crops : uint8 (PLANES, H, W), what the net may see: the ranges of its layers are taken from them.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    net = net.cpu().float().eval()
    for module in net.modules():
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0] = nn.utils.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    axes = {name: {2: "height", 3: "width"} for name in ("image", "found")}
    folded = [F.pixel_unshuffle(torch.from_numpy(crop)[None], 2) for crop in crops]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(folded)

        def get_next(self) -> dict[str, np.ndarray] | None:
            crop = next(self.rest, None)
            return None if crop is None else {"image": crop.numpy()}

    with tempfile.TemporaryDirectory() as room:
        exact, shaped = Path(room) / "exact.onnx", Path(room) / "shaped.onnx"
        torch.onnx.export(
            _Maps(net), (folded[0],), str(exact), dynamo=False, opset_version=17,
            input_names=["image"], output_names=["found"], dynamic_axes=axes,
        )  # fmt: skip
        quant_pre_process(str(exact), str(shaped), skip_symbolic_shape=True)
        convs = [node.name for node in onnx.load(shaped).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(shaped), str(path), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits: without VNNI, sums of products of 8 bits saturate
            op_types_to_quantize=["Conv", "Add", "Concat", "Resize", "Relu"],
            nodes_to_exclude=[convs[0], convs[-1]],
        )  # fmt: skip
