"""Damaged crops for training, many at once: processes draw damage, the device lays it over photos.

Drawing is what takes time, so what is drawn (`damage.veils`) is used several times: cut elsewhere, turned,
over another photo. What is seen of it is decided as in `damage.damage`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from damage import MASKED, VISIBLE, Plan, veils
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna.detect.network import GAIN, HATS

Among = Callable[..., torch.Tensor]

CROP = 256
CANVAS = 384
SEED = 71_000_000
"""Damage seeds of training start here, those of dev and eval elsewhere (restoration.py)."""
GREY = (0.299, 0.587, 0.114)


class Drawn(torch.utils.data.IterableDataset[torch.Tensor]):
    """Veils without end: float16 (3, 4, CANVAS, CANVAS)."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[torch.Tensor]:
        info = torch.utils.data.get_worker_info()
        index, step = (info.id, info.num_workers) if info else (0, 1)
        cv2.setNumThreads(1)
        while True:
            rng = np.random.default_rng(SEED + self.first + index)
            more = float(rng.choice([0.6, 1.2], p=[0.4, 0.6]))
            plan = Plan(
                scratches=(2 * more, 9 * more),
                dust=(4 * more, 50 * more),
                hairs=(0, 6 * more),
                creases=(0, int(rng.random() < 0.7 * more)),
                corners=(0, int(rng.random() < 0.2 * more)),
            )
            yield torch.from_numpy(veils(CANVAS, rng, plan)).half()
            index += step


