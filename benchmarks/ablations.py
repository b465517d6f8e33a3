"""What each default of `patchmatch` and `guided` is worth: every one changed alone, paired on the dev photos.

::

    python benchmarks/ablations.py --every 3
    python benchmarks/ablations.py --methods guided --kinds wide --only across,strength

A variant differs from the defaults in one option, or in one constant of the code that is no option but a
choice all the same. Fills are kept (bench-output/ablations/cache), so a run that was stopped goes on, and a
part of it (``--limit``) can be looked at before the rest is there. Seconds are those of the processor, which
other work on the machine hardly touches, and variants take turns on each picture.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from metrics import PSNR_CAP
from runners import REPOSITORY, Runner, constant, evaluate
from splits import KINDS, SPLITS, load_split
from tables import Outcomes, Table, complete, median_seconds, told, values

from lacuna import registry
from lacuna.evaluate.environment import as_line, describe

SCALES = {"lpips": 1000, "psnr": 1, "ssim": 1000}
"""What differences are multiplied by, to be read easily."""
FORMATS = {"lpips": "+.1f", "psnr": "+.2f", "ssim": "+.1f"}
SAME = "="
"""Stands for fills that are the default's, pixel for pixel."""


@dataclass(frozen=True)
class Default:
    """One default, and what is tried instead of it.

    Parameters
    ----------
    name : of an option, ``seed``, or of a constant as `runners.replaced` wants it.
    others : values to try; those of constants have the constant's type.
    why : it is there, in a few words.
    """

    name: str
    others: tuple[Any, ...]
    why: str

    @property
    def short(self) -> str:
        """The name without its module."""
        return self.name.rpartition(":")[2]

    def runner(self, method: str, other: Any) -> Runner:
        """Return the method with this one thing changed."""
        runner = unchanged(method, f"{method}@{self.short}={other}")
        if self.name == "seed":
            return replace(runner, seed=other)
        if ":" in self.name:
            return replace(runner, constants={self.name: other})
        return replace(runner, options={self.name: str(other)})

    def value(self, method: str) -> Any:
        """Return the default as the code has it now."""
        if self.name == "seed":
            return unchanged(method).seed
        if ":" in self.name:
            return constant(self.name)
        (found,) = (option.default for option in registry.options_of(method) if option.name == self.name)
        return "auto" if found is None else found


CHANCE = Default("seed", (1, 2), "no choice at all: what chance alone changes")
ENGINE = (
    Default("lacuna.exemplar.engine:THICKNESS", (6.0, 16.0), "thickness of the hole that ends the pyramid"),
    Default("lacuna.exemplar.stage:Weights.decay", (1.0, 1.3), "votes from near the rim count more"),
    Default("lacuna.exemplar.stage:Weights.margin", (0.0, 0.2), "a random match must be better by a share"),
)
ABLATIONS = {
    "patchmatch": (
        CHANCE,
        Default("patch", (3, 7, 9), "small patches fit anywhere, large ones keep what is regular"),
        Default("levels", (1, 3, 6), "coarse levels settle what goes where, and may invent"),
        Default("iterations", (2, 12), "rounds on coarse levels, where they cost little"),
        Default("fine_iterations", (1, 4), "rounds on the finest level, where the time goes"),
        Default("texture", (0, 2, 8), "without it, smooth patches win"),
        Default("sharpness", (0, 4), "a mean of overlapping patches blurs, the best one alone has steps"),
        Default("membrane", (False,), "pieces from places in another light leave steps"),
        *ENGINE,
    ),
    "guided": (
        CHANCE,
        Default("strength", (0, 0.5), "how far patches follow the network"),
        Default("detail", (0, 1), "how much of the network's own picture is kept"),
        Default("least", (0.25, 0.5), "where the rule wants none of it, a little may still be right"),
        Default("consensus", (1, 3, 6), "off, since further fills take time; `auto` takes 3"),
        Default("across", (64, 128, 256), "a small net knows holes of some size only"),
        Default("lacuna.methods.onnx.guided:REACH", (28.0, 60.0), "what `across` goes by if left out"),
        Default(
            "lacuna.methods.onnx.guided:WEIGHTS",
            ((1.0, 1.0, 1.0), (1.0, 0.25, 0.1)),
            "the guide has no detail, so it counts less on finer levels",
        ),
        *ENGINE,
    ),
}
"""method → its defaults."""


