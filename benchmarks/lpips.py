"""LPIPS with the SqueezeNet-1.1 backbone, in plain torch: how different two pictures look.

The only benchmark file that imports torch; torchvision and the lpips package are not needed. Weights: one
safetensors file with ``features.N.*`` (SqueezeNet 1.1, torchvision) and ``linN.weight`` (heads of LPIPS 0.1).

References
----------
.. [1] Zhang, Isola, Efros, Shechtman & Wang, The Unreasonable Effectiveness of Deep Features as a Perceptual
   Metric, CVPR 2018, arXiv:1801.03924, eq. 1.
.. [2] Iandola et al., SqueezeNet, arXiv:1602.07360 (version 1.1 of the authors' repository).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from splits import shared_folder
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own custom

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
# (layers of `features`, in order) up to each of the seven taps; P is the 3×3, stride-2 pooling.
STAGES = (("conv",), ("P", 3, 4), ("P", 6, 7), ("P", 9), (10,), (11,), (12,))

WITNESS = 0.1005
"""What the reference implementations give for the seeded noise of `witness`, to the printed precision."""


class Lpips:
    """The network, loaded once.

    Parameters
    ----------
    weights : safetensors file; None takes ``metrics/lpips_squeeze.safetensors`` of the shared folder.

    Raises
    ------
    FileNotFoundError : no such file.
    """

    def __init__(self, weights: Path | None = None):
        path = weights or shared_folder() / "metrics" / "lpips_squeeze.safetensors"
        if not path.is_file():
            raise FileNotFoundError(
                f"no LPIPS weights at {path}; LACUNA_SHARED names the folder with metrics/"
            )
        self.w = load_file(path)
        self.shift = torch.tensor(SHIFT).view(1, 3, 1, 1)
        self.scale = torch.tensor(SCALE).view(1, 3, 1, 1)

    def taps(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the seven feature maps, each pixel's feature vector scaled to length 1.

        Parameters
        ----------
        x : (B, 3, H, W), [-1, 1].
        """
        x = (x - self.shift) / self.scale
        for stage in STAGES:
            for layer in stage:
                x = self._layer(x, layer)
            yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)

    @torch.inference_mode()
    def tensor(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distance of each pair of a batch.

        Parameters
        ----------
        a, b : (B, 3, H, W), [-1, 1].

        Returns
        -------
        (B,), 0 = alike.
        """
        total = torch.zeros(len(a))
        for index, (u, v) in enumerate(zip(self.taps(a), self.taps(b), strict=True)):
            weighted = F.conv2d((u - v).square(), self.w[f"lin{index}.weight"])
            total += weighted.mean(dim=(1, 2, 3))
        return total

    def __call__(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        """Return the distance of two pictures.

        Parameters
        ----------
        a, b : (H, W, 1 or 3), [0, 1]. Grey pictures are tripled.
        """
        return float(self.tensor(_to_tensor(a), _to_tensor(b))[0])

    def _layer(self, x: Tensor, layer: str | int) -> Tensor:
        if layer == "P":
            return F.max_pool2d(x, 3, stride=2, ceil_mode=True)
        if layer == "conv":
            return F.relu(F.conv2d(x, self.w["features.0.weight"], self.w["features.0.bias"], stride=2))
        # A fire module: squeeze to few channels, then two expansions side by side.
        x = F.relu(self._conv(x, f"features.{layer}.squeeze"))
        one = self._conv(x, f"features.{layer}.expand1x1")
        three = self._conv(x, f"features.{layer}.expand3x3", padding=1)
        return F.relu(torch.cat((one, three), dim=1))

    def _conv(self, x: Tensor, name: str, padding: int = 0) -> Tensor:
        return F.conv2d(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"], padding=padding)


def _to_tensor(image: NDArray[np.float32]) -> Tensor:
    rgb = np.broadcast_to(image, (*image.shape[:2], 3)).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(rgb, dtype=np.float32))[None] * 2 - 1


@functools.lru_cache(maxsize=1)
def network() -> Lpips:
    """Return the network, loading it at the first call."""
    return Lpips()


def lpips(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the LPIPS (squeeze) distance of two pictures ``(H, W, 1 or 3)`` in [0, 1]; 0 = alike."""
    return network()(a, b)


def witness() -> float:
    """Return the mean distance of two seeded batches of noise; it should round to `WITNESS`.

    Raises
    ------
    RuntimeError : the network computes something else than the reference implementations.
    """
    torch.manual_seed(42)
    a = torch.rand(10, 3, 100, 100) * 2 - 1
    b = torch.rand(10, 3, 100, 100) * 2 - 1
    value = float(network().tensor(a, b).mean())
    if abs(value - WITNESS) > 1e-4:
        raise RuntimeError(f"LPIPS of the seeded noise is {value:.5f}; the reference gives {WITNESS}")
    return value


if __name__ == "__main__":
    print(f"LPIPS witness: {witness():.5f} (reference {WITNESS})")
