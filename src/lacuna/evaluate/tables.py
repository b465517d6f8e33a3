"""The tables as CSV and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from lacuna.evaluate.environment import as_line
from lacuna.evaluate.folder import Run, write_text
from lacuna.evaluate.memory import spoken
from lacuna.evaluate.sets import SET_FACTS, SMALL_SETS, cells, heading, nets, set_lines, set_title, sets_csv
from lacuna.evaluate.summary import (
    TESTED,
    Bucket,
    Difference,
    Line,
    Table,
    buckets,
    differences,
    lines,
    tables,
)
from lacuna.metrics import FACTS

SHOWN = ("lpips", "psnr_hole", "ssim_hole", "ssim", "l1", "seam", "tv_excess")
"""Columns of the Markdown and HTML tables; the CSV has all."""

COLUMNS = (
    "kind",
    "image",
    "mask",
    "method",
    "seed",
    "status",
    "hole_ratio",
    "border",
    "seconds",
    "memory_mb",
)


def write_tables(run: Run) -> list[Path]:
    """Write ``rows.csv``, ``summary.csv``, ``sets.csv`` and ``tables.md`` into the run's folder.

    Raises
    ------
    OutputError : they cannot be written.
    """
    texts = {"rows.csv": rows_csv(run), "summary.csv": summary_csv(run), "tables.md": markdown(run)}
    if nets(run):
        texts["sets.csv"] = sets_csv(run)
    for name, text in texts.items():
        write_text(run.path / name, text)
    return [run.path / name for name in texts]


def rows_csv(run: Run) -> str:
    """Return every row as CSV, failures with their words."""
    figures = list(run.header["figures"])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, "changed_outside", *figures, "error"])
    for row in run.rows:
        values = row.get("figures", {})
        writer.writerow(
            [
                *(row.get(name, "") for name in COLUMNS),
                row.get("changed_outside", ""),
                *(values.get(figure, "") for figure in figures),
                row.get("error", ""),
            ]
        )
    return out.getvalue()


def summary_csv(run: Run) -> str:
    """Return one line per kind of holes and method, with the ends of the intervals."""
    figures = list(run.header["figures"])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [f"{figure}{end}" for figure in figures for end in ("", "_low", "_high")]
    writer.writerow(
        [
            "kind",
            "method",
            "count",
            *heads,
            "median_seconds",
            "peak_mb",
            "failed",
            "missing",
            "capped",
            "changed",
        ]
    )
    for table in tables(run):
        for line in lines(table, figures):
            values = [v for f in figures for v in line.figures.get(f, ("", "", ""))]
            numbers = ["" if math.isnan(v) else v for v in (line.seconds, line.memory_mb)]
            ends = [line.failed, line.missing, line.capped, line.changed]
            writer.writerow([line.kind, line.method, line.count, *values, *numbers, *ends])
    return out.getvalue()


def markdown(run: Run) -> str:
    """Return the tables as Markdown."""
    shown = [figure for figure in SHOWN if figure in run.header["figures"]]
    pages = ["# Evaluation", "", as_line(run.header["environment"]), "", *facts(run), ""]
    for table in tables(run):
        pages += [f"## {table.kind or 'all holes'}: {len(table.complete)} that every method filled", ""]
        pages += _means(lines(table, shown), shown)
        for figure in (figure for figure in TESTED if figure in shown):
            pages += _pairs(differences(table, figure), figure)
        pages += _sets(run, table)
    for figure in (figure for figure in TESTED[:2] if figure in shown):
        pages += _buckets(buckets(run, figure), figure)
    return "\n".join(pages).rstrip("\n") + "\n"


def facts(run: Run) -> list[str]:
    """Return sentences on what was run and how to read it."""
    header = run.header
    net = header["lpips"]
    workers = " or ".join(map(str, sorted({row.get("workers", header["workers"]) for row in run.rows})))
    limits = f"{header['time_limit']:g} s"
    if header.get("memory_limit") is not None:
        limits += f" and {spoken(header['memory_limit'])}"
    said = [
        f"{header['pictures']} pictures, {header['cases']['count']} holes, seed {header['seed']}, "
        f"{workers} at a time, {limits} at most for one fill.",
        "Means over the holes that every method filled which filled any, with 95 % bootstrap "
        "intervals over pictures. Seconds: median, the call alone, after a warm-up. Memory: the most that a "
        "fill needed above "
        "what the process held before it.",
    ]
    if header["pictures"] < 6:
        said.append("With fewer than six pictures no paired difference can pass the test.")
    if net:
        said.append(f"LPIPS: {net['net']}, {net['file']}, sha256 {net['sha256']}.")
    said += [f"{name} was left out: {why}." for name, why in header["skipped"].items()]
    return said


def number(value: float, form: str) -> str:
    """Return a number as tables print it, a dash where there is none.

    Examples
    --------
    >>> number(0.1234, ".2f"), number(float("nan"), ".2f")
    ('0.12', '–')
    """
    return "–" if math.isnan(value) else f"{value:{form}}"


def spread(mean: float, low: float, high: float, form: str) -> str:
    """Return a mean with its interval."""
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def remarks(line: Line) -> str:
    """Return what is odd about a line, in words."""
    said = []
    if line.missing:
        said.append("not installed")
    if line.failed:
        said.append(f"{line.failed} failed")
    if line.capped:
        said.append(f"{line.capped} capped at 60 dB")
    if line.changed:
        said.append(f"known pixels changed in {line.changed}")
    return ", ".join(said)


def _means(found: Sequence[Line], shown: Sequence[str]) -> list[str]:
    heads = [f"{FACTS[f].title} {FACTS[f].arrow}".strip() for f in shown]
    out = [f"| method | {' | '.join(heads)} | s | MB | |", "|---" * (len(shown) + 4) + "|"]
    for line in found:
        cells = [spread(*line.figures[f], FACTS[f].form) if f in line.figures else "–" for f in shown]
        cells += [number(line.seconds, ".2f"), number(line.memory_mb, ".0f"), remarks(line)]
        out.append(f"| {line.method} | {' | '.join(cells)} |")
    return [*out, ""]


def _pairs(found: Sequence[Difference], figure: str) -> list[str]:
    if not found:
        return []
    fact = FACTS[figure]
    form = "+" + fact.form
    out = [f"{fact.title}, paired differences (p: sign-flip test, Holm's correction):", ""]
    out += ["| | minus | difference | p | |", "|---|---|---|---|---|"]
    for d in found:
        verdict = {1: f"{d.method} is better", -1: f"{d.rival} is better", 0: "no difference shown"}[
            d.verdict
        ]
        out.append(f"| {d.method} | {d.rival} | {spread(*d.interval, form)} | {d.p:.4f} | {verdict} |")
    return [*out, ""]


def _sets(run: Run, table: Table) -> list[str]:
    out = []
    for net in nets(run) if table.complete else ():
        found = set_lines(run, table, net)
        heads = [set_title(net, figure) for figure in SET_FACTS]
        out += [f"Figures of the whole set, {heading(run, net)}. {SMALL_SETS}", ""]
        out += [f"| method | fills | {' | '.join(heads)} | |", "|---" * (len(heads) + 3) + "|"]
        out += [
            f"| {line.method} | {line.pairs} | {' | '.join(cells(line))} | {'; '.join(line.reasons)} |"
            for line in found
        ]
        out.append("")
    return out


def _buckets(found: Sequence[Bucket], figure: str) -> list[str]:
    if not found:
        return []
    methods = list(found[0].means)
    out = [f"## {FACTS[figure].title} by hole ratio", ""]
    out += [f"| missing | holes | {' | '.join(methods)} |", "|---" * (len(methods) + 2) + "|"]
    for bucket in found:
        means = [bucket.means.get(m) for m in methods]
        cells = [spread(*mean, FACTS[figure].form) if mean else "–" for mean in means]
        out.append(f"| {bucket.title} | {bucket.count} | {' | '.join(cells)} |")
    return [*out, ""]
