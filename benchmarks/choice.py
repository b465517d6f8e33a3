"""What `auto`'s trial on hidden copies of the hole is worth: against every fixed method, and an oracle.

::

    python benchmarks/choice.py --fit          # dev and stock: fit the numbers of judging.py
    python benchmarks/choice.py --split eval   # the table of docs/benchmarks.md

Each candidate fills each hole, and is scored; each rehearsal is made as `auto` makes it. ``auto`` then takes
what the numbers in judging.py say; on dev and stock, where these were fitted, also what numbers say that were
fitted to the other nine tenths of the photos. The oracle takes the best candidate of each picture. Cells are
kept in ``bench-output/choice``.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from metrics import bootstrap, composite
from numpy.typing import NDArray
from runners import REPOSITORY, to_bytes
from splits import KINDS, SPLITS, Example, load_split

from lacuna import Inpainter, registry
from lacuna.evaluate.environment import as_line, describe
from lacuna.exemplar import fill_patches
from lacuna.methods.auto import judging, tried
from lacuna.methods.auto.judging import CANDIDATES
from lacuna.methods.auto.rehearsal import rehearse
from lacuna.methods.onnx.guided import Guided
from lacuna.metrics import psnr
from lacuna.task import Settings, prepare
from lacuna.types import FloatImage

PLAIN = "guided"
FIXED = (PLAIN, "biharmonic", "telea", "navier-stokes")
"""Methods that `auto` does not try, for the table; the candidates are in it anyway."""

LABELS = tuple(judging.label(name, options) for name, options in CANDIDATES)

STIFFNESS = 10.0
"""Ridge of the fit, for columns of unit length: less follows the noise of the dev photos, and choices on
photos that were left out get worse."""

FOLDS = 10
STOCK = 34
"""Photos of the stock split, at most: all of them take hours."""

Floats = NDArray[np.float64]
Cell = dict[str, Any]


@functools.lru_cache(maxsize=1)
def network() -> Guided:
    """Return `guided`, with its model loaded once."""
    return cast("Guided", registry.create("guided"))


def fills_of(image: FloatImage, hole: NDArray[np.bool_], seed: int) -> tuple[list[FloatImage], list[float]]:
    """Return what each candidate and last `PLAIN` make of a frame; seconds of `patchmatch` and `guided`."""
    start = time.perf_counter()
    patches = fill_patches(image, hole, seed=seed)
    middle = time.perf_counter()
    parts = replace(network(), **dict(judging.CONSENSUS)).parts(image, hole, seed=seed)
    end = time.perf_counter()
    fills = [
        patches if name == "patchmatch" else replace(network(), **dict(options)).mixed(parts, hole)[0]
        for name, options in CANDIDATES
    ]
    fills.append(network().mixed(parts._replace(consensus=None), hole)[0])
    return fills, [middle - start, end - middle]


def measure(example: Example) -> Cell:
    """Return all that is to be known about an example; frames are those of `lacuna.Inpainter`."""
    from lpips import lpips

    task = prepare(registry.get("auto"), example.image, example.hole, Settings())
    labels = (*LABELS, PLAIN)
    canvases = [example.truth.copy() for _ in labels]
    frames = []
    for frame in task.frames:
        image, hole, _ = task.cut(frame)
        fills, seconds = fills_of(image, hole, 0)
        top, left, bottom, right = frame.box
        for canvas, fill in zip(canvases, fills, strict=True):
            canvas[top:bottom, left:right][hole] = fill[hole]
        start = time.perf_counter()
        seen_at = network().scale(hole)
        trial = rehearse(image, hole, seen_at)
        measured: list[list[float]] = []
        if trial is not None:
            made = tried(trial, network(), seen_at)
            judging.judge(made, trial.image, trial.hidden, judging.form_of(hole, seen_at))
        seconds.append(time.perf_counter() - start)
        if trial is not None:
            measured = [judging.statistics(f, trial.image, trial.hidden).tolist() for f in made]
            measured_psnr = [psnr(f, trial.image, trial.hidden) for f in made]
            truth = [_own_lpips(f, trial.image, trial.hidden) for f in made]
        frames.append(
            {
                "missing": int(hole.sum()),
                "spread": judging.form_of(hole, seen_at).spread,
                "seen_at": seen_at,
                "statistics": measured,
                "trial_psnr": measured_psnr if trial is not None else [],
                "trial_lpips": truth if trial is not None else [],
                "hidden": int(trial.hidden.sum()) if trial is not None else 0,
                "seconds": seconds,
            }
        )
    figures = {}
    for label, canvas in zip(labels, canvases, strict=True):
        picture = to_bytes(canvas).astype(np.float32) / np.float32(255)
        picture = composite(picture, example.truth, example.hole)
        figures[label] = [lpips(picture, example.truth), psnr(picture, example.truth, example.hole)]
    for name in FIXED[1:]:
        picture = Inpainter(name).run(to_bytes(example.image), example.hole).image.astype(np.float32)
        picture = composite(picture / np.float32(255), example.truth, example.hole)
        figures[name] = [lpips(picture, example.truth), psnr(picture, example.truth, example.hole)]
    return {"kind": example.kind, "name": example.name, "share": float(example.hole.mean()),
            "frames": frames, "figures": figures}  # fmt: skip


def _own_lpips(fill: FloatImage, truth: FloatImage, hidden: NDArray[np.bool_]) -> float:
    """Return LPIPS over the hidden pixels: that of the picture, divided by their share."""
    from lpips import lpips

    return lpips(fill, truth) * hidden.size / max(1, int(hidden.sum()))


def cells(split: str, kinds: Sequence[str], limit: int | None, folder: Path) -> list[Cell]:
    """Return the cells of a split, made or read."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for kind in kinds:
        examples = load_split(split, kind, limit)
        for index, example in enumerate(examples, 1):
            path = folder / f"{split}-{kind}-{example.name}-{_key()}.json"
            if not path.is_file():
                part = path.with_suffix(".part")
                part.write_text(json.dumps(measure(example)))
                part.replace(path)
            found.append(json.loads(path.read_text()))
            print(f"\r{split} {kind} {index}/{len(examples)}", end="", flush=True)
        print()
    return found


