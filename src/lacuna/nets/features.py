"""Feature networks for perceptual and style losses; their weights come from your files, none are bundled."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lacuna.torch_io import load_strict

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Features(nn.Module):
    """Run layers, keep the outputs of some; pictures are 0 … 1 and are normalised as ImageNet's were."""

    keep: tuple[int, ...]

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the features of (B, 3, H, W) pictures, 0 … 1, from shallow to deep."""
        mean, deviation = (image.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))  # (3, 1, 1)
        x, out = (image - mean) / deviation, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.keep:
                out.append(x)
        return out

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take weights by torchvision's names; the classifier, and layers beyond the last kept, are left out.

        Raises
        ------
        WeightsError : of another network.
        """
        own = {int(key.split(".")[1]) for key in self.state_dict()}
        inside = {k: v for k, v in state.items() if k.startswith("features.") and int(k.split(".")[1]) in own}
        load_strict(self, inside)
        self.eval().requires_grad_(False)


class VGG16Features(_Features):
    """VGG-16 up to its third pooling: what Liu et al. 2018 compare.

    References
    ----------
    .. [1] Simonyan & Zisserman, Very Deep Convolutional Networks, ICLR 2015, arXiv:1409.1556, column D.
    """

    keep = (4, 9, 16)

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        into = 3
        for width, count in ((64, 2), (128, 2), (256, 3)):
            for _ in range(count):
                layers += [nn.Conv2d(into, width, 3, padding=1), nn.ReLU()]
                into = width
            layers.append(nn.MaxPool2d(2))
        super().__init__(layers)


class _Fire(nn.Module):
    """Squeeze to few channels, expand by 1×1 and 3×3 convolutions side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class SqueezeFeatures(_Features):
    """SqueezeNet 1.1, at the seven layers that LPIPS compares: a small stand-in for VGG.

    References
    ----------
    .. [1] Iandola et al., SqueezeNet, 2016, arXiv:1602.07360.
    .. [2] Zhang et al., The Unreasonable Effectiveness of Deep Features, CVPR 2018, arXiv:1801.03924.
    """

    keep = (1, 4, 7, 9, 10, 11, 12)

    def __init__(self) -> None:
        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        super().__init__(
            [
                nn.Conv2d(3, 64, 3, stride=2),
                nn.ReLU(),
                pool(),
                _Fire(64, 16, 64),
                _Fire(128, 16, 64),
                pool(),
                _Fire(128, 32, 128),
                _Fire(256, 32, 128),
                pool(),
                _Fire(256, 48, 192),
                _Fire(384, 48, 192),
                _Fire(384, 64, 256),
                _Fire(512, 64, 256),
            ]
        )


class LpipsFeatures(SqueezeFeatures):
    """`SqueezeFeatures` scaled so that `lacuna.losses.perceptual` with power 2 is the LPIPS distance.

    Each pixel's features have length 1 and are weighed by the square roots of the learned heads.

    References
    ----------
    .. [1] Zhang et al., CVPR 2018, arXiv:1801.03924, eq. 1.
    """

    def __init__(self) -> None:
        super().__init__()
        for i, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
            self.register_buffer(f"head{i}", torch.ones(1, channels, 1, 1))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the scaled features of (B, 3, H, W) pictures, 0 … 1."""
        out = []
        for i, x in enumerate(super().forward(image)):
            # The small constant keeps the root's slope finite where all features are 0.
            length = (x.square().sum(1, keepdim=True) + 1e-10).sqrt()
            out.append(x / length * getattr(self, f"head{i}"))
        return out

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take the backbone's weights and the heads, ``linN.weight``.

        Raises
        ------
        WeightsError : of another network, or without heads.
        """
        heads = {f"head{i}": state.get(f"lin{i}.weight") for i in range(7)}
        load_strict(
            self,
            {
                **{k: v for k, v in state.items() if k.startswith("features.")},
                **{
                    # `perceptual` takes a mean over channels where LPIPS takes a sum.
                    name: (head * head.shape[1]).sqrt()
                    for name, head in heads.items()
                    if head is not None
                },
            },
        )
        self.eval().requires_grad_(False)
