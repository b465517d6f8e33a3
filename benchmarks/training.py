"""Photos a second of each recipe's training step, and its share of the machine's measured matrix rate.

::

    python benchmarks/training.py                       # the small recipes, threads as they say
    python benchmarks/training.py guide lama --threads 2 --set losses.weights=FILE

Data are random pictures in memory, so that steps are timed and not disks. The matrix rate is that of the
product of two 1024 × 1024 matrices in the recipe's precision, measured just before each recipe. A step's
operations are counted by torch's formulas: convolutions and products, forward and backward, no Fourier
transforms.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from lacuna.errors import LacunaError
from lacuna.train import recipe as recipes
from lacuna.train import setup
from lacuna.train.loop import _step
from lacuna.train.recipe import Recipe

SMALL = [
    f"{name}-small"
    for name in ("context-encoder", "partial-conv", "contextual-attention", "gated-conv", "pen-net", "lama")
]


def matrix_rate(precision: str, seconds: float = 1.0) -> float:
    """Return operations a second of matrix products, the best of several."""
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    a = torch.randn(1024, 1024).to(kind)
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - before)
    return float(2 * 1024**3 / best)


class _Counter(TorchDispatchMode):
    """Count operations; torch's own counter does not go together with gradients of gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = call(*args, **(kwargs or {}))
        count = flop_registry.get(call._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def measure(recipe: Recipe, folder: Path, seconds: float) -> tuple[float, float]:
    """Return photos a second and operations a photo, over whole steps: the fastest of them."""
    run = setup.prepare(recipe, folder)
    samples = [run.samples(run.batches.get(*run.wanted(step))) for step in range(2)]
    with _Counter() as counter:
        _step(run, samples[0])
    best, start, steps = float("inf"), time.perf_counter(), 0
    # A critic with extra steps rests the net in most turns: time a whole round.
    turns = recipe.critic.steps
    while steps < 2 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        for _ in range(turns):
            samples[1].kept.clear()
            _step(run, samples[1])
        best = min(best, (time.perf_counter() - before) / turns)
        steps += 1
    return recipe.data.batch / best, counter.total / recipe.data.batch


def main() -> None:
    """Print a row for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=SMALL, help="names or files; the small ones by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 takes the recipe's")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each recipe")
    given = parser.parse_args()
    head = (
        "recipe",
        "side",
        "batch",
        "precision",
        "threads",
        "images/s",
        "GFLOP/image",
        "GFLOP/s",
        "of matrix",
    )
    print(" | ".join(head))
    print(" | ".join("---" for _ in head))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        for i in range(8):
            cv2.imwrite(str(folder / f"{i}.png"), rng.integers(0, 256, (300, 320, 3), dtype=np.uint8))
        for chosen in given.recipes:
            settings = [f"data.path={folder}", "data.holdout=0", "run.device=cpu", *given.settings]
            if given.threads:
                settings.append(f"run.threads={given.threads}")
            try:
                recipe = recipes.read(recipes.find(chosen), settings)
                if recipe.run.threads:
                    torch.set_num_threads(recipe.run.threads)
                rate = matrix_rate(recipe.precision)
                images, flops = measure(recipe, folder, given.seconds)
            except LacunaError as error:
                print(f"{chosen} | {error}")
                continue
            row = (
                Path(chosen).stem,
                recipe.data.sizes[0][1],
                recipe.data.batch,
                recipe.precision,
                torch.get_num_threads(),
                f"{images:.1f}",
                f"{flops / 1e9:.2f}",
                f"{images * flops / 1e9:.1f}",
                f"{images * flops / rate:.0%}",
            )
            print(" | ".join(str(cell) for cell in row), flush=True)


if __name__ == "__main__":
    main()
