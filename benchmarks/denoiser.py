"""What a denoising net has learnt: its error at each level of noise, and free samples beside their sources.

::

    PYTHONPATH=src python benchmarks/denoiser.py WEIGHTS --data DATA/train -o OUT

The error is the mean square of what is left after the predicted clean picture is taken from the true one, in
−1 … 1, on the 60 photos that are kept out of the training (the last files of the folder) and on as many of
the others: a net that knew its photos by heart would do better on the others. Under each free sample is the
training photo that it resembles most, of all centre crops and their mirror images, as differences of 16×16
pixels; a net that copied would show twins. With --card the net also completes the examples of this
repository: their own holes, and their right halves (RePaint, T 50, jump 10, resample 5), in a picture that
shows nobody's photos but ours. Written: errors.md, samples.png, card.png. Needs torch, Pillow.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F  # noqa: N812

from lacuna.diffusion import Denoiser, Noise, RePaint, Schedule, cosine, ddim, denoiser, linear, sample
from lacuna.nets.denoising import load

DEV_FILES = 60
LEVELS = (10, 100, 300, 500, 700, 850, 950)
SAMPLES = 16
CARD = ("spoon", "whiskers", "tripod", "shuttle")
EXAMPLES = Path(__file__).parents[1] / "examples"
MARK = (1.0, -1.0, 0.2)


def main() -> None:
    """Write errors.md, samples.png and card.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=100, help="of the free samples (DDIM)")
    parser.add_argument("--card", action="store_true", help="complete examples too; 1,680 calls of the net")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    net, _, facts = load(given.weights)
    schedule = {"linear": linear, "cosine": cosine}[facts.schedule](facts.steps)

    def on(times: Schedule) -> Denoiser:
        return denoiser(net, times, says=facts.says)  # type: ignore[arg-type]

    files = sorted(given.data.glob("*.webp"))
    dev, others = files[-DEV_FILES:], files[: -DEV_FILES : len(files) // DEV_FILES][:DEV_FILES]
    rows = [
        [float(e) for e in errors(on(schedule), schedule, centres(part, facts.size))]
        for part in (dev, others)
    ]
    table(rows, schedule, given.output / "errors.md")

    noise = Noise.seeded(0, SAMPLES)
    few = schedule.respaced(given.steps)
    with torch.inference_mode():
        start = noise(torch.empty(SAMPLES, 3, facts.size, facts.size))
        free = sample(on(few), few, start, noise=noise, step=ddim()).clamp(-1, 1)
    picture([free, nearest(free, centres(files[:-DEV_FILES], facts.size))], given.output / "samples.png")
    if given.card:
        shown = completed(on(schedule.respaced(50)), schedule.respaced(50), facts.size)
        picture([*free.split(8), *shown.split(8)], given.output / "card.png")


def centres(files: Sequence[Path], side: int) -> torch.Tensor:
    """Return (N, 3, side, side), −1 … 1, the largest squares in the middle."""
    found = []
    for file in files:
        with Image.open(file) as opened:
            photo = opened.convert("RGB")
        short = min(photo.size)
        left, top = ((whole - short) // 2 for whole in photo.size)
        square = photo.resize((side, side), Image.Resampling.BOX, (left, top, left + short, top + short))
        found.append(torch.from_numpy(np.asarray(square, dtype=np.float32) / 127.5 - 1))
    return torch.stack(found).permute(0, 3, 1, 2).contiguous()


@torch.inference_mode()
def errors(denoise: Denoiser, schedule: Schedule, photos: torch.Tensor) -> torch.Tensor:
    """Return (len(LEVELS),), mean squares over photos; the noise is the same for every net."""
    found = []
    for time in LEVELS:
        left = schedule.at(time)
        parts = []
        for first in range(0, len(photos), 16):
            clean = photos[first : first + 16]
            noise = Noise.seeded(1000 * time + first, len(clean))(clean)
            parts.append((denoise(left**0.5 * clean + (1 - left) ** 0.5 * noise, time).clean - clean) ** 2)
        found.append(torch.cat(parts).mean())
    return torch.stack(found)


def nearest(free: torch.Tensor, photos: torch.Tensor) -> torch.Tensor:
    """Return for each sample the photo, as it is or mirrored, that is least different at 16×16 pixels."""
    both = torch.cat([photos, photos.flip(-1)])
    small, sought = (F.adaptive_avg_pool2d(x, 16).flatten(1) for x in (both, free))
    return both[torch.cdist(sought, small).argmin(1)]


@torch.inference_mode()
def completed(denoise: Denoiser, schedule: Schedule, side: int) -> torch.Tensor:
    """Return (4 · examples, 3, side, side): hole and completion, right half and completion."""
    known, holes = [], []
    half = torch.zeros(1, side, side, dtype=torch.bool)
    half[..., side // 2 :] = True
    for name in CARD:
        (photo,) = (file for file in EXAMPLES.glob(f"{name}.*") if ".mask" not in file.name)
        with Image.open(photo) as opened, Image.open(EXAMPLES / f"{name}.mask.png") as mask:
            box = around(np.asarray(mask.convert("L")) > 127)
            square = opened.convert("RGB").resize((side, side), Image.Resampling.BOX, box)
            hole = mask.convert("L").resize((side, side), Image.Resampling.BOX, box)
        pixels = torch.from_numpy(np.asarray(square, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)
        known += [pixels, pixels]
        holes += [torch.from_numpy(np.asarray(hole) > 0)[None], half]
    pictures, hole = torch.stack(known), torch.stack(holes)
    noise = Noise.seeded(0, len(pictures))
    way = RePaint(pictures, hole, jump=10, resample=5)
    filled = sample(denoise, schedule, noise(pictures), noise=noise, condition=way)
    marked = torch.where(hole, torch.tensor(MARK)[:, None, None], pictures)
    return torch.stack([marked, filled], dim=1).flatten(0, 1)


def around(hole: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of a square twice as large as the hole, within the picture."""
    (top, bottom), (left, right) = ((int(i.min()), int(i.max())) for i in np.nonzero(hole))
    size = min(*hole.shape, 2 * max(bottom - top, right - left))
    x = int(np.clip((left + right - size) / 2, 0, hole.shape[1] - size))
    y = int(np.clip((top + bottom - size) / 2, 0, hole.shape[0] - size))
    return x, y, x + size, y + size


def table(rows: list[list[float]], schedule: Schedule, path: Path) -> None:
    """Write and print the errors."""
    lines = ["| time | picture left, √ᾱ | kept out | trained on |", "|---|---|---|---|"]
    for i, time in enumerate(LEVELS):
        lines.append(f"| {time} | {schedule.at(time) ** 0.5:.3f} | {rows[0][i]:.4f} | {rows[1][i]:.4f} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def picture(rows: list[torch.Tensor], path: Path) -> None:
    """Write rows of pictures as one."""
    joined = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    pixels = ((joined.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path)


if __name__ == "__main__":
    main()