class Pool:
    """The veils drawn last, on the device, renewed while training goes on."""

    def __init__(self, size: int, workers: int, first: int, device: torch.device) -> None:
        self.drawn = 0
        # Processes are forked before anything else runs on threads or the device.
        self._queue = iter(torch.utils.data.DataLoader(Drawn(first), batch_size=None, num_workers=workers))
        self._veils = torch.zeros((size, 3, 4, CANVAS, CANVAS), dtype=torch.float16, device=device)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        for veil in self._queue:
            if self._closed.is_set():
                return
            self._veils[self.drawn % len(self._veils)].copy_(veil)
            self.drawn += 1

    def close(self) -> None:
        """Draw no more."""
        self._closed.set()
        self._thread.join()

    def wait(self, fewest: int) -> None:
        """Wait until there is some choice."""
        while self.drawn < min(fewest, len(self._veils)):
            time.sleep(0.1)

    def cut(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """Return (count, 3, 4, CROP, CROP), cut anywhere and turned."""
        out = []
        for index in rng.integers(min(self.drawn, len(self._veils)), size=count):
            top, left = rng.integers(CANVAS - CROP + 1, size=2)
            # Scratches of a film's transport run upwards: a quarter turn is rare.
            out.append(turned(self._veils[index, ..., top : top + CROP, left : left + CROP], rng, 0.2))
        return torch.stack(out).float()


def turned(image: torch.Tensor, rng: np.random.Generator, quarter: float) -> torch.Tensor:
    """Return (…, H, W) mirrored or not, upside down or not, and seldom or often by a quarter turn."""
    axes = [axis for axis in (-2, -1) if rng.random() < 0.5]
    image = torch.flip(image, axes) if axes else image
    return image.transpose(-2, -1) if rng.random() < quarter else image


class Photos:
    """Whole photos on the device."""

    def __init__(self, files: list[Path], device: torch.device) -> None:
        self._photos = []
        for file in files:
            pixels = np.ascontiguousarray(cv2.imread(str(file))[..., ::-1].transpose(2, 0, 1))
            self._photos.append(torch.from_numpy(pixels).to(device))

    def cut(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """Return (count, 3, CROP, CROP) in [0, 1], enlarged or reduced a little, turned."""
        out = []
        for index in rng.integers(len(self._photos), size=count):
            photo = self._photos[index]
            scale = float(
                rng.choice([rng.uniform(0.8, 1.3), 1.0, rng.uniform(1.3, 2.6)], p=[0.25, 0.4, 0.35])
            )
            side = min(int(np.ceil(CROP / scale)), *photo.shape[1:])
            top, left = (int(rng.integers(n - side + 1)) for n in photo.shape[1:])
            part = photo[None, :, top : top + side, left : left + side].float() / 255
            if side != CROP:
                part = F.interpolate(part, (CROP, CROP), mode="bicubic", antialias=side > CROP)
            out.append(turned(part[0], rng, 0.5))
        return torch.stack(out).clamp_(0, 1)


def batch(
    photos: Photos, pool: Pool, count: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return planes (B, 7, H, W) of damaged crops, labels (B, 2, H, W), and how much they count."""
    photo = photos.cut(count, rng)
    device = photo.device

    def among(low: float, high: float, share: float = 1.0, otherwise: float = 0.0) -> torch.Tensor:
        """Return a number for each crop, (B, 1, 1, 1); one that changes nothing where it is left out."""
        values = np.where(rng.random(count) < share, rng.uniform(low, high, count), otherwise)
        return torch.from_numpy(values.astype(np.float32)).to(device).view(-1, 1, 1, 1)

    clean = aged(photo, among)
    clean = (clean + grain(clean, among(0, 0.025), among(0.3, 0.9))).clamp_(0, 1)
    veil = pool.cut(count, rng)
    spared = torch.from_numpy(rng.random(count) < 0.15)
    veil[spared, :, :3], veil[spared, :, 3:] = 0, 1
    image, layers = clean, []
    for kind in range(3):
        after = veil[:, kind, 3:] * image + veil[:, kind, :3]
        layers.append((after - image).abs().amax(1))
        image = after
    image = image.clamp(0, 1)
    labels, weights = seen(image, clean, layers)
    image = torch.lerp(image, blurred(image, among(0.25, 0.7)), among(1, 1, 0.4))
    image = torch.lerp(image, squeezed(image, among(75, 98)), among(1, 1, 0.4))
    return planes((image * 255).round() / 255), labels, weights


def seen(
    image: torch.Tensor, clean: torch.Tensor, layers: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return labels and weights (B, 2, H, W), from what each kind of damage changed (B, H, W)."""
    torn = F.max_pool2d((layers[2] > 0).float(), 5, 1, 2)
    torn = -F.max_pool2d(-torn, 5, 1, 2) > 0
    changed = (image - clean).abs().amax(1)
    bright = F.pad(clean.mean(1, keepdim=True), (7, 7, 7, 7), mode="reflect")
    mean = F.avg_pool2d(bright, 15, 1)
    spread = (F.avg_pool2d(bright * bright, 15, 1) - mean * mean).clamp_(min=0).sqrt()[:, 0]
    visible = (changed > (MASKED * spread).clamp(min=VISIBLE)) & ~torn
    labels = torch.stack([(layer > VISIBLE) & visible for layer in layers[:2]], 1)
    some = labels.any(1)
    around = F.max_pool2d(some.float(), 3, 1, 1) > 0
    weights = torch.ones_like(labels, dtype=torch.float32)
    # The rim is neither: what a person can see of it depends on the grain.
    weights[((around | (changed > 0.5 / 255)) & ~some)[:, None].expand_as(weights)] = 0.15
    weights[torn[:, None].expand_as(weights)] = 0
    # One kind of damage taken for the other is a small mistake.
    for one, other in ((0, 1), (1, 0)):
        weights[:, one][labels[:, other] & ~labels[:, one]] = 0.3
    return labels.float(), weights


def aged(photo: torch.Tensor, among: Among) -> torch.Tensor:
    """Return photos that are grey, brown or faded, as often as not; otherwise as they are."""
    grey = (photo * photo.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    brown = torch.cat([grey, grey ** among(1, 1.3, 0.5, 1), grey ** among(1, 1.8, 0.5, 1)], 1)
    photo = torch.lerp(photo, brown, among(1, 1, 0.35))
    faded = among(0, 0.2) + among(0.6, 0.9) * photo ** among(0.7, 1.4)
    return torch.lerp(photo, faded, among(1, 1, 0.5)).clamp_(0, 1)


def grain(image: torch.Tensor, sigma: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Return film grain, mostly the same in all channels."""
    noise = 0.8 * torch.randn_like(image[:, :1]) + 0.4 * torch.randn_like(image)
    soft = blurred(noise, size)
    return sigma / soft.std((1, 2, 3), keepdim=True) * soft


def blurred(image: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Return each image under its own Gaussian; sigma (B, 1, 1, 1), up to 1 pixel."""
    weights = [torch.exp(-0.5 * (step / sigma.clamp(min=1e-3)) ** 2) for step in range(4)]
    total = weights[0] + 2 * sum(weights[1:])
    for axis, pad in ((-1, (3, 3, 0, 0)), (-2, (0, 0, 3, 3))):
        wide, size = F.pad(image, pad, mode="reflect"), image.shape[axis]
        image = sum(weights[abs(step)] / total * wide.narrow(axis, step + 3, size) for step in range(-3, 4))  # type: ignore[assignment]
    return image


def squeezed(image: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Return each image about as JPEG keeps it: half the colour, 8 × 8 cosines, finer steps for low ones."""
    k = torch.arange(8.0, device=image.device)
    waves = torch.cos(torch.pi / 8 * (k[None] + 0.5) * k[:, None]) / 2  # (8 frequencies, 8 pixels)
    waves[0] /= 2**0.5
    frequency = k[:, None] + k[None]
    factor = (2 - quality / 50).view(-1, 1, 1, 1, 1, 1)
    grey = (image * image.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    colour = F.avg_pool2d(image[:, ::2] - grey, 2)  # red and blue

    def coded(plane: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        b, c, h, w = plane.shape
        tiles = plane.view(b, c, h // 8, 8, w // 8, 8).transpose(3, 4) * 255  # (B, C, H/8, W/8, 8, 8)
        step = (steps * factor).clamp(min=1)
        tiles = waves.T @ ((waves @ tiles @ waves.T / step).round() * step) @ waves
        return tiles.transpose(3, 4).reshape(b, c, h, w) / 255

    grey = coded(grey, 11 + 7 * frequency)
    colour = F.interpolate(
        coded(colour, (17 + 14 * frequency).clamp(max=99)), scale_factor=2.0, mode="bilinear"
    )
    red, blue = (colour + grey).unbind(1)
    green = (grey[:, 0] - GREY[0] * red - GREY[2] * blue) / GREY[1]
    return torch.stack([red, green, blue], 1).clamp_(0, 1)


def planes(image: torch.Tensor) -> torch.Tensor:
    """Return what the net sees, (B, 7, H, W), as `lacuna.detect.network.planes` makes it."""
    grey = (image.sum(1, keepdim=True) * 85).round()
    out = [image]
    for side in HATS:
        opened = _widest(-_widest(-grey, side), side)
        closed = -_widest(-_widest(grey, side), side)
        out += [(grey - opened) * (GAIN / 255), (closed - grey) * (GAIN / 255)]
    return torch.cat(out, 1)


def _widest(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return the largest value in a square."""
    image = F.max_pool2d(image, (side, 1), 1, (side // 2, 0))
    return F.max_pool2d(image, (1, side), 1, (0, side // 2))