def unchanged(method: str, label: str | None = None) -> Runner:
    """Return the method with its defaults, timed by the processor's clock."""
    return Runner(label or method, clock=time.process_time)


def variants(method: str, only: Sequence[str]) -> Iterator[tuple[Default, Any, Runner]]:
    """Yield each default of a method with each other value and what runs it."""
    for default in ABLATIONS[method]:
        if not only or default.short in only:
            for other in default.others:
                yield default, other, default.runner(method, other)


def report(method: str, tables: dict[str, Table], only: Sequence[str]) -> str:
    """Return the Markdown table of one method: a variant a row, its figures less those of the defaults.

    Parameters
    ----------
    tables : kind → label → picture → outcome.
    """
    kinds, names = list(tables), {kind: complete(table) for kind, table in tables.items()}
    counts = " / ".join(str(len(found)) for found in names.values())
    head = [*(f"LPIPS, {kind}" for kind in kinds), "PSNR", "SSIM", "seconds"]
    lines = [f"### {method}: {counts} pictures ({' / '.join(kinds)})", ""]
    lines += [f"| default | instead | {' | '.join(head)} |", "|---" * (len(head) + 2) + "|"]
    for default, other, runner in variants(method, only):
        rows = [
            _differences(table[runner.label], table[method], complete(table)) for table in tables.values()
        ]
        cells = [row["lpips"] for row in rows]
        cells += [" / ".join(row[figure] for row in rows) for figure in ("psnr", "ssim", "seconds")]
        value = f"`{default.short}` {_shown(default.value(method))}"
        lines.append(f"| {value} | {_shown(other)} | {' | '.join(cells)} |".replace("-", "−"))
    lines += ["", "What they are for:", ""]
    lines += [f"- `{d.short}`: {d.why}." for d in ABLATIONS[method] if not only or d.short in only]
    return "\n".join(lines) + "\n"


def _differences(ours: Outcomes, base: Outcomes, names: Sequence[str]) -> dict[str, str]:
    """Return the cells of one variant and kind: figure → difference, and the ratio of seconds."""
    if not names:
        return dict.fromkeys((*SCALES, "seconds"), "")
    cells = {}
    for figure, scale in SCALES.items():
        pairs = scale * (values(ours, names, figure) - values(base, names, figure))
        cell = told(pairs, figure, FORMATS[figure], interval=figure == "lpips")
        cells[figure] = cell if np.any(pairs) else SAME
    return {**cells, "seconds": f"{median_seconds(ours, names) / median_seconds(base, names):.2f}"}


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{x:g}" for x in value)
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--split", choices=SPLITS, default="dev")
    parser.add_argument("--kinds", default="narrow,medium,wide", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--methods", default=",".join(ABLATIONS))
    parser.add_argument("--only", default="", help="defaults to change, comma-separated; all if left out")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth picture")
    parser.add_argument("--limit", type=int, help="only the first so many of these")
    parser.add_argument("-o", "--output", type=Path, default=REPOSITORY / "bench-output" / "ablations")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the variants, print a table for each method, and write them."""
    args = parse(argv)
    only = args.only.split(",") if args.only else []
    pages = [as_line(describe()), ""]
    pages += [
        "Variant minus defaults, paired over pictures, with 95 % bootstrap intervals; LPIPS and SSIM × 1000, "
        f"hole-PSNR in dB (at most {PSNR_CAP:.0f}); seconds: ratio of medians. PSNR, SSIM and seconds in the "
        "order of the kinds. **Bold**: better than the defaults, ~~struck~~: worse, where the interval holds "
        f"no zero. {SAME}: the same fills.",
        "",
    ]
    for method in args.methods.split(","):
        tables = {kind: _table(method, kind, only, args) for kind in args.kinds.split(",")}
        pages.append(report(method, tables, only))
    text = "\n".join(pages)
    print(text)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / f"{args.split}-{args.methods.replace(',', '-')}.md").write_text(text)


def _table(method: str, kind: str, only: Sequence[str], args: argparse.Namespace) -> Table:
    runners = [unchanged(method)]
    runners += [runner for _, _, runner in variants(method, only)]
    examples = load_split(args.split, kind)[:: args.every][: args.limit]
    table: Table = {runner.label: {} for runner in runners}
    for index, example in enumerate(examples, 1):
        for runner in runners:
            table[runner.label][example.name] = evaluate(runner, example, args.output)
        print(f"\r{method} {kind} {index}/{len(examples)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return table


if __name__ == "__main__":
    main()
