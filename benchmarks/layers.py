"""Layers of the networks against the plain way to write them: the fastest of interleaved runs, and ratios.

::

    python benchmarks/layers.py            # on the CPU, and on the GPU where there is one

Only torch is needed. Partial convolution: the aim is at most 1.25 times a plain convolution. Attention: the
published code loops over the batch with one convolution per picture, whose filters are the patches.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna.nets.contextual_attention import contextual_attention, copyable
from lacuna.nets.partial_conv import PartialConv2d


def fastest(ways: dict[str, Callable[[], Any]], device: torch.device, repeats: int) -> dict[str, float]:
    """Return milliseconds of each way, run in turns after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            _wait(device)
            start = time.perf_counter()
            way()
            _wait(device)
            if turn:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: min(values) for name, values in times.items()}


def partial_against_plain(device: torch.device, repeats: int) -> dict[str, float]:
    """Time one layer of 64 channels on 256×256 pixels, with the masks that occur and with the naive count."""
    layer = PartialConv2d(64, 64, 3, padding=1).to(device)
    x = torch.randn(1, 64, 256, 256, device=device)
    mask = (F.interpolate(torch.rand(1, 1, 16, 16, device=device), 256) > 0.3).float()
    whole, ones = mask.expand(-1, 64, -1, -1).contiguous(), torch.ones_like(layer.weight)
    bias: Any = layer.bias

    def naive() -> Any:
        y = F.conv2d(x * whole, layer.weight, padding=1)
        count = F.conv2d(whole, ones, padding=1)
        seen = count > 0
        return torch.where(seen, y * (576 / count.clamp(min=1)) + bias[:, None, None], 0)

    torch.testing.assert_close(layer(x, mask)[0], naive(), rtol=1e-4, atol=1e-4)
    ways: dict[str, Callable[[], Any]] = {
        "plain convolution": lambda: F.conv2d(x, layer.weight, bias, padding=1),
        "partial, shared mask": lambda: layer(x, mask),
        "partial, mask per channel": lambda: layer(x, whole),
        "partial, counted by a convolution with ones": naive,
    }
    return fastest(ways, device, repeats)


def looped(features: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    """Attention as it is published: for each picture, convolutions whose filters are patches."""
    outs = []
    for picture, hole in zip(features.split(1), missing.split(1), strict=True):
        small = picture[..., ::2, ::2]
        h, w = small.shape[-2:]
        filters = F.unfold(small, 3, padding=1)[0].T.reshape(h * w, -1, 3, 3)
        filters = filters / filters.flatten(1).norm(dim=1).clamp(min=1e-4).view(-1, 1, 1, 1)
        scores = F.conv2d(small, filters, padding=1).view(1, 1, h * w, h * w)
        eye = torch.eye(3, device=picture.device).view(1, 1, 3, 3)
        scores = F.conv2d(scores, eye, padding=1).view(1, h, w, h, w).permute(0, 2, 1, 4, 3)
        scores = F.conv2d(scores.reshape(1, 1, h * w, h * w), eye, padding=1)
        scores = scores.view(1, w, h, w, h).permute(0, 2, 1, 4, 3).reshape(1, h * w, h, w)
        known = copyable(hole, (h, w)).view(1, -1, 1, 1)
        shares = torch.softmax(scores * known * 10, 1) * known
        patches = F.unfold(picture, 4, stride=2, padding=1)[0].T.reshape(h * w, -1, 4, 4)
        outs.append(F.conv_transpose2d(shares, patches, stride=2, padding=1) / 4)
    return torch.cat(outs)


def attention_against_loop(device: torch.device, repeats: int, batch: int) -> dict[str, float]:
    """Time attention on the features of 256×256 pictures in DeepFill v2: 96 channels, 64×64."""
    features = torch.randn(batch, 96, 64, 64, device=device)
    missing = torch.zeros(batch, 1, 256, 256, device=device)
    missing[..., 64:160, 64:160] = 1
    ours, theirs = contextual_attention(features, features, missing)[0], looped(features, missing)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    ways: dict[str, Callable[[], Any]] = {
        "batched matrix products": lambda: contextual_attention(features, features, missing),
        "loop of convolutions": lambda: looped(features, missing),
    }
    return fastest(ways, device, repeats)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _show(title: str, times: dict[str, float], base: str) -> None:
    print(f"\n{title}")
    for name, value in times.items():
        print(f"  {name:<46} {value:9.2f} ms  {value / times[base]:6.2f} × {base}")


@torch.inference_mode()
def main() -> None:
    """Print one table a comparison and device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch", type=int, default=4, help="pictures in the attention's batch")
    arguments = parser.parse_args()
    places = [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])
    for place in places:
        name = (
            torch.cuda.get_device_name(place)
            if place.type == "cuda"
            else f"{torch.get_num_threads()} threads"
        )
        print(f"\n== {place.type}, {name}, torch {torch.__version__}")
        partial = partial_against_plain(place, arguments.repeats)
        _show("64 → 64 channels, 3×3, 256×256", partial, "plain convolution")
        title = f"contextual attention, batch {arguments.batch}, 96 channels, 64×64"
        _show(
            title,
            attention_against_loop(place, arguments.repeats, arguments.batch),
            "batched matrix products",
        )


if __name__ == "__main__":
    main()
