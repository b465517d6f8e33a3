"""The UNet of guided diffusion, by the names of its published checkpoints."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

GROUPS = 32


class Resolution(nn.Module):
    """Average pooling or nearest enlarging by two, without weights."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H/2, W/2) or (B, C, 2H, 2W)."""
        return (
            F.avg_pool2d(x, 2) if self.way == "down" else F.interpolate(x, scale_factor=2.0, mode="nearest")
        )


class Downsample(nn.Module):
    """A convolution of stride two, for nets whose residual blocks keep the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H/2, W/2)."""
        return self.op(x)  # type: ignore[no-any-return]


class Upsample(nn.Module):
    """Nearest enlarging and a convolution, for nets whose residual blocks keep the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, 2H, 2W)."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """Two convolutions, between which the time shifts and, if wanted, scales.

    Parameters
    ----------
    inputs, outputs : channels.
    time : length of the embedding of the time.
    scaled : the time scales the normalised features too (adaptive group normalisation).
    dropout : share of the features that are dropped while training, 0 … 1.
    way : ``down``, ``up``, or empty: whether the block changes the size.
    """

    def __init__(
        self, inputs: int, outputs: int, time: int, *, scaled: bool, dropout: float = 0.0, way: str = ""
    ) -> None:
        super().__init__()
        self.scaled = scaled
        self.resolution = Resolution(way) if way else nn.Identity()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, (1 + scaled) * outputs))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
            nn.Dropout(dropout),
            _zeroed(nn.Conv2d(outputs, outputs, 3, 1, 1)),
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, C, H, W) and (B, T) → (B, C', H', W')."""
        norm, act, conv = self.in_layers
        h = conv(self.resolution(act(norm(x))))
        told = self.emb_layers(time)[:, :, None, None]
        norm, *rest = self.out_layers
        if self.scaled:
            scale, shift = told.chunk(2, dim=1)
            h = norm(h) * (1 + scale) + shift
        else:
            h = norm(h + told)
        for layer in rest:
            h = layer(h)
        return self.skip_connection(self.resolution(x)) + h  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Every place looks at every other one, in heads.

    Parameters
    ----------
    head : channels of a head; a divisor of ``channels``. Queries, keys and values of a head lie together in
        the published weights.
    """

    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        if channels % head:
            raise ValueError(f"heads of {head} channels do not divide {channels}")
        self.head = head
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        flat = x.flatten(2)
        parts = self.qkv(self.norm(flat)).unflatten(1, (-1, 3, self.head)).transpose(-1, -2)
        query, key, value = parts.unbind(2)  # (B, heads, HW, head)
        seen = F.scaled_dot_product_attention(query, key, value)
        return x + self.proj_out(seen.transpose(-1, -2).flatten(1, 2)).view_as(x)  # type: ignore[no-any-return]


class Stage(nn.ModuleList):
    """Layers in a row, of which residual blocks are told the time."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, C, H, W) and (B, T) → (B, C', H', W')."""
        for layer in self:
            x = layer(x, time) if isinstance(layer, ResidualBlock) else layer(x)
        return x