@functools.cache
def _key() -> str:
    """Return a hash of the code that makes fills; the fitted numbers do not count."""
    digest = hashlib.sha256(repr((LABELS, FIXED)).encode())
    root = REPOSITORY / "src" / "lacuna"
    for part in ("exemplar", "methods/onnx", "methods/auto/rehearsal.py", "sizing.py", "frame.py", "task.py"):
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:10]


class Data:
    """Cells as arrays: n pictures, c candidates. Pictures of several frames count by their largest one."""

    def __init__(self, found: Sequence[Cell]) -> None:
        tried = []
        for cell in found:
            largest = max(cell["frames"], key=lambda frame: frame["missing"])
            tried.append(largest if largest["statistics"] else None)
        self.kinds = np.array([cell["kind"] for cell in found])
        self.names = np.array([cell["name"] for cell in found])
        self.lpips = np.array([[cell["figures"][label][0] for label in LABELS] for cell in found])
        self.psnr = np.array([[cell["figures"][label][1] for label in LABELS] for cell in found])
        self.share = np.array([cell["share"] for cell in found])
        self.tried = np.array([frame is not None for frame in tried])
        self.forms = [
            judging.Form(frame["spread"], 1 - frame["seen_at"]) if frame else judging.Form(0.0, 0.0)
            for frame in tried
        ]
        empty = np.zeros((len(LABELS), len(judging.STATISTICS)))
        self.statistics = np.array([frame["statistics"] if frame else empty for frame in tried])
        self.trial_lpips = np.array([frame["trial_lpips"] if frame else empty[:, 0] for frame in tried])
        self.trial_psnr = np.array([frame["trial_psnr"] if frame else empty[:, 0] for frame in tried])
        self.seconds = np.array([np.sum([f["seconds"] for f in cell["frames"]], axis=0) for cell in found])


