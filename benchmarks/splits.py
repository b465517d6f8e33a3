"""The pictures and holes that figures are reported on.

``dev``
    the last 60 files of ``data/train``, never trained on, with our own seeded holes: for choosing defaults.
``stock``
    130 photos of other sources at 512 pixels, fetched by stock.py, with holes as on dev: for what is tuned to
    larger photos.
``eval``
    ``data/eval`` with its fixed masks: for reporting, once.

Lengths of holes are given for a picture whose shorter side is 512 px and scale with the picture. All random
numbers are PCG64 integers and doubles, and the rasteriser is ours, so the holes do not depend on versions.
"""

from __future__ import annotations

import csv
import functools
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

KINDS = ("narrow", "medium", "wide")
SPLITS = ("dev", "stock", "eval")
DEV_FILES = 60
REFERENCE_SIDE = 512
ASPECT = 1.6
"""Longer side by shorter side, at most."""

Hole = NDArray[np.bool_]


@dataclass(frozen=True)
class Example:
    """One picture with one hole, read when first asked for.

    Parameters
    ----------
    split, kind, name : what it is; together they are unique.
    path : the picture's file.
    mask_path : the hole's file (white = missing), or None: made by `make_hole` from the name.
    """

    split: str
    kind: str
    name: str
    path: Path
    mask_path: Path | None = None

    @functools.cached_property
    def truth(self) -> NDArray[np.float32]:
        """The whole picture, ``(H, W, 3)`` in [0, 1]."""
        return np.asarray(Image.open(self.path).convert("RGB"), dtype=np.float32) / np.float32(255)

    @functools.cached_property
    def hole(self) -> Hole:
        """``(H, W)``. True is missing."""
        if self.mask_path is not None:
            return np.asarray(Image.open(self.mask_path).convert("L")) >= 128
        width, height = Image.open(self.path).size
        return make_hole(self.kind, (height, width), seed=zlib.crc32(f"{self.kind}/{self.name}".encode()))

    @property
    def image(self) -> NDArray[np.float32]:
        """The picture as methods see it: nothing of the truth is left under the hole."""
        image = self.truth.copy()
        image[self.hole] = image[~self.hole].mean(axis=0)
        return image


def shared_folder() -> Path:
    """Return the folder with data/ and metrics/: ``LACUNA_SHARED``, else ../shared of the repository."""
    named = os.environ.get("LACUNA_SHARED")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared"


def stock_folder() -> Path:
    """Return the folder of the stock split: ``LACUNA_STOCK``, else bench-output/stock."""
    named = os.environ.get("LACUNA_STOCK")
    return Path(named) if named else Path(__file__).resolve().parents[1] / "bench-output" / "stock"


