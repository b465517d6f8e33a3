"""From rows to the figures of tables: means with intervals, buckets, and paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lacuna.evaluate.folder import Row, Run
from lacuna.evaluate.statistics import Interval, bootstrap, holm, sign_flip_test
from lacuna.metrics import FACTS, PSNR_CAP

BUCKETS = ((0.0, 0.01), (0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 1.01))
TESTED = ("lpips", "psnr_hole", "ssim_hole")
"""Figures that methods are compared by; more of them would only add false alarms."""

Cell = tuple[str, str]


@dataclass(frozen=True)
class Line:
    """One method on one set of holes.

    Parameters
    ----------
    count : pictures and holes behind the means: those that every method filled which filled any.
    figures : name → mean with its interval.
    seconds : median of one fill. memory_mb : the most that a fill needed.
    failed, missing : rows without a fill: an error, or a method that is not installed.
    capped : fills that equal the truth so nearly that their PSNR met the cap.
    changed : rows in which known pixels changed.
    """

    kind: str
    method: str
    count: int
    figures: dict[str, Interval]
    seconds: float
    memory_mb: float
    failed: int
    missing: int
    capped: int
    changed: int


@dataclass(frozen=True)
class Difference:
    """Method minus rival on the same pictures; ``p`` is Holm's, over all pairs of the set and figure."""

    kind: str
    figure: str
    method: str
    rival: str
    interval: Interval
    p: float

    @property
    def verdict(self) -> int:
        """1 = the method is better, -1 = worse, 0 = no difference shown at 5 %."""
        if self.p > 0.05:
            return 0
        return FACTS[self.figure].better * (1 if self.interval.mean > 0 else -1)


class Table:
    """The rows of one kind of holes, by method and by case."""

    def __init__(self, run: Run, kind: str) -> None:
        self.kind = kind
        self.methods: list[str] = list(run.header["methods"])
        self.rows = [row for row in run.rows if row["kind"] == kind]
        self.filled: dict[str, dict[Cell, Row]] = {method: {} for method in self.methods}
        for row in self.rows:
            if row["status"] == "ok":
                self.filled[row["method"]][row["image"], row["mask"]] = row
        self.working = [method for method in self.methods if self.filled[method]]
        sets = [set(self.filled[method]) for method in self.working]
        self.complete: list[Cell] = sorted(set.intersection(*sets)) if sets else []

    def cases(self, figure: str, methods: Sequence[str] | None = None) -> list[Cell]:
        """Return the cases for which every method has the figure."""
        chosen = methods or self.working
        return [
            case
            for case in self.complete
            if all(figure in self.filled[method][case]["figures"] for method in chosen)
        ]

    def values(self, method: str, figure: str, cases: Sequence[Cell]) -> NDArray[np.float64]:
        """Return a method's figure for the cases, ``(N,)``."""
        filled = self.filled[method]
        return np.array([filled[case]["figures"][figure] for case in cases], dtype=np.float64)


def tables(run: Run) -> list[Table]:
    """Return a table for each kind of holes, in the order of their names."""
    return [Table(run, kind) for kind in sorted({row["kind"] for row in run.rows})]


def lines(table: Table, figures: Sequence[str]) -> list[Line]:
    """Return a line for each method."""
    return [_line(table, method, figures) for method in table.methods]


def _line(table: Table, method: str, figures: Sequence[str]) -> Line:
    rows = [row for row in table.rows if row["method"] == method]
    filled = [table.filled[method][case] for case in table.complete] if method in table.working else []
    intervals = {}
    for figure in figures if filled else ():
        cases = table.cases(figure)
        if cases:
            groups = [image for image, _ in cases]
            intervals[figure] = bootstrap(table.values(method, figure, cases), groups=groups)
    return Line(
        kind=table.kind,
        method=method,
        count=len(filled),
        figures=intervals,
        seconds=float(np.median([row["seconds"] for row in filled])) if filled else float("nan"),
        memory_mb=max((row["memory_mb"] for row in filled), default=float("nan")),
        failed=sum(row["status"] == "error" for row in rows),
        missing=sum(row["status"] == "missing" for row in rows),
        capped=sum(row["figures"].get("psnr_hole", 0) >= PSNR_CAP for row in filled),
        changed=sum(row["changed_outside"] > 0 for row in filled),
    )


def differences(table: Table, figure: str) -> list[Difference]:
    """Return every pair of methods on a figure, with Holm's correction over the pairs."""
    pairs = list(combinations(table.working, 2))
    cases = table.cases(figure)
    if not cases or not pairs:
        return []
    groups = [image for image, _ in cases]
    found, p_values = [], []
    for method, rival in pairs:
        difference = table.values(method, figure, cases) - table.values(rival, figure, cases)
        found.append((method, rival, bootstrap(difference, groups=groups)))
        p_values.append(sign_flip_test(difference, groups=groups))
    return [
        Difference(table.kind, figure, method, rival, interval, p)
        for (method, rival, interval), p in zip(found, holm(p_values), strict=True)
    ]


@dataclass(frozen=True)
class Bucket:
    """Means over cases of like hole ratio; ``border`` None takes both."""

    low: float
    high: float
    border: bool | None
    count: int
    means: dict[str, Interval]

    @property
    def title(self) -> str:
        """``10–20 %``, with or without border."""
        high = min(self.high, 1.0)
        text = f"{self.low:.0%}–{high:.0%}".replace("%–", "–").replace("%", " %")
        return text + {None: "", True: ", at the border", False: ", inside"}[self.border]


def buckets(run: Run, figure: str) -> list[Bucket]:
    """Return means by hole ratio over all kinds of holes; whole, and split by touching the border."""
    all_tables = tables(run)
    found = []
    for low, high in BUCKETS:
        for border in (None, False, True):
            cells = [_bucket_values(table, figure, low, high, border) for table in all_tables]
            pooled: dict[str, list[float]] = {}
            groups: list[str] = []
            working = [set(table.working) for table in all_tables if table.complete]
            methods = [m for m in run.header["methods"] if working and all(m in names for names in working)]
            for values, names in cells:
                groups += names
                for method in (m for m in methods if m in values):
                    pooled.setdefault(method, []).extend(values[method])
            if groups and pooled:
                means = {m: bootstrap(np.array(v), groups=groups) for m, v in pooled.items()}
                found.append(Bucket(low, high, border, len(groups), means))
    return found


def _bucket_values(
    table: Table, figure: str, low: float, high: float, border: bool | None
) -> tuple[dict[str, list[float]], list[str]]:
    if not table.complete:
        return {}, []
    any_method = table.filled[table.working[0]]
    cases = [
        case
        for case in table.cases(figure)
        if low <= any_method[case]["hole_ratio"] < high and border in (None, any_method[case]["border"])
    ]
    return {m: list(table.values(m, figure, cases)) for m in table.working}, [image for image, _ in cases]


def main_figure(run: Run) -> str:
    """Return the figure that cases are ranked by: LPIPS where it was computed, else hole-PSNR."""
    return "lpips" if "lpips" in run.header["figures"] else "psnr_hole"
