"""The Inception v3 that FID is defined by, in plain torch; torchvision is not needed.

It is the network of the papers as TensorFlow's graph of December 2015 computes it, which differs from the
usual ports: pictures are resized without half-pixel centres, average pooling does not count padding, the
last block pools with the maximum, and there are 1008 classes.

References
----------
.. [1] Szegedy, Vanhoucke, Ioffe, Shlens & Wojna, Rethinking the Inception Architecture for Computer Vision,
   CVPR 2016, arXiv:1512.00567, table 1 and figures 5-7.
.. [2] Heusel et al., GANs Trained by a Two Time-Scale Update Rule …, NeurIPS 2017, arXiv:1706.08500.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna import torch_io
from lacuna.errors import WeightsError
from lacuna.types import FloatImage

SIDE = 299
FEATURES = 2048
CLASSES = 1008
EPSILON = 1e-3
"""Of batch normalisation."""


class Conv(NamedTuple):
    """A convolution with batch normalisation and ReLU."""

    name: str
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


class Fork(NamedTuple):
    """Two convolutions of the same map, side by side."""

    left: Conv
    right: Conv


Step = Conv | Fork | str  # str: "average" and "max" keep the size, "shrink" is the maximum with stride 2
Branch = tuple[Step, ...]
Block = tuple[Branch, ...]


def _three(name: str, width: int) -> Conv:
    return Conv(name, width, (3, 3))


def _halving(name: str, width: int) -> Conv:
    return Conv(name, width, (3, 3), 2, padded=False)


def _block_35(pool: int) -> Block:
    """Return figure 5 of [1], with a single 5 × 5 left."""
    return (
        (Conv("branch1x1", 64),),
        (Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, (5, 5))),
        (Conv("branch3x3dbl_1", 64), _three("branch3x3dbl_2", 96), _three("branch3x3dbl_3", 96)),
        ("average", Conv("branch_pool", pool)),
    )


def _block_17(width: int) -> Block:
    """Return figure 6 of [1], n = 7."""
    flat, tall = (1, 7), (7, 1)
    return (
        (Conv("branch1x1", 192),),
        (
            Conv("branch7x7_1", width),
            Conv("branch7x7_2", width, flat),
            Conv("branch7x7_3", 192, tall),
        ),
        (
            Conv("branch7x7dbl_1", width),
            Conv("branch7x7dbl_2", width, tall),
            Conv("branch7x7dbl_3", width, flat),
            Conv("branch7x7dbl_4", width, tall),
            Conv("branch7x7dbl_5", 192, flat),
        ),
        ("average", Conv("branch_pool", 192)),
    )


def _block_8(pool: str) -> Block:
    """Return figure 7 of [1]."""
    flat, tall = (1, 3), (3, 1)
    return (
        (Conv("branch1x1", 320),),
        (
            Conv("branch3x3_1", 384),
            Fork(Conv("branch3x3_2a", 384, flat), Conv("branch3x3_2b", 384, tall)),
        ),
        (
            Conv("branch3x3dbl_1", 448),
            _three("branch3x3dbl_2", 384),
            Fork(Conv("branch3x3dbl_3a", 384, flat), Conv("branch3x3dbl_3b", 384, tall)),
        ),
        (pool, Conv("branch_pool", 192)),
    )


_TO_17: Block = (
    (_halving("branch3x3", 384),),
    (Conv("branch3x3dbl_1", 64), _three("branch3x3dbl_2", 96), _halving("branch3x3dbl_3", 96)),
    ("shrink",),
)
_TO_8: Block = (
    (Conv("branch3x3_1", 192), _halving("branch3x3_2", 320)),
    (
        Conv("branch7x7x3_1", 192),
        Conv("branch7x7x3_2", 192, (1, 7)),
        Conv("branch7x7x3_3", 192, (7, 1)),
        _halving("branch7x7x3_4", 192),
    ),
    ("shrink",),
)

STEM: Branch = (
    _halving("Conv2d_1a_3x3", 32),
    Conv("Conv2d_2a_3x3", 32, (3, 3), padded=False),
    _three("Conv2d_2b_3x3", 64),
    "shrink",
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, (3, 3), padded=False),
    "shrink",
)
BLOCKS: dict[str, Block] = {
    "Mixed_5b": _block_35(32),
    "Mixed_5c": _block_35(64),
    "Mixed_5d": _block_35(64),
    "Mixed_6a": _TO_17,
    "Mixed_6b": _block_17(128),
    "Mixed_6c": _block_17(160),
    "Mixed_6d": _block_17(160),
    "Mixed_6e": _block_17(192),
    "Mixed_7a": _TO_8,
    "Mixed_7b": _block_8("average"),
    "Mixed_7c": _block_8("max"),
}
"""By the names of the public port of the weights, in order."""


class Net:
    """The network up to its pooled features.

    Parameters
    ----------
    weights : file with the layout of ``pt_inception-2015-12-05``: ``Conv2d_1a_3x3.conv.weight``, ``….bn.*``,
        ``Mixed_5b.branch1x1.…`` to ``Mixed_7c``, ``fc.*``; safetensors, or what ``torch.save`` wrote, read
        without running code in it.

    Raises
    ------
    WeightsNotFoundError, WeightsError : no such file, or not these layers.
    """

    def __init__(self, weights: Path) -> None:
        state = torch_io.read(weights).state
        _check(state, weights)
        self._kernels = {name: _folded(state, name) for name in shapes()}

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Return the mean of the last feature map, ``(B, 2048)``.

        Parameters
        ----------
        x : (B, 3, H, W), 0 to 255, any size.
        """
        x = (resize(x, SIDE) - 128) / 128  # (B, 3, 299, 299)
        x = self._branch(x, STEM, "")  # (B, 192, 35, 35)
        for name, block in BLOCKS.items():  # 35 × 35, from Mixed_6a on 17 × 17, from Mixed_7a on 8 × 8
            x = torch.cat([self._branch(x, branch, f"{name}.") for branch in block], dim=1)
        return x.mean(dim=(2, 3))

    def _branch(self, x: Tensor, branch: Branch, prefix: str) -> Tensor:
        for step in branch:
            if isinstance(step, Conv):
                x = self._conv(x, step, prefix)
            elif isinstance(step, Fork):
                x = torch.cat([self._conv(x, conv, prefix) for conv in step], dim=1)
            elif step == "average":
                x = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
            elif step == "max":
                x = F.max_pool2d(x, 3, stride=1, padding=1)
            else:
                x = F.max_pool2d(x, 3, stride=2)
        return x

    def _conv(self, x: Tensor, conv: Conv, prefix: str) -> Tensor:
        weight, bias = self._kernels[prefix + conv.name]
        padding = (conv.kernel[0] // 2, conv.kernel[1] // 2) if conv.padded else (0, 0)
        return F.relu(F.conv2d(x, weight, bias, stride=conv.stride, padding=padding))


def resize(x: Tensor, side: int) -> Tensor:
    """Return bilinear samples at multiples of length / side, from the first pixel on, without smoothing.

    This is TensorFlow's old rule; torch's own takes half-pixel centres, and its FIDs are others.

    Parameters
    ----------
    x : (B, C, H, W).

    Returns
    -------
    (B, C, side, side).
    """
    for axis in (2, 3):
        length = x.shape[axis]
        at = torch.arange(side, dtype=torch.float32) * (length / side)
        low = at.floor().long().clamp(max=length - 1)
        high = (low + 1).clamp(max=length - 1)
        share = (at - low).view(-1, 1) if axis == 2 else at - low
        below = x.index_select(axis, low)
        x = below + (x.index_select(axis, high) - below) * share
    return x


def to_tensor(image: FloatImage) -> Tensor:
    """Return a picture ``(H, W, 1 or 3)`` in [0, 1] as ``(1, 3, H, W)`` in 0 to 255; grey is tripled."""
    rgb = np.broadcast_to(image, (*image.shape[:2], 3)).transpose(2, 0, 1)
    return torch.tensor(np.ascontiguousarray(rgb, dtype=np.float32))[None] * 255


def shapes() -> dict[str, tuple[int, int, int, int]]:
    """Return the kernel's shape ``(out, in, height, width)`` of every convolution, by its name."""
    found: dict[str, tuple[int, int, int, int]] = {}
    width = _walk(found, STEM, "", 3)
    for name, block in BLOCKS.items():
        width = sum(_walk(found, branch, f"{name}.", width) for branch in block)
    return found


def _walk(found: dict[str, tuple[int, int, int, int]], branch: Branch, prefix: str, width: int) -> int:
    """Note a branch's kernels and return how many channels leave it."""
    for step in branch:
        convs = (step,) if isinstance(step, Conv) else step if isinstance(step, Fork) else ()
        for conv in convs:
            found[prefix + conv.name] = (conv.width, width, *conv.kernel)
        width = sum(conv.width for conv in convs) or width
    return width


def _check(state: torch_io.State, path: Path) -> None:
    wanted: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes().items():
        wanted[f"{name}.conv.weight"] = shape
        wanted |= {f"{name}.bn.{part}": shape[:1] for part in _NORM}
    wanted |= {"fc.weight": (CLASSES, FEATURES), "fc.bias": (CLASSES,)}
    wrong = [
        f"{name} is {tuple(state[name].shape) if name in state else 'missing'} instead of {shape}"
        for name, shape in wanted.items()
        if name not in state or tuple(state[name].shape) != shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WeightsError(
            f"{path} does not hold the Inception v3 of FID (pt_inception-2015-12-05): {'; '.join(wrong[:3])}"
            f"{more}; torchvision's own weights, with 1000 classes, are those of another network"
        )


_NORM = ("weight", "bias", "running_mean", "running_var")


def _folded(state: torch_io.State, name: str) -> tuple[Tensor, Tensor]:
    """Return kernel and bias of a convolution with its batch normalisation, which is linear, worked in."""
    scale, bias, mean, variance = (state[f"{name}.bn.{part}"].double() for part in _NORM)
    factor = scale / (variance + EPSILON).sqrt()
    kernel = state[f"{name}.conv.weight"].double() * factor.view(-1, 1, 1, 1)
    return kernel.float(), (bias - mean * factor).float()
