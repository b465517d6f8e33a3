"""Layers of the networks against the plain way to write them: interleaved runs, medians of paired ratios.

::

    python benchmarks/layers.py              # on the CPU, and on the GPU where there is one
    python benchmarks/layers.py --compile    # torch.compile as well; it needs a C++ compiler, and minutes

Only torch is needed. The ways are run in turns, and each turn is compared with its own plain run, so that
other work on the machine hits both. On one CPU thread the clock is the process's own time, which other work
does not touch at all; on several it is the wall's. Partial convolution: the aim is at most 1.25 times a plain
convolution. Attention: the published code loops over the batch with one convolution per picture, whose
filters are the patches.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna.nets.contextual_attention import contextual_attention, copyable
from lacuna.nets.gated_conv import DeepFillV2
from lacuna.nets.lama import Lama
from lacuna.nets.partial_conv import PartialConv2d
from lacuna.threads import thread_count


class Timing(NamedTuple):
    """Milliseconds of a way, and how many times the first way's they are: medians over the turns."""

    milliseconds: float
    ratio: float


def compared(ways: dict[str, Callable[[], Any]], device: torch.device, repeats: int) -> dict[str, Timing]:
    """Time each way, in turns after one warm-up; ratios are to the first one."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            _wait(device)
            start = clock()
            way()
            _wait(device)
            if turn:
                times[name].append(1000 * (clock() - start))
    base = next(iter(times.values()))
    return {
        name: Timing(median(values), median(a / b for a, b in zip(values, base, strict=True)))
        for name, values in times.items()
    }


class Layer(NamedTuple):
    """A partial convolution of 64 channels and what it is given: 256×256 features, masks with large holes."""

    layer: PartialConv2d
    x: torch.Tensor
    mask: torch.Tensor
    whole: torch.Tensor
    counts: torch.Tensor

    @staticmethod
    def on(device: torch.device, layout: torch.memory_format = torch.contiguous_format) -> Layer:
        """Make one, the features and weights laid out in memory as asked."""
        layer = PartialConv2d(64, 64, 3, padding=1).to(device, memory_format=layout)  # type: ignore[call-overload]
        x = torch.randn(1, 64, 256, 256, device=device).contiguous(memory_format=layout)
        mask = (F.interpolate(torch.rand(1, 1, 16, 16, device=device), 256) > 0.3).float()
        whole = mask.expand(-1, 64, -1, -1).contiguous(memory_format=layout)
        return Layer(layer, x.requires_grad_(), mask, whole, 64 * mask)

    def plain(self) -> torch.Tensor:
        """Convolve without any mask."""
        return F.conv2d(self.x, self.layer.weight, self.layer.bias, padding=1)

    def naive(self) -> torch.Tensor:
        """Count valid pixels by a convolution with ones."""
        ones = torch.ones_like(self.layer.weight)
        y = F.conv2d(self.x * self.whole, self.layer.weight, padding=1)
        count = F.conv2d(self.whole, ones, padding=1)
        bias: Any = self.layer.bias
        return torch.where(count > 0, y * (576 / count.clamp(min=1)) + bias[:, None, None], 0)

    def ways(self, *, compiled: bool) -> dict[str, Callable[[], torch.Tensor]]:
        """Return the ways to compare."""
        found: dict[str, Callable[[], torch.Tensor]] = {
            "plain convolution": self.plain,
            "partial, shared mask": lambda: self.layer(self.x, self.mask)[0],
            "partial, mask per channel": lambda: self.layer(self.x, self.whole)[0],
            "partial, mask of counts, as in the U-Net": lambda: self.layer(self.x, self.counts, counted=True)[
                0
            ],
            "partial, counted by a convolution with ones": self.naive,
        }
        if compiled:
            fused: Any = torch.compile(self.layer)
            found["partial, shared mask, torch.compile"] = lambda: fused(self.x, self.mask)[0]
        return found

    def trained(self, way: Callable[[], torch.Tensor], slope: torch.Tensor) -> Callable[[], None]:
        """Return the way with its gradients."""

        def step() -> None:
            self.x.grad = self.layer.weight.grad = None
            way().backward(slope)

        return step


def partial_against_plain(device: torch.device, repeats: int, *, compiled: bool) -> None:
    """Print the tables of one layer: forward, forward and backward, channels last."""
    one = Layer.on(device)
    torch.testing.assert_close(one.layer(one.x, one.mask)[0], one.naive(), rtol=1e-4, atol=1e-4)
    ways = one.ways(compiled=compiled)
    slope = torch.randn(1, 64, 256, 256, device=device)
    steps = {name: one.trained(way, slope) for name, way in ways.items()}
    title = "64 → 64 channels, 3×3, 256×256"
    with torch.no_grad():
        _show(f"{title}, forward", compared(ways, device, repeats))
    _show(f"{title}, forward and backward", compared(steps, device, repeats))
    last = Layer.on(device, torch.channels_last)
    both = {
        "plain convolution": one.plain,
        "plain convolution, channels last": last.plain,
        "partial, shared mask, channels last": lambda: last.layer(last.x, last.mask)[0],
    }
    with torch.no_grad():
        _show(f"{title}, forward, layout in memory", compared(both, device, repeats))


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


def attention_against_loop(device: torch.device, repeats: int, batch: int) -> None:
    """Print the table of attention on the features of 256×256 pictures in DeepFill v2: 96 channels, 64×64."""
    features = torch.randn(batch, 96, 64, 64, device=device)
    missing = torch.zeros(batch, 1, 256, 256, device=device)
    missing[..., 64:160, 64:160] = 1
    ours, theirs = contextual_attention(features, features, missing)[0], looped(features, missing)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    ways: dict[str, Callable[[], Any]] = {
        "batched matrix products": lambda: contextual_attention(features, features, missing),
        "loop of convolutions, one a picture": lambda: looped(features, missing),
    }
    _show(f"contextual attention, batch {batch}, 96 channels, 64×64", compared(ways, device, repeats))


def whole_networks(device: torch.device, repeats: int, *, compiled: bool) -> None:
    """Print what channels last and torch.compile do for two networks at a quarter of their width, 256×256."""
    for make in (lambda: Lama(16, 3), lambda: DeepFillV2(12)):
        net: Any = make().to(device).eval().requires_grad_(False)
        last: Any = copy.deepcopy(net).to(memory_format=torch.channels_last)
        image, mask = torch.rand(1, 3, 256, 256, device=device), torch.zeros(1, 1, 256, 256, device=device)
        mask[..., 80:160, 80:160] = 1
        turned = image.contiguous(memory_format=torch.channels_last)
        ways: dict[str, Callable[[], Any]] = {
            "channels first": lambda net=net, image=image, mask=mask: net(image, mask),
            "channels last": lambda net=last, image=turned, mask=mask: net(image, mask),
        }
        if compiled:
            fused: Any = torch.compile(last)
            ways["channels last, torch.compile"] = lambda net=fused, image=turned, mask=mask: net(image, mask)
        with torch.no_grad():
            _show(f"{type(net).__name__} at a quarter of its width, 256×256", compared(ways, device, repeats))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _show(title: str, times: dict[str, Timing]) -> None:
    base = next(iter(times))
    print(f"\n{title}")
    for name, one in times.items():
        print(f"  {name:<46} {one.milliseconds:9.2f} ms  {one.ratio:6.2f} × {base}")


def main(arguments: list[str] | None = None) -> None:
    """Print one table a comparison and device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch", type=int, default=4, help="pictures in the attention's batch")
    parser.add_argument("--threads", type=int, default=thread_count(), help="of torch, on the CPU")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    places = [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])
    for place in places:
        where = f"{chosen.threads} threads" if place.type == "cpu" else torch.cuda.get_device_name(place)
        print(f"\n== {place.type}, {where}, torch {torch.__version__}")
        partial_against_plain(place, chosen.repeats, compiled=chosen.compile)
        with torch.inference_mode():
            attention_against_loop(place, chosen.repeats, chosen.batch)
        whole_networks(place, chosen.repeats, compiled=chosen.compile)


if __name__ == "__main__":
    main()
