"""The trained net that finds damage, as the file that is shipped: 8-bit integers for onnxruntime."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from damage_net import PLANES, Net
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna.detect.network import GAIN


class _Bytes(nn.Module):
    """The net of bytes by 255: what the hats are multiplied with goes into the first layer."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        gain = torch.tensor([1.0] * 3 + [float(GAIN)] * (PLANES - 3)).repeat_interleave(4)
        net.halved[0][0].weight.data *= gain.view(1, -1, 1, 1)

    def forward(self, folded: torch.Tensor) -> torch.Tensor:
        """Return log odds; folding 2×2 pixels into channels is left out, so that any size goes in."""
        return self.net.maps(folded)


class _Examples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, crops: list[np.ndarray]) -> None:
        folded = (F.pixel_unshuffle(torch.from_numpy(crop)[None], 2) for crop in crops)
        self.rest = ({"image": (crop.float() / 255).numpy()} for crop in folded)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.rest, None)


def export(net: Net, path: Path, crops: list[np.ndarray]) -> None:
    """Write the net in 8-bit integers; bytes in, bytes out.

    Parameters
    ----------
    crops : uint8 (PLANES, H, W), what the net may see: the ranges of its layers are taken from them.
    """
    net = net.cpu().float().eval()
    for module in net.modules():
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0] = nn.utils.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    axes = {name: {2: "height", 3: "width"} for name in ("image", "found")}
    with tempfile.TemporaryDirectory() as room:
        exact, shaped = Path(room) / "exact.onnx", Path(room) / "shaped.onnx"
        torch.onnx.export(
            _Bytes(net), (torch.zeros(1, 4 * PLANES, 64, 64),), str(exact), dynamo=False, opset_version=17,
            input_names=["image"], output_names=["found"], dynamic_axes=axes,
        )  # fmt: skip
        quant_pre_process(str(exact), str(shaped), skip_symbolic_shape=True)
        # Every step of a byte of the answer is a sixteenth in log odds, see lacuna.detect.prior.
        coded = {"scale": np.array(1 / 16, np.float32), "zero_point": np.array(128, np.uint8)}
        seen = {"scale": np.array(1 / 255, np.float32), "zero_point": np.array(0, np.uint8)}
        quantize_static(
            str(shaped), str(path), _Examples(crops), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits: without VNNI, sums of products of 8 bits saturate
            extra_options={"TensorQuantOverrides": {"image": [seen], "found": [coded]}},
        )  # fmt: skip
    onnx.save(_of_bytes(onnx.load(path)), path)


def _of_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the first step from numbers to bytes and the last one back."""
    graph = model.graph
    first = next(n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == "image")
    last = next(n for n in graph.node if n.op_type == "DequantizeLinear" and n.output[0] == "found")
    for node in graph.node:
        node.input[:] = ["image" if name == first.output[0] else name for name in node.input]
        node.output[:] = ["found" if name == last.input[0] else name for name in node.output]
    graph.node.remove(first)
    graph.node.remove(last)
    for port in (graph.input[0], graph.output[0]):
        port.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    onnx.checker.check_model(model)
    return model
