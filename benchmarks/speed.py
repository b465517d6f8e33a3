"""How fast the fills are, beside the rivals installed on this machine, in the same run (``make bench``).

::

    python benchmarks/speed.py           # about ten minutes on two cores, most of it G'MIC on 12 MP
    python benchmarks/speed.py --quick   # about two: fewer repeats, no rival on the large picture

Seconds depend on the machine; read the ratios. Nothing is subtracted from a rival's time and nothing is added
to ours; what each includes is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rivals import RIVALS, Rival, RivalError
from splits import load_split, make_blob, shared_folder

from lacuna import Inpainter
from lacuna.evaluate.environment import as_line, describe

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
METHOD = "patchmatch"
AIMS = {"gmic-inpaint": 4.0, "shiftmap": 20.0}
LARGE_MEGAPIXELS = 12.0
HOLE_SHARE = 0.045
SLOPE_MEGAPIXELS = (0.5, 1, 2, 4, 8, 16, 32, 50)
QUICK_SLOPE_MEGAPIXELS = (0.5, 2, 8)
LARGE_LIMIT = 1200.0
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
NOT_MEASURED = "not measured"

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """A picture and its hole, as a user has them.

    Parameters
    ----------
    name : for the table.
    image : (H, W, 3), 8 bits.
    hole : (H, W). True is missing.
    """

    name: str
    image: Pixels
    hole: Hole

    @property
    def neutral(self) -> Pixels:
        """The picture with the mean of the known pixels in the hole: what rivals get."""
        image = self.image.copy()
        image[self.hole] = image[~self.hole].mean(axis=0).round()
        return image


def small_cases(count: int) -> list[Case]:
    """Return pictures of about 512 px with object-sized holes of 3–30 %.

    From data/eval of the shared folder, evenly spaced; without it from this repository's examples/.

    Raises
    ------
    SystemExit : neither has any.
    """
    try:
        examples = load_split("eval", "medium")
    except FileNotFoundError:
        cases = own_examples()[:count]
    else:
        chosen = [examples[round(i)] for i in np.linspace(0, len(examples) - 1, count)]
        cases = [Case(e.name, np.round(e.truth * 255).astype(np.uint8), e.hole) for e in chosen]
    cases = [case for case in cases if 0.03 <= case.hole.mean() <= 0.3]
    if not cases:
        raise SystemExit(
            "no pictures: neither data/eval of LACUNA_SHARED nor examples/ has a picture with a mask"
        )
    return cases


def own_examples() -> list[Case]:
    """Return the pictures in examples/ that have a mask: ``NAME.mask.png`` beside ``NAME.*``."""
    cases = []
    for mask in sorted((REPOSITORY / "examples").rglob("*mask.png")):
        stem = mask.stem.removesuffix("mask").rstrip("-_.")
        pictures = [p for p in mask.parent.glob(f"{stem}.*") if p != mask and p.suffix in PICTURES]
        if pictures:
            image = np.asarray(Image.open(pictures[0]).convert("RGB"))
            hole = np.asarray(Image.open(mask).convert("L")) >= 128
            cases.append(Case(stem, image, hole))
    return cases


def large_case(megapixels: float) -> Case:
    """Return a photo resized to so many megapixels with one blob of `HOLE_SHARE`.

    From data/hires of the shared folder (8.3 MP, so larger ones are enlarged); without it from an example.
    """
    files = sorted((shared_folder() / "data" / "hires").glob("*.jpg"))
    photo = Image.open(files[0]).convert("RGB") if files else Image.fromarray(small_cases(1)[0].image)
    factor = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
    size = round(photo.width * factor), round(photo.height * factor)
    image = np.asarray(photo.resize(size, Image.Resampling.LANCZOS))
    small = make_blob(
        (256, round(256 * size[0] / size[1])), np.random.Generator(np.random.PCG64(5)), HOLE_SHARE
    )
    soft = Image.fromarray(small.astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
    return Case(f"{megapixels:g} MP", image, np.asarray(soft) >= 128)


def installed() -> list[Rival]:
    """Return the rivals that this machine has."""
    return [rival for rival in RIVALS.values() if rival.version() is not None]


def small_pictures(count: int, repeats: int) -> dict[str, Any]:
    """Time every method on every small picture, warm and interleaved; return medians and ratios."""
    cases, rivals = small_cases(count), installed()
    inpainter = Inpainter(METHOD)
    seconds: dict[str, dict[str, list[float]]] = {name: {} for name in (METHOD, *(r.name for r in rivals))}
    inpainter.run(cases[0].image, cases[0].hole)  # kernels compile or load here
    for _ in range(repeats):
        for case in cases:
            start = time.perf_counter()
            inpainter.run(case.image, case.hole)
            seconds[METHOD].setdefault(case.name, []).append(time.perf_counter() - start)
            for rival in rivals:
                if rival.name == "shiftmap" and len(seconds[rival.name].get(case.name, [])) >= 2:
                    continue  # seconds to a minute each: two repeats are enough to see that
                spent = rival.run(case.neutral, case.hole, 120.0)[1]
                seconds[rival.name].setdefault(case.name, []).append(spent)
    medians = {m: {n: statistics.median(s) for n, s in by_case.items()} for m, by_case in seconds.items()}
    ratios = {
        m: statistics.median(medians[m][case.name] / medians[METHOD][case.name] for case in cases)
        for m in medians
    }
    shares = {case.name: float(case.hole.mean()) for case in cases}
    sizes = {case.name: [case.image.shape[1], case.image.shape[0]] for case in cases}
    return {"seconds": medians, "ratios": ratios, "hole_share": shares, "size": sizes, "repeats": repeats}


def gmic_start_up() -> float | None:
    """Return G'MIC's seconds on a 16×16 picture: process start and files, hardly any inpainting."""
    rival = RIVALS["gmic-inpaint"]
    if rival.version() is None:
        return None
    image = np.random.Generator(np.random.PCG64(0)).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    hole = np.zeros((16, 16), dtype=bool)
    hole[7:9, 7:9] = True
    return statistics.median(rival.run(image, hole, 60.0)[1] for _ in range(3))


def in_child(
    case: Case, repeats: int, *, warm: bool = True, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Fill a picture in a new process; return seconds, memory and the wall time of the whole process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "image.npy", case.image)
        np.save(folder / "hole.npy", case.hole)
        command = [sys.executable, str(HERE / "speed_child.py"), METHOD]
        command += [str(folder / "image.npy"), str(folder / "hole.npy"), str(repeats)]
        command += ["warm"] if warm else []
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        wall = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{case.name} failed in its process:\n{done.stderr}")
    said = json.loads(done.stdout.splitlines()[-1])
    times = {
        "times_decoded": said["memory"] / said["decoded"],
        "times_decoded_loaded": said["memory_loaded"] / said["decoded"],
    }
    return {**said, **times, "wall": wall}


def large_picture(repeats: int, *, rival: bool) -> dict[str, Any]:
    """Time and weigh the fill of a 12 MP photo, and G'MIC's on the same."""
    case = large_case(LARGE_MEGAPIXELS)
    ours = in_child(case, repeats)
    gmic = None
    if rival and RIVALS["gmic-inpaint"].version() is not None:
        try:
            gmic = RIVALS["gmic-inpaint"].run(case.neutral, case.hole, LARGE_LIMIT)[1]
        except RivalError as error:
            print(f"gmic-inpaint on {case.name}: {error}", file=sys.stderr)
    seconds = statistics.median(ours["seconds"])
    return {
        "size": [case.image.shape[1], case.image.shape[0]],
        "hole_share": float(case.hole.mean()),
        "seconds": seconds,
        "memory_mb": ours["memory"] / 1e6,
        "memory_loaded_mb": ours["memory_loaded"] / 1e6,
        "times_decoded": ours["times_decoded"],
        "times_decoded_loaded": ours["times_decoded_loaded"],
        "gmic_seconds": gmic,
        "gmic_ratio": gmic / seconds if gmic else None,
    }


def slope(sizes: Sequence[float]) -> dict[str, Any]:
    """Time pictures of growing size with the same share missing; return the log-log slope of the seconds.

    A slope of 1 is a cost that is linear in the hole's area. The second of two fills counts.
    """
    rows = []
    for megapixels in sizes:
        case = large_case(megapixels)
        done = in_child(case, 2)
        rows.append(
            {
                "megapixels": megapixels,
                "hole_pixels": int(case.hole.sum()),
                "seconds": min(done["seconds"]),
                "times_decoded": done["times_decoded"],
                "times_decoded_loaded": done["times_decoded_loaded"],
            }
        )
    logs = np.log([[row["hole_pixels"], row["seconds"]] for row in rows])
    return {"rows": rows, "slope": float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])}


def first_call(repeats: int) -> dict[str, float]:
    """Time whole new processes (interpreter, imports, one 512-px fill): kernel cache empty, then filled."""
    case = small_cases(1)[0]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        empty = in_child(case, 1, warm=False, environment=environment)["wall"]
        warm = [in_child(case, 1, warm=False, environment=environment)["wall"] for _ in range(repeats)]
    return {"empty_cache": empty, "warm_cache": statistics.median(warm)}


def version_seconds(repeats: int) -> float | None:
    """Return the median seconds of ``lacuna --version``, None when the command is not installed."""
    command = Path(sys.executable).with_name("lacuna")
    if not command.exists():
        return None
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([str(command), "--version"], capture_output=True, check=True)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def render(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    pages = [as_line(results["environment"]), ""]
    pages += _render_small(results["small"], results["gmic_start_up"])
    pages += _render_large(results["large"])
    pages += _render_slope(results["slope"])
    first, version = results["first_call"], results["version_seconds"]
    pages += ["### New processes", "", "| | s | goal |", "|---|---|---|"]
    pages += [
        f"| interpreter, imports, one 512-px fill; kernel cache empty | {first['empty_cache']:.2f} | < 10 |"
    ]
    pages += [f"| the same, kernel cache filled | {first['warm_cache']:.2f} | < 1.5 |"]
    pages += [f"| `lacuna --version` | {_number(version)} | < 0.2 |", ""]
    return "\n".join(pages)


def _render_small(small: dict[str, Any], start_up: float | None) -> list[str]:
    names = list(small["hole_share"])
    heads = [f"{n} ({w}×{h}, {small['hole_share'][n]:.0%})" for n, (w, h) in small["size"].items()]
    lines = ["### 512-px object removal, warm, median seconds", ""]
    lines += [f"| method | {' | '.join(heads)} | times ours (median) | aim | includes |"]
    lines += ["|---" * (len(names) + 4) + "|"]
    for method, seconds in small["seconds"].items():
        cells = " | ".join(f"{seconds[n]:.2f}" for n in names)
        aim = f"≥ {AIMS[method]:g}" if method in AIMS else ""
        timing = RIVALS[method].timing if method in RIVALS else "the call alone"
        lines.append(f"| {method} | {cells} | {small['ratios'][method]:.2f} | {aim} | {timing} |")
    lines += ["", f"G'MIC on a 16×16 picture (start and files): {_number(start_up)} s, not subtracted.", ""]
    return lines


def _render_large(large: dict[str, Any]) -> list[str]:
    width, height = large["size"]
    head = f"### {width}×{height} ({width * height / 1e6:.1f} MP), {large['hole_share']:.1%} missing"
    return [
        head,
        "",
        "| | measured | goal |",
        "|---|---|---|",
        f"| seconds | {large['seconds']:.2f} | ≤ 6 |",
        f"| G'MIC inpaint, seconds | {_number(large['gmic_seconds'])} | |",
        f"| G'MIC's time as a multiple of ours | {_number(large['gmic_ratio'])} | ≥ 25 |",
        f"| peak memory above the imports, MB | {large['memory_mb']:.0f} | |",
        f"| the same in decoded pictures | {large['times_decoded']:.1f} | < 10 |",
        f"| peak memory above imports and loaded kernels, MB | {large['memory_loaded_mb']:.0f} | |",
        f"| the same in decoded pictures | {large['times_decoded_loaded']:.1f} | |",
        "",
    ]


def _render_slope(result: dict[str, Any]) -> list[str]:
    lines = [f"### Cost against hole area: slope {result['slope']:.2f} (1 = linear)", ""]
    lines += ["| MP | hole, px | s | memory in decoded pictures | above loaded kernels |", "|---" * 5 + "|"]
    for row in result["rows"]:
        cells = f"{row['hole_pixels']:,} | {row['seconds']:.2f} | {row['times_decoded']:.1f}"
        cells += f" | {row['times_decoded_loaded']:.1f}"
        lines.append(f"| {row['megapixels']:g} | {cells} |")
    return [*lines, ""]


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.2f}"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pictures, sizes and repeats")
    parser.add_argument("-o", "--output", type=Path, default=REPOSITORY / "bench-output")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run everything, print the tables, write speed.json and speed.md."""
    args = parse(argv)
    quick = args.quick
    results: dict[str, Any] = {
        "environment": describe() | {r.name: str(r.version()) for r in installed()},
        "small": small_pictures(3 if quick else 5, 2 if quick else 5),
        "gmic_start_up": gmic_start_up(),
        "first_call": first_call(1 if quick else 3),
        "version_seconds": version_seconds(3 if quick else 7),
        "slope": slope(QUICK_SLOPE_MEGAPIXELS if quick else SLOPE_MEGAPIXELS),
        "large": large_picture(2 if quick else 4, rival=not quick),
    }
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "speed.json").write_text(json.dumps(results, indent=1))
    text = render(results)
    (args.output / "speed.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
