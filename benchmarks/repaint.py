"""RePaint against plain replacement with the shipped net, at its own size: what going back is worth.

::

    PYTHONPATH=src python benchmarks/repaint.py --data DATA/train --lpips lpips_squeeze.safetensors
    PYTHONPATH=src python benchmarks/repaint.py … --settings replacement,paper --kinds half

12 of the 60 photos that are kept out of the training (the last files of the folder), cut to squares and
reduced to the net's size; ``wide`` holes, and holes over more than half of the picture; 2 seeds. All pictures
of a setting and a kind share a batch. Needs torch, numpy, safetensors and Pillow. Rows are appended to
rows.jsonl as they are made, and rows that are there are not made again. Also written: table.md, and a sheet
for each kind, on which seams can be looked at. At one tenth of the calls of ``paper`` a setting may be
``fast`` if its LPIPS is at most 5 % worse.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sheets import marked, sheet
from splits import DEV_FILES, make_hole

from lacuna.diffusion import Noise, NullSpace, RePaint, Replacement, ddim, jump_times
from lacuna.diffusion.conditioning import calls
from lacuna.diffusion.sampling import Step
from lacuna.methods.diffusion.sampler import Sampler
from lacuna.metrics import Lpips, psnr, seam
from lacuna.nets.denoising import load

PHOTOS = 12
KINDS = ("wide", "half")
Picture = NDArray[np.float32]


class Setting(NamedTuple):
    """What is compared: how known pixels take part, and how many steps are taken."""

    steps: int
    kind: Any = Replacement
    step: Callable[[], Step] | None = None

    @property
    def calls(self) -> int:
        """Calls of the network."""
        if isinstance(self.kind, partial):
            return calls(jump_times(self.steps, self.kind.keywords["jump"], self.kind.keywords["resample"]))
        return self.steps


def _back(steps: int, jump: int, resample: int, kind: Any = RePaint, step: Any = None) -> Setting:
    return Setting(steps, partial(kind, jump=jump, resample=resample), step)


SETTINGS = {
    "replacement": Setting(250),
    "replacement-1000": Setting(1000),
    "ddnm": Setting(100, NullSpace),
    "paper": _back(250, 10, 10),
    "20-4-10": _back(20, 4, 10),
    "20-2-12": _back(20, 2, 12),
    "25-5-11": _back(25, 5, 11),
    "30-3-8": _back(30, 3, 8),
    "50-5-5": _back(50, 5, 5),
    "50-10-5": _back(50, 10, 5),
    "100-10-2": _back(100, 10, 2),
    "125-10-1": _back(125, 10, 1),
    "ddnm-50-5-5": _back(50, 5, 5, NullSpace),
    "ddim-50-5-5": _back(50, 5, 5, RePaint, partial(ddim, fresh=0.5)),
    "patchmatch": Setting(0, None),
}
"""T-jump-resample; those after ``paper`` make at most a tenth of its calls. ``patchmatch`` is made on request
only: it needs all of Lacuna."""
SHOWN = ("replacement", "paper", "20-4-10", "25-5-11", "50-5-5", "ddnm-50-5-5")


class Case(NamedTuple):
    """A photo at the net's size, its hole and a seed."""

    name: str
    truth: Picture
    hole: NDArray[np.bool_]
    seed: int


def cases(folder: Path, kind: str, size: int, photos: int, seeds: int) -> list[Case]:
    """Return every photo with every seed; photos are spread over the 60 that no net has seen."""
    files = sorted(folder.glob("*.webp"))[-DEV_FILES:]
    if not files:
        raise SystemExit(f"no pictures in {folder}; --data names the folder with the photos of the training")
    chosen = [files[round(i * (len(files) - 1) / max(photos - 1, 1))] for i in range(photos)]
    found = []
    for index, path in enumerate(chosen):
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BOX)
        truth = np.asarray(square, dtype=np.float32) / np.float32(255)
        hole = _hole(kind, size, index, path.stem)
        found += [Case(path.stem, truth, hole, seed) for seed in range(seeds)]
    return found


def _hole(kind: str, size: int, index: int, name: str) -> NDArray[np.bool_]:
    """Return a hole: strokes, or 55 % of the picture from one of its four sides in turn."""
    if kind == "wide":
        return make_hole("wide", (size, size), seed=zlib.crc32(f"wide/{name}".encode()))
    hole = np.zeros((size, size), dtype=bool)
    hole[:, round(0.45 * size) :] = True
    return np.ascontiguousarray(np.rot90(hole, index % 4))


