"""Train the net that finds scratches and dust, on photos of yours with drawn damage.

::

    python benchmarks/train_damage.py --photos DIR --last 60 -o src/lacuna/detect/damage.onnx

The last photos of the folder (by name) are left for choosing thresholds (restoration.py --split dev). Needs
torch and onnx; running the detector needs neither. About half an hour on two cores.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from damage import Plan, damage
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from lacuna.detect.network import HATS, planes

CROP, BATCH = 192, 4
PLANES = 3 + 2 * len(HATS)
SEED = 71_000_000
"""Damage seeds of training start here, those of dev and eval elsewhere (restoration.py)."""


def block(a: int, b: int, size: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Return a convolution with its normalisation and activation."""
    pad = dilation * (size // 2)
    conv = nn.Conv2d(a, b, size, stride, pad, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(b), nn.ReLU(inplace=True))


class Net(nn.Module):
    """A small U-Net from half the size down to an eighth; two maps at full size, scratches and dust."""

    def __init__(self, a: int = 20, b: int = 32, c: int = 48) -> None:
        super().__init__()
        self.halved = nn.Sequential(block(4 * PLANES, a), block(a, a))
        self.quarter = nn.Sequential(block(a, b, stride=2), block(b, b), block(b, b))
        self.eighth = nn.Sequential(
            block(b, c, stride=2), block(c, c), block(c, c, dilation=2), block(c, c, dilation=4), block(c, c)
        )
        self.join_quarter = nn.Sequential(block(b + c, b, 1), block(b, b))
        self.join_half = nn.Sequential(block(a + b, a, 1), block(a, a))
        self.out = nn.Conv2d(a, 8, 3, padding=1)
        nn.init.constant_(self.out.bias, -3.0)  # most pixels are whole

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (B, 2, H, W) for planes (B, 7, H, W) of pictures; H and W are multiples of 8."""
        return F.pixel_shuffle(self.maps(F.pixel_unshuffle(image, 2)), 2)  # (B, 2, H, W)

    def maps(self, folded: torch.Tensor) -> torch.Tensor:
        """Return the answer's eight channels at half the size, from the planes' 28."""
        half = self.halved(folded - 0.5)  # (B, a, H/2, W/2)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        quarter = self.join_quarter(torch.cat([quarter, F.interpolate(eighth, scale_factor=2.0)], 1))
        half = self.join_half(torch.cat([half, F.interpolate(quarter, scale_factor=2.0)], 1))
        return self.out(half)  # (B, 8, H/2, W/2)


class Crops(torch.utils.data.IterableDataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Damaged crops without end: planes (7, H, W), labels (2, H, W) and weights (2, H, W)."""

    def __init__(self, files: list[Path], first: int) -> None:
        self.files, self.first = files, first

    def __iter__(self) -> Any:
        info = torch.utils.data.get_worker_info()
        index, step = (info.id, info.num_workers) if info else (0, 1)
        while True:
            yield sample(self.files, np.random.default_rng(SEED + self.first + index))
            index += step


def sample(files: list[Path], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a damaged crop, its labels and how much they count."""
    photo = _aged(_crop(files[rng.integers(len(files))], rng), rng)
    more = float(rng.choice([0.0, 0.6, 1.2], p=[0.15, 0.35, 0.5]))
    plan = Plan(
        scratches=(2 * more, 9 * more),
        dust=(4 * more, 50 * more),
        hairs=(0, 6 * more),
        creases=(0, int(rng.random() < 0.4 * more)),
        corners=(0, int(rng.random() < 0.2 * more)),
        grain=(0, 0.035),
    )
    found = damage(photo, rng, plan)
    image = found.image
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.25, 0.7))
    pixels = np.rint(image * 255).astype(np.uint8)
    if rng.random() < 0.5:
        code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(75, 98))])[1]
        pixels = cv2.imdecode(code, cv2.IMREAD_COLOR)
    labels = np.stack([found.scratches, found.dust]).astype(np.float32)
    # The rim is neither: what a person can see of it depends on the grain.
    weights = np.ones_like(labels)
    around = cv2.dilate((found.scratches | found.dust).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    weights[:, (around | found.touched) & ~(found.scratches | found.dust)] = 0.15
    weights[:, found.torn] = 0
    # One kind of damage taken for the other is a small mistake.
    weights[0, found.dust & ~found.scratches] = 0.3
    weights[1, found.scratches & ~found.dust] = 0.3
    seen = planes(pixels.astype(np.float32) / 255)
    return torch.from_numpy(seen), torch.from_numpy(labels), torch.from_numpy(weights)


def _crop(file: Path, rng: np.random.Generator) -> Any:
    photo = cv2.imread(str(file))[..., ::-1].astype(np.float32) / 255
    scale = float(rng.choice([rng.uniform(0.75, 1.3), 1.0, rng.uniform(1.3, 2.6)], p=[0.25, 0.3, 0.45]))
    side = int(np.ceil(CROP / scale)) + 2
    top, left = (int(rng.integers(max(n - side, 0) + 1)) for n in photo.shape[:2])
    photo = photo[top : top + side, left : left + side]
    if scale != 1.0:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=how)
    down, right = (max(CROP - n, 0) for n in photo.shape[:2])
    photo = cv2.copyMakeBorder(photo, 0, down, 0, right, cv2.BORDER_REFLECT_101)[:CROP, :CROP]
    photo = np.rot90(photo, int(rng.integers(4)))
    return np.ascontiguousarray(photo[:, :: int(rng.choice([-1, 1]))])


def _aged(photo: Any, rng: np.random.Generator) -> Any:
    """Grey, brown or faded, as often as not; otherwise as it is."""
    if rng.random() < 0.35:
        photo = np.repeat(photo @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
        if rng.random() < 0.5:
            photo = photo ** np.array([1, 1.0 + rng.uniform(0, 0.3), 1.0 + rng.uniform(0, 0.8)])
    if rng.random() < 0.5:
        low, high = rng.uniform(0, 0.2), rng.uniform(0.75, 1.0)
        photo = low + (high - low) * np.clip(photo, 0, 1) ** rng.uniform(0.7, 1.4)
    return np.clip(photo, 0, 1).astype(np.float32)


def fused(net: Net) -> Net:
    """Return the net with every normalisation folded into its convolution."""
    for module in net.modules():
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0] = nn.utils.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return net


class Maps(nn.Module):
    """What is exported: the folding of 2×2 pixels into channels is left out, so that any size goes in."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, folded: torch.Tensor) -> torch.Tensor:
        """Return likelihoods."""
        return torch.sigmoid(self.net.maps(folded))


def export(net: Net, path: Path) -> None:
    """Write the net as OpenCV reads it."""
    maps = Maps(fused(net.eval()))
    axes = {name: {2: "height", 3: "width"} for name in ("image", "found")}
    torch.onnx.export(
        maps, (torch.zeros(1, 4 * PLANES, 64, 64),), str(path), dynamo=False, opset_version=17,
        input_names=["image"], output_names=["found"], dynamic_axes=axes,
    )  # fmt: skip


def train(files: list[Path], minutes: float, resume: Path | None, save: Path, rate: float, first: int) -> Net:
    """Train for some minutes; what is learned so far lies in a file beside the output."""
    torch.manual_seed(0)
    net = Net().to(memory_format=torch.channels_last)
    if resume is not None:
        net.load_state_dict(torch.load(resume, weights_only=True))
    data = torch.utils.data.DataLoader(
        Crops(files, first), batch_size=BATCH, num_workers=1, prefetch_factor=16
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    start, mean, step = time.time(), 0.0, 0
    for step, (image, labels, weights) in enumerate(data, 1):
        share = (time.time() - start) / (60 * minutes)
        if share >= 1:
            break
        warm = min(step / 100, 1)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * max(0.5 * (1 + np.cos(np.pi * share)), 0.01)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(image.contiguous(memory_format=torch.channels_last)).float()
        loss = F.binary_cross_entropy_with_logits(logits, labels, weight=weights * (1 + labels))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        mean += (float(loss.detach()) - mean) / min(step, 500)
        if step % 500 == 0:
            print(f"step {step}  {time.time() - start:.0f} s  loss {mean:.4f}", flush=True)
            torch.save(net.state_dict(), save)
    torch.save(net.state_dict(), save)
    return net


def main() -> None:
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--last", type=int, default=60, help="photos at the end that are left out")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--rate", type=float, default=4e-3, help="of learning; smaller when resuming")
    parser.add_argument("--first", type=int, default=0, help="crops to leave out, which were seen already")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    files = sorted(p for p in given.photos.iterdir() if p.suffix in (".webp", ".jpg", ".png"))
    files = files[: len(files) - given.last]
    net = train(files, given.minutes, given.resume, given.output.with_suffix(".pt"), given.rate, given.first)
    export(net, given.output)


if __name__ == "__main__":
    main()
