"""How well text and repeated overlays are found on real photographs, and what a fill of them is worth.

``python benchmarks/overlays.py --split eval``; see README.md. ``--fit`` prints the weights of
`lacuna.detect.lines` anew, from the tuning set.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from overlay_damage import (
    VISIBLE,
    WATERMARKS,
    Damaged,
    burn_text,
    find_fonts,
    marked_series,
    watermark,
)
from PIL import Image
from splits import load_split

from lacuna.detect import find_repeated, find_text
from lacuna.inpainting import Inpainter

TOLERANCE = 2
OUT = Path("bench-output/overlays")

LETTERING = {
    "dev": {"02457", "02458", "02463", "02464", "02467", "02490", "02495", "02496"},
    "eval": {
        "004", "011", "013", "018", "023", "027", "028", "029",
        "030", "034", "036", "037", "041", "042", "043",
    },
}  # fmt: skip
"""Photographs with lettering in the scene, by eye, before anything was run on them."""

Hole = NDArray[np.bool_]
Counts = NDArray[np.float64]


def main(args: Sequence[str] | None = None) -> None:
    """Run what the command line asks for and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=("dev", "eval"), default="dev")
    parser.add_argument("--what", default="text,repeated")
    parser.add_argument(
        "--fonts", action="append", default=[], metavar="DIR", help="further folders of fonts"
    )
    parser.add_argument("--seeds", type=int, default=2, help="texts per photograph")
    parser.add_argument("--limit", type=int, help="only the first so many photographs")
    parser.add_argument("--sensitivity", type=float, default=0.5)
    parser.add_argument(
        "--fill", type=int, default=44, help="texts that are filled, for hole-PSNR; 0 for none"
    )
    parser.add_argument("--fit", action="store_true", help="fit the weights of lines on dev and print them")
    how = parser.parse_args(args)
    cv2.setNumThreads(1)
    if how.fit:
        _fit(how)
        return
    fonts = find_fonts(how.split, tuple(how.fonts))
    photos = [one.path for one in load_split(how.split, limit=how.limit)]
    print(f"{how.split}: {len(photos)} photographs, {len(fonts)} typefaces: {', '.join(sorted(fonts))}\n")
    OUT.mkdir(parents=True, exist_ok=True)
    if "text" in how.what:
        _text(photos, fonts, how)
    if "repeated" in how.what:
        _repeated(photos, fonts, how)


