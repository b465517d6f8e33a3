"""How good a fill is: figures for one picture, for sets of pictures, and running means of both.

Pictures are canon, ``(H, W, C)`` with C = 1 or 3 and values in [0, 1]; of holes **True is missing**. Where a
function takes ``hole=None``, a hole restricts it to the missing pixels. Functions and running classes share
their mathematics (``_update`` and ``_compute``). Only `Lpips` and `Inception` need torch, and import it when
they are made.

`FACTS` says of each figure which way is better and how it is printed.
"""

from lacuna.metrics.discrimination import Discrimination, DiscriminationRun, discrimination_scores
from lacuna.metrics.distributions import Frechet, Kernel, frechet_distance, kernel_distance
from lacuna.metrics.facts import FACTS, Facts
from lacuna.metrics.inception import Inception
from lacuna.metrics.lpips import Lpips, find_lpips_weights
from lacuna.metrics.pixels import PSNR_CAP, l1, l2, psnr
from lacuna.metrics.running import Running, Summary
from lacuna.metrics.samples import diversity, spread
from lacuna.metrics.smoothness import seam, total_variation
from lacuna.metrics.structure import ms_ssim, ssim

__all__ = [
    "FACTS",
    "PSNR_CAP",
    "Discrimination",
    "DiscriminationRun",
    "Facts",
    "Frechet",
    "Inception",
    "Kernel",
    "Lpips",
    "Running",
    "Summary",
    "discrimination_scores",
    "diversity",
    "find_lpips_weights",
    "frechet_distance",
    "kernel_distance",
    "l1",
    "l2",
    "ms_ssim",
    "psnr",
    "seam",
    "spread",
    "ssim",
    "total_variation",
]
