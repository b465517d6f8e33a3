"""Seconds and memory against the size of the picture and of the hole, rivals included.

::

    python benchmarks/sizes.py --quick                      # two small sizes, two holes: minutes
    python benchmarks/sizes.py                              # 0.25 to 50 MP, 1 to 60 %: hours
    python benchmarks/sizes.py --methods patchmatch,shiftmap --sizes 1,4 --ratios 10

Each cell is a process of its own with 300 s and 8 GiB; what needs more prints so. Where a smaller picture
already failed, larger ones are not tried, and it is said. Cells are kept as JSON in ``bench-output/sizes``: a
run that was stopped goes on, and one that is there is not made again.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rivals import RIVALS, SLOW_RIVALS
from runners import REPOSITORY, code_hash
from speed import own_examples
from splits import make_blob, shared_folder

from lacuna.evaluate.environment import as_line, describe
from lacuna.evaluate.memory import parse_bytes, spoken
from lacuna.evaluate.pool import Limits, Worker
from lacuna.threads import thread_count

HERE = Path(__file__).resolve().parent
METHODS = (
    "patchmatch",
    "guided",
    "biharmonic",
    "cv2-telea",
    "cv2-ns",
    "skimage-biharmonic",
    "gmic-inpaint",
    "gmic-matchpatch",
    "shiftmap",
)
SIZES = (0.25, 1.0, 4.0, 12.0, 50.0)
RATIOS = (1.0, 10.0, 30.0, 60.0)
QUICK = (0.25, 1.0), (1.0, 30.0)
SECONDS, MEMORY = 300.0, "8GiB"
ASPECT = 1.5

Cell = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is asked: the table's axes, the limits of a cell, and where cells are kept."""

    methods: Sequence[str]
    sizes: Sequence[float]
    ratios: Sequence[float]
    limits: Limits
    folder: Path


