"""Trained nets against `telea`: hole-L1 on the held-out photos, at the nets' own size, on wide masks.

::

    lacuna train partial-conv-small --data PHOTOS --set data.holdout=60 --budget 30m
    python benchmarks/curves.py runs/partial-conv-small [runs/lama-small …] --data PHOTOS

Prints the curve that each run logged (validation, with the recipe's own holes) and then a table: the
averaged net of the newest checkpoint and `telea` on the same crops and the same wide holes. The photos are
the last ones by name, which the run held out, so none was trained on.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import cv2
import numpy as np
import torch

from lacuna.data import Batches, Cropping, Photos, open_source, random_holes
from lacuna.nets.loading import load
from lacuna.train import checkpoint
from lacuna.train.generators import CALLS


def curve(run: Path) -> list[str]:
    """Return one row for each validation in a run's log."""
    lines = (json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        " | ".join(str(x) for x in (line["samples"], line["side"], f"{line['hole_l1']:.4f}", _lpips(line)))
        for line in lines
        if line["event"] == "validation"
    ]


def _lpips(line: dict[str, float]) -> str:
    return f"{line['lpips']:.4f}" if "lpips" in line else "–"


@torch.inference_mode()
def compare(run: Path, data: str) -> tuple[int, int, float, float, float]:
    """Return the side, the photos, the two hole-L1 (0 … 1, mean over photos) and the share of photos won."""
    path = checkpoint.find(run)
    recipe, _ = checkpoint.read_state(path)
    if not recipe.data.holdout:
        raise SystemExit(f"{run} held no photos out; train with --set data.holdout=60")
    side = recipe.data.sizes[-1][1]
    source = open_source(data)
    photos = Photos(source, source.names[-recipe.data.holdout :], side=recipe.data.shrink)
    holes = random_holes([("wide", 1.0)], (0.05, 0.6))
    batch = Batches(photos, Cropping((1.0, 1.0), False), holes, seed=7).get(0, recipe.data.holdout, side)
    kind, net = load(path / "ema.safetensors")
    ours, telea = [], []
    for photo, hole in zip(batch.photos, batch.holes, strict=True):
        image = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        answer = CALLS[kind](net, image, torch.from_numpy(hole)[None, None].float()).image
        filled = (answer[0].permute(1, 2, 0).clamp(-1, 1).numpy() + 1) * 127.5
        shown = np.where(hole[..., None], 0, photo).astype(np.uint8)
        old = cv2.inpaint(shown, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_TELEA)
        for row, picture in ((ours, filled), (telea, old)):
            row.append(float(np.abs(picture.astype(np.float64) - photo)[hole].mean() / 255))
    won = float(np.mean(np.array(ours) < np.array(telea)))
    return side, len(ours), math.fsum(ours) / len(ours), math.fsum(telea) / len(telea), won


def main() -> None:
    """Print curves and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs")
    parser.add_argument("--data", required=True, help="the photos that they were trained on")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for run in given.runs:
        print(f"{run.name}: samples | side | hole-L1 | LPIPS")
        print("\n".join(curve(run)), end="\n\n")
    print("run | samples | side | photos | hole-L1 | telea | photos won")
    print("--- | --- | --- | --- | --- | --- | ---")
    for run in given.runs:
        samples = checkpoint.read_state(checkpoint.find(run))[1]["progress"]["samples"]
        side, count, ours, telea, won = compare(run, given.data)
        print(f"{run.name} | {samples} | {side} | {count} | {ours:.4f} | {telea:.4f} | {won:.0%}")


if __name__ == "__main__":
    main()