def fit(data: Data, use: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the numbers of judging.py, fitted to some of the pictures.

    First the LPIPS of hidden pixels from the statistics, then the LPIPS of the hole, over its own
    pixels, from that: least squares with a ridge, differences between candidates weighing nine times as much
    as the level, which no choice depends on.
    """
    use = use & data.tried
    x, y = data.statistics[use], data.trial_lpips[use]
    rows = np.concatenate([(x - x[:, :1])[:, 1:].reshape(-1, x.shape[2]) * 3, x[:, 0]])
    values = np.concatenate([(y - y[:, :1])[:, 1:].ravel() * 3, y[:, 0]])
    weights = _ridge(rows, values, 0.01 * len(rows))
    seen = x @ weights
    hole = data.lpips[use] / data.share[use][:, None]
    terms = np.array([judging.terms(data.forms[i]) for i in np.flatnonzero(use)])
    others = len(LABELS) - 1
    rows = np.zeros((others, use.sum(), 4 * others + 3))
    for c in range(others):
        rows[c, :, 4 * c : 4 * c + 4] = terms
        rows[c, :, 4 * others :] = terms[:, :3] * (seen[:, c + 1] - seen[:, 0])[:, None]
    values = (hole[:, 1:] - hole[:, :1]).T
    found = _ridge(rows.reshape(-1, rows.shape[2]), values.ravel(), STIFFNESS * others)
    return {
        "LPIPS": weights,
        "PRIOR": np.vstack([np.zeros(4), found[: 4 * others].reshape(others, 4)]),
        "TRUST": found[4 * others :],
        "LEVEL": float(np.sum(hole[:, 0] * seen[:, 0]) / np.sum(seen[:, 0] ** 2)),
    }


def _ridge(rows: Floats, values: Floats, stiffness: float) -> Floats:
    """Return the solution for columns of unit length, scaled back."""
    size = np.sqrt(np.square(rows).mean(axis=0)) + 1e-12
    a = rows / size
    return np.asarray(np.linalg.solve(a.T @ a + stiffness * np.eye(a.shape[1]), a.T @ values) / size)


def chosen(data: Data, numbers: dict[str, Any]) -> NDArray[np.int64]:
    """Return which candidate `auto` takes with these numbers, (n,)."""
    kept = {name: getattr(judging, name) for name in numbers}
    try:
        for name, value in numbers.items():
            setattr(judging, name, value)
        return np.array(
            [
                judging.best(judging.predict(s @ np.array(judging.LPIPS), form)) if tried else 0
                for s, form, tried in zip(data.statistics, data.forms, data.tried, strict=True)
            ]
        )
    finally:
        for name, value in kept.items():
            setattr(judging, name, value)


def crossed(data: Data) -> NDArray[np.int64]:
    """Return what `auto` takes with numbers that were fitted without the photo."""
    names = np.unique(data.names)
    np.random.Generator(np.random.PCG64(0)).shuffle(names)
    out = np.zeros(len(data.names), dtype=np.int64)
    for fold in range(FOLDS):
        test = np.isin(data.names, names[fold::FOLDS])
        out[test] = chosen(data, fit(data, ~test))[test]
    return out


def report(found: Sequence[Cell], data: Data, choices: dict[str, NDArray[np.int64]]) -> str:
    """Return the tables: each method, `auto` and the oracle; differences; how well `auto` foretold them."""
    kinds = [kind for kind in KINDS if kind in data.kinds]
    groups = {kind: data.kinds == kind for kind in kinds} | {"all": np.ones(len(data.kinds), bool)}
    index, best = np.arange(len(data.names)), data.lpips.argmin(axis=1)
    columns = {name: _figures(found, name) for name in FIXED}
    columns |= {label: (data.lpips[:, i], data.psnr[:, i]) for i, label in enumerate(LABELS)}
    columns |= {name: (data.lpips[index, c], data.psnr[index, c]) for name, c in choices.items()}
    columns["the oracle"] = data.lpips[index, best], data.psnr[index, best]
    head = ["| " + " | ".join(groups) + " |", "|---" * (len(groups) + 1) + "|"]
    pages = ["| LPIPS ↓ / hole-PSNR ↑ " + head[0], head[1]]
    for name, (lpips, decibels) in columns.items():
        row = [f"{lpips[g].mean():.4f} / {decibels[g].mean():.2f}" for g in groups.values()]
        pages.append(f"| {name} | {' | '.join(row)} |")
    for name in choices:
        pages += ["", f"| LPIPS of {name} minus … " + head[0], head[1]]
        for other in (*LABELS, *FIXED):
            difference = columns[name][0] - columns[other][0]
            row = ["{:+.4f} [{:+.4f}, {:+.4f}]".format(*bootstrap(difference[g])) for g in groups.values()]
            pages.append(f"| {other} | {' | '.join(row)} |")
    pages.append("")
    for name, choice in choices.items():
        for kind in kinds:
            counts = [
                f"{label} {np.count_nonzero(choice[groups[kind]] == i)}" for i, label in enumerate(LABELS)
            ]
            pages.append(f"{name} took, {kind}: {', '.join(counts)}")
    pages += ["", *(_foretold(data, kind) for kind in kinds), "", *(_cost(data, kind) for kind in kinds)]
    return "\n".join(pages) + "\n"


def _figures(found: Sequence[Cell], name: str) -> tuple[Floats, Floats]:
    both = np.array([cell["figures"][name] for cell in found])
    return both[:, 0], both[:, 1]


def _foretold(data: Data, kind: str) -> str:
    """Return how what `auto` expected of the candidates goes with what came."""
    use = data.tried & (data.kinds == kind)
    pairs = [(data.statistics[i], data.forms[i]) for i in np.flatnonzero(use)]
    expected = np.array([judging.predict(each @ np.array(judging.LPIPS), form) for each, form in pairs])
    real = data.lpips[use] / data.share[use][:, None]
    found = {
        "LPIPS": (expected[:, 0], real[:, 0]),
        "hole-PSNR": (data.trial_psnr[use, 0], data.psnr[use, 0]),
    }
    for i, label in enumerate(LABELS[1:], 1):
        found[f"LPIPS, {label} less {LABELS[0]}"] = expected[:, i] - expected[:, 0], real[:, i] - real[:, 0]
    words = [f"{name} {np.corrcoef(a, b)[0, 1]:.2f}" for name, (a, b) in found.items()]
    count = np.count_nonzero(data.kinds == kind)
    return (
        f"{kind}: tried on {np.count_nonzero(use)} of {count}; correlation with what came: {', '.join(words)}"
    )


def _cost(data: Data, kind: str) -> str:
    """Return what a trial takes beside a fill of the same hole by `patchmatch`."""
    seconds = data.seconds[data.kinds == kind]
    patches, guided, trial = np.median(seconds, axis=0)
    ratio = seconds[:, 2] / seconds[:, 0]
    return (
        f"{kind}: median seconds of the trial {trial:.2f}, patchmatch {patches:.2f}, guided {guided:.2f}; "
        f"the trial takes {np.median(ratio):.2f} times patchmatch, in nine of ten less than "
        f"{np.percentile(ratio, 90):.2f} times"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is missing, fit if asked, print the table and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--split", choices=SPLITS, default="dev")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--fit", action="store_true", help="fit the numbers of judging.py (dev only)")
    parser.add_argument("-o", "--output", type=Path, default=REPOSITORY / "bench-output")
    args = parser.parse_args(argv)
    if args.fit and args.split != "dev":
        raise SystemExit("--fit: numbers are fitted on dev alone; eval is for reporting")
    splits = ("dev", "stock") if args.split == "dev" else (args.split,)
    groups = {
        split: cells(
            split,
            args.kinds.split(","),
            STOCK if split == "stock" and args.limit is None else args.limit,
            args.output / "choice",
        )
        for split in splits
    }
    data = Data([cell for found in groups.values() for cell in found])
    choices = {"auto": chosen(data, {})}
    if args.fit:
        for name, value in fit(data, np.ones(len(data.names), bool)).items():
            print(f"{name} = {np.array2string(np.asarray(value), precision=5, separator=', ')}")
    if args.split == "dev":
        choices["auto, fitted without the photo"] = crossed(data)
    pages, start = [as_line(describe())], 0
    for split, found in groups.items():
        part = {name: choice[start : start + len(found)] for name, choice in choices.items()}
        pages.append(f"## {split}\n\n" + report(found, Data(found), part))
        start += len(found)
    text = "\n\n".join(pages)
    print(text)
    (args.output / f"choice-{args.split}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
