"""The backbones and heads of LPIPS, in plain torch; torchvision is not needed.

References
----------
.. [1] Zhang, Isola, Efros, Shechtman & Wang, The Unreasonable Effectiveness of Deep Features as a Perceptual
   Metric, CVPR 2018, arXiv:1801.03924, eq. 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna import torch_io
from lacuna.errors import WeightsError
from lacuna.metrics.lpips import LEAST_SIDE
from lacuna.types import FloatImage

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)

# A layer is (kind, index in `features`, stride, padding) or ("pool", kernel, stride, ceil_mode); every
# convolution ends with a ReLU, and every stage with a tap.
Layer = tuple[str, int, int, int]


def _conv(index: int, stride: int = 1, padding: int = 1) -> Layer:
    return ("conv", index, stride, padding)


def _fire(index: int) -> Layer:
    return ("fire", index, 1, 0)


_POOL3: Layer = ("pool", 3, 2, 0)
_POOL3_UP: Layer = ("pool", 3, 2, 1)
_POOL2: Layer = ("pool", 2, 2, 0)

STAGES: dict[str, tuple[tuple[Layer, ...], ...]] = {
    "squeeze": (
        (_conv(0, 2, 0),),
        (_POOL3_UP, _fire(3), _fire(4)),
        (_POOL3_UP, _fire(6), _fire(7)),
        (_POOL3_UP, _fire(9)),
        (_fire(10),),
        (_fire(11),),
        (_fire(12),),
    ),
    "alex": (
        (_conv(0, 4, 2),),
        (_POOL3, _conv(3, 1, 2)),
        (_POOL3, _conv(6)),
        (_conv(8),),
        (_conv(10),),
    ),
    "vgg": (
        (_conv(0), _conv(2)),
        (_POOL2, _conv(5), _conv(7)),
        (_POOL2, _conv(10), _conv(12), _conv(14)),
        (_POOL2, _conv(17), _conv(19), _conv(21)),
        (_POOL2, _conv(24), _conv(26), _conv(28)),
    ),
}
"""Of SqueezeNet 1.1, AlexNet and VGG-16, numbered as torchvision numbers them."""


class Net:
    """A backbone with its heads.

    Parameters
    ----------
    weights : file that `lacuna.torch_io.read` reads, with ``features.N.*`` and ``linN.weight`` (or
        ``linN.model.1.weight``).

    Attributes
    ----------
    name : ``squeeze``, ``alex`` or ``vgg``, recognised by the shapes.

    Raises
    ------
    WeightsNotFoundError : no such file.
    WeightsError : unreadable, not finite, or not the weights of one of the three nets.
    """

    def __init__(self, weights: Path) -> None:
        loaded = torch_io.read(weights).state
        self.w = {name.replace(".model.1.", "."): tensor.float() for name, tensor in loaded.items()}
        self.name = _recognised(self.w, weights)
        self.shift = torch.tensor(SHIFT).view(1, 3, 1, 1)
        self.scale = torch.tensor(SCALE).view(1, 3, 1, 1)
        blank = torch.zeros(1, 3, LEAST_SIDE, LEAST_SIDE)
        try:
            self.distances(blank, blank)
        except RuntimeError as error:  # names tell the net, shapes may still be those of another
            raise WeightsError(
                f"{weights} has the names of {self.name}, but not its shapes: {error}; fetch it again"
            ) from error

    @torch.inference_mode()
    def distances(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distance of each pair of a batch, ``(B,)``.

        Parameters
        ----------
        a, b : (B, 3, H, W), [-1, 1].
        """
        total = torch.zeros(len(a))
        for index, (u, v) in enumerate(zip(self.taps(a), self.taps(b), strict=True)):
            difference = (_unit(u) - _unit(v)).square()  # (B, C, h, w)
            total += F.conv2d(difference, self.w[f"lin{index}.weight"]).mean(dim=(1, 2, 3))
        return total

    @torch.inference_mode()
    def pooled(self, x: Tensor) -> Tensor:
        """Return the last feature map's mean over the picture, ``(B, D)``.

        Parameters
        ----------
        x : (B, 3, H, W), [-1, 1].
        """
        *_, last = self.taps(x)
        return last.mean(dim=(2, 3))

    def taps(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the feature maps that the heads compare, ``(B, C, h, w)`` each."""
        x = (x - self.shift) / self.scale
        for stage in STAGES[self.name]:
            for layer in stage:
                x = self._layer(x, layer)
            yield x

    def _layer(self, x: Tensor, layer: Layer) -> Tensor:
        kind, index, stride, padding = layer
        if kind == "pool":
            return F.max_pool2d(x, index, stride=stride, ceil_mode=bool(padding))
        if kind == "conv":
            return self._relu_conv(x, f"features.{index}", stride, padding)
        # A fire module: squeeze to few channels, then two expansions side by side.
        x = self._relu_conv(x, f"features.{index}.squeeze")
        one = self._relu_conv(x, f"features.{index}.expand1x1")
        three = self._relu_conv(x, f"features.{index}.expand3x3", padding=1)
        return torch.cat((one, three), dim=1)

    def _relu_conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self.w[f"{name}.weight"], self.w[f"{name}.bias"]
        return F.relu(F.conv2d(x, weight, bias, stride=stride, padding=padding))


def to_tensor(image: FloatImage) -> Any:
    """Return a picture ``(H, W, 1 or 3)`` in [0, 1] as ``(1, 3, H, W)`` in [-1, 1]; grey is tripled."""
    rgb = np.broadcast_to(image, (*image.shape[:2], 3)).transpose(2, 0, 1)
    return torch.tensor(np.ascontiguousarray(rgb, dtype=np.float32))[None] * 2 - 1


def _unit(x: Tensor) -> Tensor:
    """Scale each pixel's feature vector to length 1."""
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _recognised(w: dict[str, Tensor], path: Path) -> str:
    """Return the net whose layers these are, all of them present."""
    for name, stages in STAGES.items():
        wanted = {f"lin{i}.weight" for i in range(len(stages))}
        for kind, index, *_ in (layer for stage in stages for layer in stage):
            parts = {"conv": [""], "fire": [".squeeze", ".expand1x1", ".expand3x3"], "pool": []}[kind]
            wanted |= {f"features.{index}{part}.{what}" for part in parts for what in ("weight", "bias")}
        if wanted <= set(w):
            return name
    raise WeightsError(
        f"{path} does not hold the weights of an LPIPS net (squeeze, alex or vgg): expected "
        f"features.N.weight, features.N.bias and linN.weight; it holds {', '.join(sorted(w)[:4])} …"
    )
