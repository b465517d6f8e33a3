"""How good fills are, side by side: LPIPS, hole-PSNR, SSIM and seam of our methods and of the rivals.

::

    python benchmarks/quality.py --split dev --kinds medium,wide --methods patchmatch,shiftmap,gmic-inpaint
    python benchmarks/quality.py --methods patchmatch,patchmatch@5 --option patchmatch@5:patch=5 --limit 16

Names of rivals are those of rivals.py; all others are Lacuna's. ``name@label`` is the same method again,
under a label of its own, for options to differ. Fills are kept (bench-output/quality/cache), so that a rival
runs once and ours again whenever the code that makes the fill changes.

For quick work in Python: ``load_split("dev", "medium", 16)``, ``score(fill, example.truth, example.hole)``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from metrics import PSNR_CAP, Image, score
from PIL import Image as PilImage
from rivals import RIVALS, TIME_LIMIT
from runners import REPOSITORY, Outcome, Runner, default_door, evaluate
from sheets import marked, sheet
from splits import KINDS, SPLITS, Example, load_split
from tables import FIGURES, Table, complete, median_seconds, told, values

from lacuna.evaluate.environment import as_line, describe

__all__ = ["Runner", "evaluate", "load_split", "main", "score"]

FORMATS = {"lpips": ".4f", "psnr": ".2f", "ssim": ".4f", "seam": "+.1f"}
SHEET_ROWS = 6


def report(kind: str, table: Table, runners: Sequence[Runner]) -> str:
    """Return the Markdown tables of one kind: means, then ours minus each other method with intervals.

    Only pictures that every method filled enter, so that a method gains nothing by failing on a hard one.
    """
    names = complete(table)
    lines = [f"### {kind}: {len(names)} pictures that every method filled", ""]
    lines += ["| method | LPIPS ↓ | hole-PSNR ↑ | SSIM ↑ | seam → 0 | median s | failed |", "|---" * 7 + "|"]
    for label, outcomes in table.items():
        failed = sum(o.figures is None for o in outcomes.values())
        row = [f"{_mean(outcomes, names, figure):{form}}" for figure, form in FORMATS.items()]
        lines.append(f"| {label} | {' | '.join(row)} | {median_seconds(outcomes, names):.2f} | {failed} |")
    for runner in runners:
        if runner.rival is None:
            lines += _differences(runner.label, table, names)
    return "\n".join(lines) + "\n"


def _mean(outcomes: dict[str, Outcome], names: Sequence[str], figure: str) -> float:
    return float(values(outcomes, names, figure).mean()) if names else float("nan")


def _differences(label: str, table: Table, names: Sequence[str]) -> list[str]:
    others = [other for other in table if other != label]
    if len(names) < 2 or not others:
        return []
    lines = ["", f"{label} minus … (mean, 95 % bootstrap interval; **bold**: better, ~~struck~~: worse):", ""]
    lines += ["| | " + " | ".join(FIGURES) + " |", "|---" * (1 + len(FIGURES)) + "|"]
    for other in others:
        pairs = {f: values(table[label], names, f) - values(table[other], names, f) for f in FIGURES}
        cells = [told(differences, f, "+" + FORMATS[f]) for f, differences in pairs.items()]
        lines.append(f"| {other} | {' | '.join(cells)} |")
    return lines


def write_sheets(examples: Sequence[Example], table: Table, folder: Path) -> list[Path]:
    """Write sheets of the examples that the first method did worst and best on, by LPIPS."""
    first = next(iter(table.values()))
    names = [n for n in first if first[n].figures]
    names.sort(key=lambda n: -(first[n].figures or {})["lpips"])
    by_name = {example.name: example for example in examples}
    written = []
    for title, chosen in (("worst", names[:SHEET_ROWS]), ("best", names[::-1][:SHEET_ROWS])):
        if not chosen:
            continue
        path = folder / f"{examples[0].split}-{examples[0].kind}-{title}.png"
        sheet([_sheet_row(by_name[n], {label: table[label][n] for label in table}) for n in chosen], path)
        written.append(path)
    return written


def _sheet_row(example: Example, outcomes: dict[str, Outcome]) -> list[tuple[str, Image]]:
    row = [(f"{example.name}: the hole", marked(example.truth, example.hole))]
    for label, outcome in outcomes.items():
        if outcome.figures is None:
            row.append((f"{label}: {outcome.failure}"[:60], np.ones_like(example.truth)))
            continue
        fill = np.asarray(PilImage.open(outcome.picture).convert("RGB"), dtype=np.float32) / np.float32(255)
        lpips, psnr = outcome.figures["lpips"], outcome.figures["psnr"]
        row.append((f"{label}  LPIPS {lpips:.3f}  PSNR {psnr:.1f}", fill))
    return [*row, ("truth", example.truth)]


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--split", choices=SPLITS, default="dev")
    parser.add_argument("--kinds", default="medium,wide", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--methods", default="patchmatch," + ",".join(RIVALS))
    parser.add_argument("--option", action="append", default=[], metavar="METHOD:KEY=VALUE")
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--door", choices=("inpainter", "fill"), default=default_door())
    parser.add_argument("--timeout", type=float, default=TIME_LIMIT, help="seconds per rival and picture")
    parser.add_argument("--no-sheets", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=REPOSITORY / "bench-output" / "quality")
    return parser.parse_args(argv)


def make_runners(args: argparse.Namespace) -> list[Runner]:
    """Return a runner for each method named, leaving out (and saying so) rivals that are not installed."""
    options: dict[str, dict[str, str]] = {}
    for text in args.option:
        label, _, pair = text.partition(":")
        key, equals, value = pair.partition("=")
        if not equals or label not in args.methods.split(","):
            raise SystemExit(f"--option {text!r}: expected METHOD:KEY=VALUE with a method named in --methods")
        options.setdefault(label, {})[key] = value
    runners = []
    for label in args.methods.split(","):
        runner = Runner(label, options.get(label, {}), args.seed, args.door)
        if runner.rival is not None and runner.rival.version() is None:
            print(f"left out: {label} is not installed", file=sys.stderr)
            continue
        runners.append(runner)
    return runners


def main(argv: Sequence[str] | None = None) -> None:
    """Run the comparison, print its tables, and write them and the sheets."""
    args = parse(argv)
    runners = make_runners(args)
    versions = {runner.rival.version() for runner in runners if runner.rival is not None}
    pages = [as_line(describe()), f"Rivals: {', '.join(sorted(map(str, versions))) or 'none'}."]
    pages += [
        f"hole-PSNR in dB over missing pixels alone, at most {PSNR_CAP:.0f}; seconds: see README.md.",
        "",
    ]
    for kind in args.kinds.split(","):
        examples = load_split(args.split, kind, args.limit)
        table: Table = {runner.label: {} for runner in runners}
        for index, example in enumerate(examples, 1):
            for runner in runners:
                table[runner.label][example.name] = evaluate(runner, example, args.output, args.timeout)
            print(f"\r{args.split} {kind} {index}/{len(examples)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        pages.append(report(f"{args.split} {kind}", table, runners))
        if not args.no_sheets:
            written = write_sheets(examples, table, args.output / "sheets")
            pages += [f"Sheets: {', '.join(map(str, written))}", ""]
    text = "\n".join(pages)
    print(text)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / f"{args.split}-{args.kinds.replace(',', '-')}.md").write_text(text)


if __name__ == "__main__":
    main()