def picture(megapixels: float) -> NDArray[np.uint8]:
    """Return a 3:2 photo of so many megapixels, ``(H, W, 3)``.

    From data/hires of the shared folder: scaled down, or laid side by side, each copy mirrored, so that large
    pictures are as sharp as a camera's. Without the folder, from an example of the repository.

    Raises
    ------
    SystemExit : there is neither.
    """
    height = round((megapixels * 1e6 / ASPECT) ** 0.5)
    width = round(height * ASPECT)
    files = sorted((shared_folder() / "data" / "hires").glob("*.jpg"))
    photos = [Image.open(path).convert("RGB") for path in files]
    photos = photos or [Image.fromarray(case.image) for case in own_examples()[:1]]
    if not photos:
        raise SystemExit("no pictures: neither data/hires of LACUNA_SHARED nor examples/ with a mask")
    largest = min(min(photo.width / ASPECT, photo.height) for photo in photos)
    across = int(np.ceil(height / largest))
    tile = (-(-width // across), -(-height // across))
    tiles = [np.asarray(_covering(photo, tile)) for photo in photos]
    rows = []
    for i in range(across):
        row = [tiles[(i * across + j) % len(tiles)] for j in range(across)]
        rows.append(np.concatenate([t[:: (-1) ** i, :: (-1) ** j] for j, t in enumerate(row)], axis=1))
    return np.ascontiguousarray(np.concatenate(rows)[:height, :width])


def _covering(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale a photo until it covers a size, and cut the middle out."""
    factor = max(size[0] / photo.width, size[1] / photo.height)
    scaled = photo.resize(
        (max(size[0], round(photo.width * factor)), max(size[1], round(photo.height * factor))),
        Image.Resampling.LANCZOS,
    )
    left, top = (scaled.width - size[0]) // 2, (scaled.height - size[1]) // 2
    return scaled.crop((left, top, left + size[0], top + size[1]))


def blob(shape: tuple[int, int], ratio: float) -> NDArray[np.bool_]:
    """Return one blob that covers so many per cent; the same shape at every size."""
    small = make_blob((256, round(256 * ASPECT)), np.random.Generator(np.random.PCG64(5)), ratio / 100)
    soft = Image.fromarray(small.astype(np.uint8) * 255).resize(shape[::-1], Image.Resampling.BICUBIC)
    return np.asarray(soft) >= 128


@functools.cache
def version(method: str) -> str | None:
    """Return what a cell depends on: a rival's version, or a hash of our code; None: not installed."""
    rival = (RIVALS | SLOW_RIVALS).get(method)
    return rival.version() if rival is not None else code_hash()


def kept(plan: Plan, method: str, size: float, ratio: float) -> Cell | None:
    """Return a cell that is there and still tells what is asked."""
    path = _path(plan, method, size, ratio)
    if not path.is_file():
        return None
    cell: Cell = json.loads(path.read_text(encoding="utf-8"))
    if cell["version"] != version(method):
        return None
    if cell["status"] == "ok":
        within = cell["seconds"] <= plan.limits.seconds
        return cell if within and cell["memory_mb"] * (1 << 20) <= (plan.limits.memory or np.inf) else None
    # A failure counts only if it had as much time and memory as now.
    enough = cell["limits"]["seconds"] >= plan.limits.seconds
    return cell if enough and cell["limits"]["memory"] >= (plan.limits.memory or np.inf) else None


def measure(plan: Plan, method: str, size: float, ratio: float) -> Cell:
    """Run a cell in its process and keep what came of it."""
    image = picture(size)
    hole = blob(image.shape[:2], ratio)
    image[hole] = image[~hole].mean(axis=0).round()  # nobody sees the truth
    command = [sys.executable, str(HERE / "sizes_child.py")]
    with tempfile.TemporaryDirectory() as name:
        files = {"image": str(Path(name) / "image.npy"), "hole": str(Path(name) / "hole.npy")}
        np.save(files["image"], image)
        np.save(files["hole"], hole)
        worker = Worker({"method": method}, thread_count(), threading.Event(), plan.limits, command)
        try:
            cell: Cell = worker.run(files)
        finally:
            worker.close()
    cell |= {"method": method, "pixels": list(hole.shape), "missing": int(hole.sum())}
    cell |= {"version": version(method), "limits": asdict(plan.limits)}
    path = _path(plan, method, size, ratio)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(cell, indent=1), encoding="utf-8")
    part.replace(path)
    return cell


def _path(plan: Plan, method: str, size: float, ratio: float) -> Path:
    return plan.folder / method / f"{size:g}MP-{ratio:g}.json"


def column(plan: Plan, method: str, ratio: float) -> dict[float, Cell]:
    """Return a method's cells for one hole ratio, from the smallest picture to the largest."""
    cells: dict[float, Cell] = {}
    failed: tuple[float, Cell] | None = None
    for size in sorted(plan.sizes):
        if version(method) is None:
            cells[size] = {"status": "missing"}
            continue
        if failed is not None:
            cells[size] = {"status": "not run", "size": failed[0], "because": failed[1]}
            continue
        cell = kept(plan, method, size, ratio)
        if cell is None:
            print(f"{method}, {size:g} MP, {ratio:g} % …", file=sys.stderr, flush=True)
            cell = measure(plan, method, size, ratio)
            print(f"    {shown(cell)}", file=sys.stderr, flush=True)
        cells[size] = cell
        failed = None if cell["status"] == "ok" else (size, cell)
    return cells


def shown(cell: Cell) -> str:
    """Return a cell as the table prints it."""
    if cell["status"] == "ok":
        return f"{cell['seconds']:.3g} s, {cell['memory_mb']:.0f} MB"
    if cell["status"] == "missing":
        return "not installed"
    if cell["status"] == "not run":
        return f"not run: {shown(cell['because'])} at {cell['size']:g} MP"
    if cell["type"] == "TimeLimit":
        return f">{cell['limit']:g} s"
    if cell["type"] == "MemoryLimit":
        return f"> {spoken(cell['limit'])}"
    return "failed: " + re.sub(r"\s+", " ", cell["error"])[:80].replace("|", "/")


def render(plan: Plan, table: dict[float, dict[str, dict[float, Cell]]], facts: dict[str, str]) -> str:
    """Return the tables as Markdown, one for each hole ratio."""
    limits = f"{plan.limits.seconds:g} s and {spoken(plan.limits.memory or 0)}"
    pages = [as_line(facts), "", f"One fill in a process of its own, warm; at most {limits} for each cell."]
    sizes = sorted(plan.sizes)
    for ratio, rows in table.items():
        pages += ["", f"### {ratio:g} % missing", ""]
        pages += [f"| method | {' | '.join(f'{size:g} MP' for size in sizes)} |"]
        pages += ["|---" * (len(sizes) + 1) + "|"]
        pages += [f"| {m} | {' | '.join(shown(cells[s]) for s in sizes)} |" for m, cells in rows.items()]
    return "\n".join(pages) + "\n"


def parse(argv: Sequence[str] | None = None) -> tuple[Plan, Path]:
    """Read the command line."""

    def numbers(text: str) -> tuple[float, ...]:
        return tuple(float(word) for word in text.split(","))

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="0.25 and 1 MP, 1 and 30 %% missing")
    parser.add_argument("--methods", default=",".join(METHODS), help="of Lacuna or rivals.py, with commas")
    parser.add_argument("--sizes", type=numbers, help="megapixels, with commas")
    parser.add_argument("--ratios", type=numbers, help="per cent missing, with commas")
    parser.add_argument("--time-limit", type=float, default=SECONDS, help="seconds for one cell")
    parser.add_argument("--memory-limit", type=parse_bytes, default=parse_bytes(MEMORY), help="as 8GiB")
    parser.add_argument("-o", "--output", type=Path, default=REPOSITORY / "bench-output")
    args = parser.parse_args(argv)
    sizes, ratios = QUICK if args.quick else (SIZES, RATIOS)
    limits = Limits(args.time_limit, args.memory_limit)
    plan = Plan(
        args.methods.split(","), args.sizes or sizes, args.ratios or ratios, limits, args.output / "sizes"
    )
    return plan, args.output


def main(argv: Sequence[str] | None = None) -> None:
    """Fill what is missing of the table, print it and write sizes.md."""
    plan, output = parse(argv)
    facts = describe() | {m: str(version(m)) for m in plan.methods if m in RIVALS | SLOW_RIVALS}
    table: dict[float, dict[str, dict[float, Cell]]] = {}
    for ratio in sorted(plan.ratios):
        table[ratio] = {method: column(plan, method, ratio) for method in plan.methods}
    text = render(plan, table, facts)
    output.mkdir(parents=True, exist_ok=True)
    (output / "sizes.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