class GuidedDiffusionUNet(nn.Module):
    """UNet with attention that is told the step; what ADM and RePaint's checkpoints are weights of.

    Parameters
    ----------
    width : channels at full size, a multiple of 32.
    multiples : of the width, one for each level; each further level has half of the size.
    blocks : residual blocks of each level.
    attention : levels with attention, counted from 0; the middle has it always.
    head : channels of an attention head; 64 in the published nets. A state does not tell it.
    inputs, outputs : channels; twice as many outputs as colours where the variance is learned.
    scaled : see `ResidualBlock`.
    resizing : residual blocks change the size themselves.
    classes : of a net that is told what the picture shows; 0 is none.
    dropout : see `ResidualBlock`; of training alone.

    References
    ----------
    .. [1] Dhariwal & Nichol, Diffusion Models Beat GANs on Image Synthesis, NeurIPS 2021, arXiv:2105.05233.
    .. [2] Lugmayr et al., RePaint, CVPR 2022: uses these nets.
    """

    def __init__(
        self,
        width: int = 256,
        multiples: Sequence[int] = (1, 1, 2, 2, 4, 4),
        blocks: int = 2,
        attention: Sequence[int] = (3, 4, 5),
        head: int = 64,
        *,
        inputs: int = 3,
        outputs: int = 6,
        scaled: bool = True,
        resizing: bool = True,
        classes: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width < GROUPS or width % GROUPS or not multiples or blocks < 1:
            raise ValueError(f"width {width}, {len(multiples)} levels of {blocks} blocks cannot be built")
        self.config: dict[str, Any] = {
            "width": width, "multiples": list(multiples), "blocks": blocks, "attention": sorted(attention),
            "head": head, "inputs": inputs, "outputs": outputs, "scaled": scaled, "resizing": resizing,
            "classes": classes, "dropout": dropout,
        }  # fmt: skip
        self.multiple = 2 ** (len(multiples) - 1)
        time = 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.label_emb = nn.Embedding(classes, time) if classes else None

        def block(a: int, b: int, way: str = "") -> ResidualBlock:
            return ResidualBlock(a, b, time, scaled=scaled, dropout=dropout, way=way)

        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(inputs, width, 3, padding=1)])])
        channels, kept = width, [width]
        last = len(multiples) - 1
        for level, multiple in enumerate(multiples):
            for _ in range(blocks):
                layers: list[nn.Module] = [block(channels, multiple * width)]
                channels = multiple * width
                layers += [Attention(channels, head)] if level in attention else []
                self.input_blocks.append(Stage(layers))
                kept.append(channels)
            if level < last:
                smaller = block(channels, channels, "down") if resizing else Downsample(channels)
                self.input_blocks.append(Stage([smaller]))
                kept.append(channels)
        self.middle_block = Stage(
            [block(channels, channels), Attention(channels, head), block(channels, channels)]
        )
        self.output_blocks = nn.ModuleList()
        for level in range(last, -1, -1):
            for i in range(blocks + 1):
                layers = [block(channels + kept.pop(), multiples[level] * width)]
                channels = multiples[level] * width
                layers += [Attention(channels, head)] if level in attention else []
                if level and i == blocks:
                    layers.append(block(channels, channels, "up") if resizing else Upsample(channels))
                self.output_blocks.append(Stage(layers))
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), _zeroed(nn.Conv2d(channels, outputs, 3, 1, 1))
        )

    @staticmethod
    def config_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Read the arguments from names and shapes, which do not tell ``head`` and ``dropout``."""
        width, inputs = state["input_blocks.0.0.weight"].shape[:2]
        stages = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("input_blocks."))
        ups = {
            key.split(".")[1]
            for key in state
            if re.fullmatch(r"output_blocks\.\d+\.[12]\.(conv\.weight|in_layers\.2\.weight)", key)
        }
        levels = len(ups) + 1
        blocks = stages // levels - 1
        if levels * (blocks + 1) != stages or blocks < 1:
            raise ValueError(f"{stages} input blocks on {levels} levels")
        firsts = [1 + level * (blocks + 1) for level in range(levels)]
        outs = [state[f"input_blocks.{i}.0.out_layers.3.weight"].shape[0] for i in firsts]
        labels = state.get("label_emb.weight")
        return {
            "width": int(width),
            "multiples": [int(out // width) for out in outs],
            "blocks": blocks,
            "attention": [n for n, i in enumerate(firsts) if f"input_blocks.{i}.1.qkv.weight" in state],
            "inputs": int(inputs),
            "outputs": int(state["out.2.weight"].shape[0]),
            "scaled": state["middle_block.0.emb_layers.1.weight"].shape[0] == 2 * outs[-1],
            "resizing": not any(key.endswith(".op.weight") for key in state),
            "classes": 0 if labels is None else int(labels.shape[0]),
        }

    def forward(self, x: Tensor, step: Tensor, label: Tensor | None = None) -> Tensor:
        """Return what the net says of noisy pictures, (B, outputs, H, W).

        Parameters
        ----------
        x : (B, inputs, H, W); H and W multiples of `multiple`.
        step : (B,), number of the step in the schedule of the training, 0 … 999.
        label : (B,), int64, for nets with classes.
        """
        if (label is None) != (self.label_emb is None):
            raise ValueError("a net with classes needs labels, and one without takes none")
        time = self.time_embed(embedding(step, self.config["width"]).to(x.dtype))
        if self.label_emb is not None:
            time = time + self.label_emb(label)
        kept = []
        for stage in self.input_blocks:
            x = stage(x, time)
            kept.append(x)
        x = self.middle_block(x, time)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, kept.pop()], dim=1), time)
        return self.out(x)  # type: ignore[no-any-return]


def embedding(step: Tensor, size: int) -> Tensor:
    """Return (B, size) cosines and sines of the step at falling frequencies.

    References
    ----------
    .. [1] Vaswani et al., Attention Is All You Need, NeurIPS 2017, section 3.5.
    """
    half = size // 2
    places = torch.arange(half, dtype=torch.float32, device=step.device)
    angles = step[:, None].float() * torch.exp(places * (-math.log(10000) / half))
    return F.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, size % 2))


def _zeroed(layer: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """Return a layer that starts as nothing, so that a block starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