def stock_list() -> list[dict[str, str]]:
    """Return the rows of stock.tsv, in the order in which the split has them."""
    with Path(__file__).with_name("stock.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def load_split(split: str = "dev", kind: str = "medium", limit: int | None = None) -> list[Example]:
    """Return the examples of a split with one kind of hole, in the order of their names (stock: of its list).

    Parameters
    ----------
    split : ``dev``, ``stock`` or ``eval``.
    kind : ``narrow``, ``medium`` or ``wide``.
    limit : only the first so many.

    Raises
    ------
    ValueError : no such split or kind.
    FileNotFoundError : the pictures are not there.
    """
    if split not in SPLITS or kind not in KINDS:
        raise ValueError(f"no split {split!r} with kind {kind!r}; splits: {SPLITS}, kinds: {KINDS}")
    if split == "stock":
        photos = [stock_folder() / f"{row['photo']}.png" for row in stock_list()]
        if not all(photo.is_file() for photo in photos):
            raise FileNotFoundError(f"not all pictures are in {stock_folder()}: python benchmarks/stock.py")
        return [Example(split, kind, f.stem, f) for f in photos][:limit]
    data = shared_folder() / "data"
    folder = data / "train" if split == "dev" else data / "eval" / "images"
    files = sorted(folder.glob("*.webp"))
    if not files:
        raise FileNotFoundError(f"no pictures in {folder}; set LACUNA_SHARED to the folder with data/")
    if split == "dev":
        return [Example(split, kind, f.stem, f) for f in files[-DEV_FILES:]][:limit]
    masks = data / "eval" / "masks" / kind
    return [Example(split, kind, f.stem, f, masks / f"{f.stem}.png") for f in files][:limit]


def make_hole(kind: str, shape: tuple[int, int], *, seed: int) -> Hole:
    """Return a random hole of a kind.

    Parameters
    ----------
    kind : ``narrow`` strokes 4–14 px thick, 12 % missing · ``medium`` one blob, 4–12 % · ``wide`` strokes
        40–90 px thick, 38 %. Thickness at `REFERENCE_SIDE`.
    shape : (H, W).
    seed : another seed, another hole.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    if kind == "medium":
        return make_blob(shape, generator, generator.uniform(0.04, 0.12))
    if kind == "narrow":
        return _strokes(shape, generator, thickness=(4, 14), step=(25, 75), share=0.12)
    if kind == "wide":
        return _strokes(shape, generator, thickness=(40, 90), step=(50, 150), share=0.38)
    raise ValueError(f"no hole of kind {kind!r}; kinds: {KINDS}")


def make_blob(shape: tuple[int, int], generator: np.random.Generator, share: float) -> Hole:
    """Return a smooth, slightly irregular closed outline that covers a share of the picture.

    Parameters
    ----------
    shape : (H, W).
    share : of the pixels that are missing, 0 to 1.
    """
    height, width = shape
    area = share * height * width
    stretch = generator.uniform(0.9, 1.7)  # upright more often than flat, as people and things are
    waves = [(k, generator.uniform(0, 0.28) / k, generator.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5)]
    top, left = generator.uniform(0.3, 0.7), generator.uniform(0.22, 0.78)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    dy, dx = (y - top * height) / np.sqrt(stretch), (x - left * width) * np.sqrt(stretch)
    angle = np.arctan2(dy, dx)
    outline = 1 + sum(a * np.cos(k * angle + phase) for k, a, phase in waves)
    # The blob grows until it covers its share: the right quantile of "distance in units of the outline".
    reach = np.hypot(dy, dx) / outline
    return np.asarray(reach <= np.partition(reach.ravel(), int(area))[int(area)])


def _strokes(
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    thickness: tuple[int, int],
    step: tuple[int, int],
    share: float,
) -> Hole:
    """Return polylines with round ends that turn a little at each vertex, until the share is missing."""
    height, width = shape
    scale = min(shape) / REFERENCE_SIDE
    hole = np.zeros(shape, dtype=bool)
    while True:
        radius = scale * generator.uniform(*thickness) / 2
        point = np.array([generator.uniform(0, height), generator.uniform(0, width)])
        heading = generator.uniform(0, 2 * np.pi)
        for _ in range(int(generator.integers(1, 8))):
            heading += generator.uniform(-0.9, 0.9)
            length = scale * generator.uniform(*step)
            end = np.round(point + length * np.array([np.sin(heading), np.cos(heading)]))
            _draw_segment(hole, point, end, radius)
            point = end
            if hole.mean() >= share:
                return hole


def _draw_segment(hole: Hole, start: NDArray[np.float64], end: NDArray[np.float64], radius: float) -> None:
    """Set every pixel within a radius of a segment; parts outside the picture are cut off."""
    low = np.maximum(np.floor(np.minimum(start, end) - radius), 0).astype(int)
    high = np.minimum(np.ceil(np.maximum(start, end) + radius) + 1, hole.shape).astype(int)
    if (low >= high).any():
        return
    y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
    dy, dx = y - start[0], x - start[1]
    vy, vx = end - start
    along = np.clip((dy * vy + dx * vx) / max(vy * vy + vx * vx, 1e-9), 0, 1)
    near = np.square(dy - along * vy) + np.square(dx - along * vx) <= radius * radius
    hole[low[0] : high[0], low[1] : high[1]] |= near
