"""What changed between two runs, and whether it is more than chance."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lacuna.errors import ConfigError
from lacuna.evaluate.folder import Run, load_run
from lacuna.evaluate.statistics import Interval, bootstrap, holm, sign_flip_test
from lacuna.evaluate.summary import TESTED, Table, tables
from lacuna.evaluate.tables import spread
from lacuna.metrics import FACTS

NOTED = ("version", "seed", "lpips", "features", "images", "masks", "workers", "environment")


@dataclass(frozen=True)
class Change:
    """One method and figure in both runs: the second minus the first, on the cases that both filled."""

    kind: str
    method: str
    figure: str
    count: int
    interval: Interval
    p: float

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``unchanged`` (to the last digit) or ``no difference shown``."""
        if self.interval.low == self.interval.high == 0:
            return "unchanged"
        if self.p > 0.05:
            return "no difference shown"
        return "better" if FACTS[self.figure].better * self.interval.mean > 0 else "worse"


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Parameters
    ----------
    changes : p-values with Holm's correction over all of them.
    notes : what else differs: settings, versions, methods, cases, failures, seconds.
    """

    changes: list[Change]
    notes: list[str]

    def markdown(self) -> str:
        """Return the comparison as Markdown."""
        out = [f"- {note}" for note in self.notes]
        out += ["", "| holes | method | figure | n | second minus first | p | |", "|---" * 7 + "|"]
        for c in self.changes:
            form = "+" + FACTS[c.figure].form
            cells = [c.kind or "all", c.method, FACTS[c.figure].title, str(c.count)]
            cells += [spread(*c.interval, form), f"{c.p:.4f}", c.verdict]
            out.append(f"| {' | '.join(cells)} |")
        return "\n".join(out).lstrip("\n") + "\n"


def compare_runs(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> Comparison:
    """Compare two runs, method by method, on the pictures and holes that both filled.

    Parameters
    ----------
    first, second : folders that `evaluate` wrote; pictures are matched by their names.

    Raises
    ------
    ConfigError : not such a folder, or nothing in common.
    """
    runs = load_run(Path(first)), load_run(Path(second))
    pairs = _paired_tables(*runs)
    found: list[tuple[str, str, str, int, Interval]] = []
    p_values: list[float] = []
    notes = [*_settings(*runs)]
    for a, b in pairs:
        for method in (m for m in a.methods if m in b.methods):
            notes += _failures(a, b, method) + _seconds(a, b, method)
            for figure in TESTED:
                groups, values = _difference(a, b, method, figure)
                if len(values):
                    interval = bootstrap(values, groups=groups)
                    found.append((a.kind, method, figure, len(values), interval))
                    p_values.append(sign_flip_test(values, groups=groups))
    if not found:
        raise ConfigError(f"{first} and {second} have no method, picture and figure in common")
    changes = [Change(*facts, p) for facts, p in zip(found, holm(p_values), strict=True)]
    return Comparison(changes, notes)


def _paired_tables(first: Run, second: Run) -> list[tuple[Table, Table]]:
    other = {table.kind: table for table in tables(second)}
    return [(table, other[table.kind]) for table in tables(first) if table.kind in other]


def _difference(a: Table, b: Table, method: str, figure: str) -> tuple[list[str], np.ndarray]:
    mine, theirs = a.filled[method], b.filled[method]
    cases = [
        case
        for case in sorted(set(mine) & set(theirs))
        if figure in mine[case]["figures"] and figure in theirs[case]["figures"]
    ]
    return [image for image, _ in cases], b.values(method, figure, cases) - a.values(method, figure, cases)


def _settings(first: Run, second: Run) -> list[str]:
    said = []
    for name in NOTED:
        a, b = first.header.get(name), second.header.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            keys = [key for key in a | b if a.get(key) != b.get(key) and key != "load"]
            said += [f"{name}, {key}: {a.get(key)} → {b.get(key)}" for key in keys]
        elif a != b:
            said.append(f"{name}: {a} → {b}")
    gone = [m for m in first.header["methods"] if m not in second.header["methods"]]
    new = [m for m in second.header["methods"] if m not in first.header["methods"]]
    said += [f"only in the first: {', '.join(gone)}"] if gone else []
    said += [f"only in the second: {', '.join(new)}"] if new else []
    for method in set(first.header["options"]) & set(second.header["options"]):
        a, b = first.header["options"][method], second.header["options"][method]
        said += [f"options of {method}: {a} → {b}"] if a != b else []
    return said


def _failures(a: Table, b: Table, method: str) -> list[str]:
    def failed(table: Table) -> int:
        return sum(row["status"] == "error" for row in table.rows if row["method"] == method)

    before, after = failed(a), failed(b)
    return [f"{a.kind or 'all holes'}, {method}: {before} → {after} failed"] if before != after else []


def _seconds(a: Table, b: Table, method: str) -> list[str]:
    cases: Sequence[tuple[str, str]] = sorted(set(a.filled[method]) & set(b.filled[method]))
    if not cases:
        return []
    before, after = (float(np.median([t.filled[method][c]["seconds"] for c in cases])) for t in (a, b))
    return [f"{a.kind or 'all holes'}, {method}: median {before:.2f} → {after:.2f} s"]