def counted(mask: Hole, truth: Hole) -> Counts:
    """Return pixels of the mask near the truth, of the mask, of the truth near the mask, and of the truth."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TOLERANCE + 1,) * 2)
    near_truth = cv2.dilate(truth.astype(np.uint8), kernel) > 0
    near_mask = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    return np.array([(mask & near_truth).sum(), mask.sum(), (truth & near_mask).sum(), truth.sum()], float)


def rates(counts: Counts) -> tuple[float, float, float]:
    """Return precision, recall and F1."""
    precision, recall = counts[0] / max(1, counts[1]), counts[2] / max(1, counts[3])
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def _canon(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255)


def _text(photos: list[Path], fonts: dict[str, str], how: Any) -> None:
    rows: list[tuple[Damaged, Hole, Counts]] = []
    started = time.perf_counter()
    for photo in photos:
        for seed in range(how.seeds):
            one = burn_text(photo, how.split, fonts, seed)
            mask = find_text(_canon(one.image), sensitivity=how.sensitivity).mask
            rows.append((one, mask, counted(mask, one.truth)))
    seconds = (time.perf_counter() - started) / len(rows)
    print(f"Text: {len(rows)} texts, {seconds:.2f} s each\n")
    print(
        "| text | n | precision | recall | F1, all pixels | F1, mean of pictures |\n|---|---|---|---|---|---|"
    )
    _row("all", rows)
    for decoration in ("plain", "outline", "shadow"):
        _row(decoration, [row for row in rows if row[0].style.startswith(decoration)])
    for words, low, high in (("up to 20 px", 0, 20), ("21 to 40 px", 21, 40), ("over 40 px", 41, 10**6)):
        _row(words, [row for row in rows if low <= _size(row[0]) <= high])
    known = LETTERING[how.split]
    _row("no lettering in the scene", [row for row in rows if row[0].name not in known])
    _row("lettering in the scene", [row for row in rows if row[0].name in known])
    _clean_originals(photos, how)
    _sheet(sorted(rows, key=lambda row: rates(row[2])[2]), OUT / f"text-{how.split}.png")
    if how.fill:
        _fill(rows[:: how.seeds][: how.fill])


def _row(name: str, rows: list[tuple[Damaged, Hole, Counts]]) -> None:
    if rows:
        precision, recall, f1 = rates(np.sum([row[2] for row in rows], axis=0))
        mean = np.mean([rates(row[2])[2] for row in rows])
        print(f"| {name} | {len(rows)} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {mean:.3f} |")


def _size(one: Damaged) -> int:
    return int(one.style.split("px")[0].split()[-1])


def _clean_originals(photos: list[Path], how: Any) -> None:
    found = []
    for photo in photos:
        pixels = np.asarray(Image.open(photo).convert("RGB"))
        mask = find_text(_canon(pixels), sensitivity=how.sensitivity).mask
        found.append((photo.stem, pixels, mask))
    print("\n| clean originals | n | pixels found | photographs with any |\n|---|---|---|---|")
    known = LETTERING[how.split]
    for words, chosen in (
        ("all", found),
        ("no lettering in the scene", [one for one in found if one[0] not in known]),
        ("lettering in the scene", [one for one in found if one[0] in known]),
    ):
        if chosen:
            share = sum(one[2].sum() for one in chosen) / sum(one[2].size for one in chosen)
            some = [one[0] for one in chosen if one[2].any()]
            print(f"| {words} | {len(chosen)} | {100 * share:.3f} % | {len(some)}: {' '.join(some)} |")
    worst = sorted(found, key=lambda one: -one[2].mean())
    _sheet([(Damaged(n, p, p, m, ""), m, np.zeros(4)) for n, p, m in worst], OUT / f"clean-{how.split}.png")


def _fill(rows: list[tuple[Damaged, Hole, Counts]]) -> None:
    """Fill with the mask that was found and with the true one, and compare under the text alone."""
    filler = Inpainter()
    figures = []
    tiles = []
    for one, mask, _ in rows:
        pair = []
        for hole in (mask, one.truth):
            image = filler.run(one.image, hole).image if hole.any() else one.image
            error = np.mean(np.square(image[one.truth].astype(float) - one.clean[one.truth]))
            pair.append(min(60.0, float(10 * np.log10(255**2 / max(error, 1e-9)))))
            tiles.append(image)
        figures.append(pair)
    found, true = np.array(figures).T
    print(
        f"\nhole-PSNR of {len(rows)} texts: found mask {found.mean():.2f} dB, true mask {true.mean():.2f} dB"
    )
    print(f"difference: mean {np.mean(found - true):+.2f}, median {np.median(found - true):+.2f} dB")
    print(f"worse by more than 1 dB: {np.sum(found < true - 1)} of {len(rows)}")
    shown = [one for row, a in zip(rows, tiles[::2], strict=True) for one in (row[0].image, a)]
    _tiles(shown[:40], OUT / "fills.png")


def _repeated(photos: list[Path], fonts: dict[str, str], how: Any) -> None:
    side = min(min(Image.open(photo).size) for photo in photos)
    print("\n| overlay | photographs | precision | recall | F1 | s |\n|---|---|---|---|---|---|")
    filler = Inpainter()
    for count in sorted({20, len(photos)}):
        for i, kind in enumerate((*WATERMARKS, "none")):
            cover, colour = watermark(WATERMARKS[i % 5], side, how.split, fonts, seed=count)
            cover = cover if kind != "none" else np.zeros_like(cover)
            marked = marked_series(photos[:count], side, cover, colour, seed=count)
            started = time.perf_counter()
            mask = find_repeated(marked, sensitivity=how.sensitivity).mask
            seconds = time.perf_counter() - started
            if kind == "none":
                print(
                    f"| none | {count} | {100 * mask.mean():.3f} % of the pixels found | | | {seconds:.1f} |"
                )
                continue
            precision, recall, f1 = rates(counted(mask, cover >= VISIBLE))
            print(f"| {kind} | {count} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {seconds:.1f} |")
            if count == 20:
                chosen = list(range(0, 20, 5))
                fills = [filler.run(marked[j], mask).image for j in chosen]
                shown = [one for j, fill in zip(chosen, fills, strict=True) for one in (marked[j], fill)]
                _tiles(shown, OUT / f"repeated-{how.split}-{kind}.png")


def _sheet(rows: list[Any], path: Path) -> None:
    shown = []
    for one, mask, _ in rows[:20]:
        marked = one.image.copy()
        marked[mask] = (0.3 * marked[mask] + 0.7 * np.array([255, 0, 255])).astype(np.uint8)
        shown += [one.image, marked]
    _tiles(shown, path)


def _tiles(shown: list[NDArray[np.uint8]], path: Path, width: int = 480) -> None:
    sheet = Image.new("RGB", (4 * width, -(-len(shown) // 4) * width))
    for i, pixels in enumerate(shown):
        tile = Image.fromarray(pixels)
        tile.thumbnail((width - 4, width - 4))
        sheet.paste(tile, (i % 4 * width, i // 4 * width))
    sheet.save(path)


def _fit(how: Any) -> None:
    """Fit a logistic regression to the lines that are found on the tuning set."""
    from lacuna.detect.lines import WEIGHTS, find_lines

    fonts = find_fonts("dev", tuple(how.fonts))
    rows, labels = [], []
    for example in load_split("dev", limit=how.limit):
        for seed in range(4):
            one = burn_text(example.path, "dev", fonts, seed)
            for line in find_lines(one.image):
                rows.append(line.features)
                labels.append(one.truth[line.seeds[:, 1], line.seeds[:, 0]].mean() > 0.6)
    x, y = np.array(rows), np.array(labels, float)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    design = np.c_[(x - mean) / spread, np.ones(len(x))]
    ridge = np.diag([*np.ones(x.shape[1]), 0.0])
    w = np.zeros(design.shape[1])
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-design @ w))
        slope = design.T @ (y - p) - ridge @ w
        w += np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]) + ridge, slope)
    print(f"{len(y)} lines, {int(y.sum())} of them text")
    print(dict(zip(WEIGHTS, np.round(w[:-1] / spread, 3).tolist(), strict=True)))
    print("bias", round(float(w[-1] - (w[:-1] * mean / spread).sum()), 3))


if __name__ == "__main__":
    main()
