"""How well damage is found and repaired, on whole photos with drawn damage.

::

    python benchmarks/restoration.py --images DIR/train --split dev    # for choosing thresholds
    python benchmarks/restoration.py --images DIR/eval/images --split eval
    python benchmarks/restoration.py --scans DIR/hires                 # seconds of large scans

``dev`` takes the last 60 photos of the folder by name (the detector was trained without them), ``eval``
all of them; their damage has other seeds. A pixel counts as found within 2 pixels. What one detector finds of
the other's damage (a hair, taken for a scratch) counts neither for nor against it; "all damage" does not tell
them apart. Precision, recall and F1 are of all pixels of all photos. Filling is measured over the damage that
can be seen, and over all that is damaged or was filled, against filling the true mask with the same rim.

Photos made small for the web are sharper, pixel by pixel, than any scan of a print or film; with
``--scale 2`` they are about as soft.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from damage import Damaged, Plan, damage
from numpy.typing import NDArray

from lacuna.detect.dust import dust_in
from lacuna.detect.network import DUST, SCRATCHES, damage_maps
from lacuna.detect.scratches import scratches_in
from lacuna.jobs.restore import RIM, restore
from lacuna.masks.shape import dilated

TOLERANCE = 2
SEEDS = {"dev": 1_000, "eval": 500_000}
Mask = NDArray[np.bool_]


def near(mask: Mask) -> Mask:
    """Return every pixel within the tolerance."""
    if not mask.any():
        return mask
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return away <= TOLERANCE + 0.01


@dataclass
class Count:
    """Pixels found and not, of all photos so far."""

    right: int = 0
    wrong: int = 0
    hit: int = 0
    missed: int = 0
    each: list[float] = field(default_factory=list)

    def add(self, found: Mask, truth: Mask, other: Mask) -> None:
        """Count one photo; pixels near the other damage are not counted against the detector."""
        beside, there = near(truth), near(found)
        right, wrong = int((found & beside).sum()), int((found & ~beside & ~near(other)).sum())
        hit, missed = int((truth & there).sum()), int((truth & ~there).sum())
        self.right, self.wrong = self.right + right, self.wrong + wrong
        self.hit, self.missed = self.hit + hit, self.missed + missed
        if truth.any():
            self.each.append(f1(right, wrong, hit, missed)[2])

    @property
    def figures(self) -> tuple[float, float, float]:
        """Precision, recall and F1."""
        return f1(self.right, self.wrong, self.hit, self.missed)


def f1(right: int, wrong: int, hit: int, missed: int) -> tuple[float, float, float]:
    """Return precision, recall and their harmonic mean."""
    precision, recall = right / max(right + wrong, 1), hit / max(hit + missed, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def read(path: Path, scale: float = 1) -> NDArray[np.float32]:
    """Return float32 RGB in [0, 1], enlarged."""
    photo = cv2.imread(str(path))[..., ::-1].astype(np.float32) / 255
    if scale == 1:
        return np.ascontiguousarray(photo)
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).clip(0, 1)


def psnr(a: Any, b: Any, where: Mask) -> float:
    """Return the PSNR in dB over some pixels."""
    error = np.mean((a[where].astype(np.float64) - b[where]) ** 2) / 255**2
    return float(-10 * np.log10(max(error, 1e-10)))


def photos(folder: Path, split: str, limit: int) -> list[Path]:
    """Return the photos of a split."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".webp", ".jpg", ".png"))
    files = files[-60:] if split == "dev" else files
    return files[:: max(len(files) // limit, 1)] if limit else files


def damaged(path: Path, split: str, index: int, scale: float = 1) -> Damaged:
    """Return a photo with its damage."""
    return damage(read(path, scale), np.random.default_rng(SEEDS[split] + index), Plan())


def detection(files: list[Path], split: str, scale: float, sensitivity: float) -> None:
    """Print how well the detectors find, and what they find on whole photos."""
    counts = {"scratches": Count(), "dust": Count(), "all damage": Count()}
    wrong: list[float] = []
    for index, path in enumerate(files):
        sample = damaged(path, split, index, scale)
        maps = damage_maps(to_bytes(sample.image).astype(np.float32) / 255)
        lines, specks = scratches_in(maps[SCRATCHES], sensitivity), dust_in(maps[DUST], sensitivity)
        counts["scratches"].add(lines.mask, sample.scratches, sample.dust | sample.torn)
        counts["dust"].add(specks.mask, sample.dust, sample.scratches | sample.torn)
        both = sample.scratches | sample.dust
        counts["all damage"].add(lines.mask | specks.mask, both, sample.torn)
        whole = restore(to_bytes(read(path, scale)), sensitivity=sensitivity, grow=0)
        wrong.append(float(whole.hole.mean()))
    print(f"\n{len(files)} photos, enlarged {scale:g} times, sensitivity {sensitivity:g}\n")
    print("| | precision | recall | F1 | mean F1 of the photos |\n|---|---|---|---|---|")
    for name, count in counts.items():
        p, r, f = count.figures
        print(f"| {name} | {p:.3f} | {r:.3f} | {f:.3f} | {np.mean(count.each):.3f} |")
    worst = sorted(zip(wrong, files, strict=True), reverse=True)[:3]
    print(
        f"\nFound on the photos without damage: {100 * np.mean(wrong):.3f} % of the pixels", end="; most on "
    )
    print(", ".join(f"{path.name} ({100 * share:.2f} %)" for share, path in worst))


def repair(files: list[Path], split: str, scale: float, sensitivity: float) -> None:
    """Print how much worse than with the true mask the result is."""
    rows = []
    for index, path in enumerate(files):
        sample = damaged(path, split, index, scale)
        image, clean = to_bytes(sample.image), to_bytes(sample.clean)
        found = restore(image, sensitivity=sensitivity)
        ours = found.fill()
        seen = sample.scratches | sample.dust | sample.torn
        true = dilated(seen, RIM)
        best = replace(found, hole=true).fill()
        union = true | ours.hole
        values = [
            (psnr(picture, clean, seen), psnr(picture, clean, union))
            for picture in (image, ours.image, best.image)
        ]
        rows.append(values)
    mean = np.array(rows).mean(axis=0)
    print("\n| PSNR | over the damage | over damage and all that was filled |\n|---|---|---|")
    for name, (seen_db, union_db) in zip(("damaged", "restored", "true mask filled"), mean, strict=True):
        print(f"| {name} | {seen_db:.2f} | {union_db:.2f} |")
    behind = mean[2] - mean[1]
    print(f"\nBehind filling the true mask: {behind[0]:.2f} dB, {behind[1]:.2f} dB")


def to_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 8 bits."""
    return np.rint(image * 255).astype(np.uint8)


def scans(folder: Path) -> None:
    """Time `lacuna restore` on damaged large photos: reading and writing included, Python's start not."""
    from lacuna.cli.app import run

    for index, path in enumerate(sorted(folder.iterdir())):
        photo = cv2.resize(read(path), (4000, 3000), interpolation=cv2.INTER_AREA)
        rng = np.random.default_rng(SEEDS["eval"] + 10_000 + index)
        sample = damage(photo, rng, Plan(area_power=0.5))
        with tempfile.TemporaryDirectory() as room:
            scan, out = Path(room) / "scan.png", Path(room) / "out.png"
            cv2.imwrite(str(scan), to_bytes(sample.image)[..., ::-1])
            start = time.perf_counter()
            code = run(["restore", str(scan), "-o", str(out), "--quiet"])
            seconds = time.perf_counter() - start
        size = f"{photo.shape[1]}x{photo.shape[0]}"
        share = float((sample.scratches | sample.dust | sample.torn).mean())
        print(f"{path.name} at {size}, {100 * share:.2f} % damaged: {seconds:.1f} s, exit code {code}")


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=Path, help="whole photos")
    parser.add_argument("--split", choices=tuple(SEEDS), default="dev")
    parser.add_argument("--limit", type=int, default=0, help="so many of the photos, 0 for all")
    parser.add_argument("--sensitivity", type=float, default=0.5)
    parser.add_argument("--scale", type=float, default=1, help="enlarge the photos first")
    parser.add_argument("--no-repair", action="store_true", help="detection only")
    parser.add_argument("--scans", type=Path, help="large photos")
    given = parser.parse_args()
    if given.images is not None:
        files = photos(given.images, given.split, given.limit)
        detection(files, given.split, given.scale, given.sensitivity)
        if not given.no_repair:
            repair(files, given.split, given.scale, given.sensitivity)
    if given.scans is not None:
        scans(given.scans)
    return 0


if __name__ == "__main__":
    sys.exit(main())
