"""Train the net that finds scratches and dust, on photos of yours with drawn damage.

::

    python benchmarks/train_damage.py --photos DIR --device cuda --workers 5 --minutes 25 -o damage.pt
    python benchmarks/train_damage.py --photos DIR --export damage.pt -o src/lacuna/detect/damage.onnx

The last photos of the folder (by name) are left for choosing thresholds (restoration.py --split dev).
Training needs torch, exporting torch, onnx and onnxruntime; running the detector needs onnxruntime alone.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from damage import damage
from damage_crops import SEED, Photos, Pool, batch
from damage_net import Net, export
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lacuna.detect.network import planes

WARM = 300
"""Steps until the full rate of learning."""
EMA = 0.999


def train(given: argparse.Namespace, files: list[Path]) -> None:
    """Train for some minutes; what is learned so far is saved every minute."""
    device = torch.device(given.device)
    pool = Pool(given.pool, given.workers, given.first, device)
    photos = Photos(files, device)
    pool.wait(64)
    torch.manual_seed(given.first)
    torch.backends.cudnn.benchmark = True
    net = Net()
    if given.resume is not None:
        net.load_state_dict(torch.load(given.resume, weights_only=True))
    net = net.to(device, memory_format=torch.channels_last)
    # What is kept is a running mean of the weights: steadier than the last of them.
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(EMA), use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=given.rate, weight_decay=1e-3)
    rng = np.random.default_rng(given.first)
    start, saved, step, total = time.time(), 0.0, 0, torch.zeros((), device=device)
    while (minutes := (time.time() - start) / 60) < given.minutes:
        step += 1
        share = min((given.done + minutes) / (given.total or given.done + given.minutes), 1)
        for group in optimiser.param_groups:
            group["lr"] = given.rate * min(step / WARM, 1) * max(0.5 * (1 + np.cos(np.pi * share)), 0.003)
        with torch.no_grad():
            image, labels, weights = batch(photos, pool, given.batch, rng)
        with torch.autocast(device.type, torch.bfloat16):
            logits = net(image.contiguous(memory_format=torch.channels_last)).float()
        loss = F.binary_cross_entropy_with_logits(logits, labels, weight=weights * (1 + labels))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        mean.update_parameters(net)
        total += loss.detach()
        if time.time() - start > saved + 60:
            saved = time.time() - start
            print(
                f"{saved:.0f} s  step {step}  drawn {pool.drawn}  loss {float(total) / step:.5f}", flush=True
            )
            torch.save(mean.module.state_dict(), given.output)
    pool.close()
    torch.save(mean.module.state_dict(), given.output)
    print(f"{step} steps of {given.batch} crops, {pool.drawn} canvases drawn")


def main() -> None:
    """Train, or export what was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--last", type=int, default=60, help="photos at the end that are left out")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--done", type=float, default=0, help="minutes trained before, when resuming")
    parser.add_argument("--total", type=float, help="minutes until the rate is down, if more will follow")
    parser.add_argument("--resume", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, default=2e-3, help="of learning, at first")
    parser.add_argument("--batch", type=int, default=64, help="crops in a step")
    parser.add_argument(
        "--pool", type=int, default=512, help="drawn canvases kept on the device, 3.4 MiB each"
    )
    parser.add_argument("--first", type=int, default=0, help="canvases to leave out, which were seen already")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--export", type=Path, help="weights to write as ONNX instead of training")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    files = sorted(p for p in given.photos.iterdir() if p.suffix in (".webp", ".jpg", ".png"))
    files = files[: len(files) - given.last]
    if given.export is None:
        train(given, files)
        return
    net = Net()
    net.load_state_dict(torch.load(given.export, weights_only=True))
    export(net, given.output, examples(files))


def examples(files: list[Path]) -> list[np.ndarray]:
    """Return what the net may see of some damaged photos."""
    out = []
    for index, file in enumerate(files[:: max(len(files) // 48, 1)]):
        photo = cv2.imread(str(file))[:320, :320, ::-1].astype(np.float32) / 255
        out.append(planes(damage(photo, np.random.default_rng(SEED + index)).image))
    return out


if __name__ == "__main__":
    main()