def fills(
    sampler: Sampler, setting: Setting, some: Sequence[Case], batch: int
) -> tuple[list[Picture], float]:
    """Return the fill of each case, (size, size, 3), and the seconds that all took."""
    out: list[Picture] = []
    started = time.perf_counter()
    if setting.kind is None:
        return [_by_patches(case) for case in some], time.perf_counter() - started
    for start in range(0, len(some), batch):
        part = some[start : start + batch]
        known = np.stack([case.truth for case in part]).transpose(0, 3, 1, 2)
        holes = np.stack([case.hole for case in part])[:, None]
        generators = [
            torch.Generator(sampler.place).manual_seed(1000 * case.seed + zlib.crc32(case.name.encode()))
            for case in part
        ]
        drawn = sampler.draw(
            torch.from_numpy(np.ascontiguousarray(known)) * 2 - 1,
            torch.from_numpy(holes),
            Noise(generators),
            steps=setting.steps,
            condition=setting.kind,
            step=None if setting.step is None else setting.step(),
        )
        pixels = ((drawn + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        out += [
            np.where(case.hole[..., None], fill, case.truth).astype(np.float32)
            for case, fill in zip(part, pixels, strict=True)
        ]
    return out, time.perf_counter() - started


def _by_patches(case: Case) -> Picture:
    from lacuna.inpainting import inpaint

    return np.asarray(inpaint(case.truth, case.hole, "patchmatch", seed=case.seed), np.float32)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return means over photos and seeds; LPIPS of `paper` is 100 %."""
    lines = []
    for kind in KINDS:
        mine = [row for row in rows if row["kind"] == kind]
        names = [name for name in SETTINGS if any(row["setting"] == name for row in mine)]
        base = _mean(mine, "paper", "lpips")
        lines += [
            f"### {kind}",
            "",
            "| setting | calls | LPIPS ↓ | of paper's | hole-PSNR ↑ | seam → 0 | s a picture |",
        ]
        lines.append("|---" * 7 + "|")
        for name in names:
            figures = {key: _mean(mine, name, key) for key in ("calls", "lpips", "psnr", "seam", "seconds")}
            share = f"{figures['lpips'] / base:.0%}" if base == base else "–"
            lines.append(
                f"| {name} | {figures['calls']:.0f} | {figures['lpips']:.4f} | {share} | "
                f"{figures['psnr']:.2f} | {figures['seam']:+.1f} | {figures['seconds']:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


def _mean(rows: Sequence[dict[str, Any]], setting: str, key: str) -> float:
    values = [row[key] for row in rows if row["setting"] == setting]
    return float(np.mean(values)) if values else float("nan")


def write_sheet(path: Path, some: Sequence[Case], kept: dict[str, NDArray[np.uint8]], kind: str) -> None:
    """Write the first seed's fills of every photo, enlarged so that pixels can be counted."""
    lines = []
    for index, case in enumerate(some):
        if case.seed:
            continue
        row = [(case.name, marked(case.truth, case.hole))]
        row += [
            (name, kept[f"{name}/{kind}"][index].astype(np.float32) / np.float32(255))
            for name in SHOWN
            if f"{name}/{kind}" in kept
        ]
        row.append(("truth", case.truth))
        lines.append([(label, picture.repeat(3, axis=0).repeat(3, axis=1)) for label, picture in row])
    sheet(lines, path, cell=3 * some[0].truth.shape[0])


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the photos of the training")
    parser.add_argument("--lpips", type=Path, required=True, help="LPIPS weights, safetensors")
    parser.add_argument(
        "--weights", type=Path, help="the net; unless given, the one that Lacuna brings along"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--settings", default=",".join(name for name in SETTINGS if name != "patchmatch"))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("-o", "--output", type=Path, default=Path("bench-output/repaint"))
    return parser.parse_args()


def main() -> None:
    """Make the rows that are missing, then the table and the sheets."""
    args = parse()
    if args.weights is None:
        from lacuna.weights import shipped

        args.weights = shipped("ddpm")
    sampler = Sampler(load(args.weights), torch.device(args.device), args.precision)
    lpips = Lpips(args.lpips)
    args.output.mkdir(parents=True, exist_ok=True)
    log, store = args.output / "rows.jsonl", args.output / "fills.npz"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    kept: dict[str, NDArray[np.uint8]] = dict(np.load(store)) if store.is_file() else {}
    for kind in args.kinds.split(","):
        some = cases(args.data, kind, sampler.model.facts.size, args.photos, args.seeds)
        for name in args.settings.split(","):
            if f"{name}/{kind}" in kept:
                continue
            made, seconds = fills(sampler, SETTINGS[name], some, args.batch)
            for case, fill in zip(some, made, strict=True):
                row = {"setting": name, "kind": kind, "photo": case.name, "seed": case.seed}
                row |= {"calls": SETTINGS[name].calls, "seconds": seconds / len(some)}
                row |= {"lpips": lpips(fill, case.truth), "psnr": psnr(fill, case.truth, case.hole)}
                row |= {"seam": seam(fill, case.hole), "device": args.device, "batch": args.batch}
                rows.append(row)
            kept[f"{name}/{kind}"] = np.stack([np.round(255 * fill).astype(np.uint8) for fill in made])
            np.savez_compressed(store, **kept)
            with log.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows[-len(some) :])
            print(f"{kind} {name}: {SETTINGS[name].calls} calls, {seconds:.1f} s", flush=True)
        write_sheet(args.output / f"sheet-{kind}.png", some, kept, kind)
    (args.output / "table.md").write_text(table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
