"""Figures of whole sets of fills: distances between distributions, and how well they can be told apart."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.evaluate.features import fill_file, truth_file
from lacuna.evaluate.folder import Run
from lacuna.evaluate.summary import Cell, Table, tables
from lacuna.metrics import discrimination_scores, frechet_distance, kernel_distance

INCEPTION = "inception"
SUBSET = 1000
"""Rows of a draw of the kernel distance where there are more, as in KID's paper."""

SMALL_SETS = (
    "The Fréchet distance of a small set is biased by an amount that depends on its size and differs between "
    "methods: compare it within a table only, and trust the order only where gaps are wide. The kernel "
    "distance is KID's estimator without such bias: a fill never meets its own original in it. It is 0 for a "
    "perfect method and may be negative by chance."
)


@dataclass(frozen=True)
class SetFacts:
    """A figure as tables show it; over Inception features it has a name of its own."""

    title: str
    over_inception: str
    arrow: str
    form: str


SET_FACTS: dict[str, SetFacts] = {
    "frechet": SetFacts("Fréchet distance", "FID", "↓", ".4g"),
    "kernel": SetFacts("kernel distance", "KID", "↓", ".3g"),
    "p_ids": SetFacts("P-IDS", "P-IDS", "↑", ".2%"),
    "u_ids": SetFacts("U-IDS", "U-IDS", "↑", ".2%"),
}


@dataclass(frozen=True)
class SetLine:
    """One method on one set of holes, over the features of one net.

    Parameters
    ----------
    pairs : fills with their originals. pictures : different originals. columns : of the features.
    figures : name → value; those that cannot be told are left out.
    reasons : why, in words.
    """

    kind: str
    method: str
    net: str
    pairs: int
    pictures: int
    columns: int
    figures: dict[str, float]
    reasons: list[str]


def nets(run: Run) -> dict[str, dict[str, str]]:
    """Return the nets whose features were kept: name → title, file, sha256."""
    found: dict[str, dict[str, str]] = run.header.get("features", {})
    return found


def heading(run: Run, net: str) -> str:
    """Return which features figures are of, for people."""
    facts = nets(run)[net]
    words = f"over the features of {facts['title']} ({facts['file']}, sha256 {facts['sha256']})"
    return words if net == INCEPTION else f"{words}; these are no FID and no KID"


def set_title(net: str, figure: str) -> str:
    """Return a column's head.

    Examples
    --------
    >>> set_title("inception", "frechet"), set_title("lpips-squeeze", "frechet")
    ('FID ↓', 'Fréchet distance ↓')
    """
    facts = SET_FACTS[figure]
    return f"{facts.over_inception if net == INCEPTION else facts.title} {facts.arrow}"


def set_lines(run: Run, table: Table, net: str) -> list[SetLine]:
    """Return a line for each method that filled anything, over the holes that all of them filled.

    Left out are holes in pictures that are too small for the net.
    """
    images = {image: _load(truth_file(run.path, net, image)) for image, _ in table.complete}
    truth = {image: features for image, features in images.items() if features is not None}
    cases = [case for case in table.complete if case[0] in truth]
    return [_line(run, table, net, method, cases, truth) for method in table.working]


def sets_csv(run: Run) -> str:
    """Return all set figures as CSV, with the reasons for empty ones."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "method", "features", "columns", "pairs", "pictures", *SET_FACTS, "why not"])
    for table in tables(run):
        for net in nets(run):
            for line in set_lines(run, table, net):
                values = [line.figures.get(figure, "") for figure in SET_FACTS]
                counts = [line.columns, line.pairs, line.pictures]
                writer.writerow([line.kind, line.method, net, *counts, *values, "; ".join(line.reasons)])
    return out.getvalue()


def cells(line: SetLine) -> list[str]:
    """Return a line's figures as tables print them, a dash where there is none."""
    values = [(line.figures.get(figure, math.nan), facts.form) for figure, facts in SET_FACTS.items()]
    return ["–" if math.isnan(value) else f"{value:{form}}" for value, form in values]


def _line(
    run: Run,
    table: Table,
    net: str,
    method: str,
    cases: list[Cell],
    truth: dict[str, NDArray[np.float64]],
) -> SetLine:
    loaded = [_load(fill_file(run.path, net, table.filled[method][case])) for case in cases]
    fakes = [features for features in loaded if features is not None]
    reasons: list[str] = []
    figures: dict[str, float] = {}
    columns = fakes[0].size if fakes else 0
    if len(fakes) < len(cases):
        reasons.append(f"the features of {len(cases) - len(fakes)} of its fills are not there")
    elif len(truth) < 2:
        reasons.append("two pictures or more are needed")
    else:
        figures, reasons = _figures(np.stack(fakes), cases, truth)
    return SetLine(table.kind, method, net, len(fakes), len(truth), columns, figures, reasons)


def _figures(
    fakes: NDArray[np.float64], cases: list[Cell], truth: dict[str, NDArray[np.float64]]
) -> tuple[dict[str, float], list[str]]:
    # A picture with several holes counts once among the originals.
    reals = np.stack(list(truth.values()))
    pictures = [image for image, _ in cases], list(truth)
    least = min(len(fakes), len(reals))
    figures = {
        "frechet": frechet_distance(fakes, reals),
        "kernel": kernel_distance(fakes, reals, subset=SUBSET if least > SUBSET else None, pictures=pictures),
    }
    pairs, columns = fakes.shape
    if pairs <= columns:
        why = f"P-IDS and U-IDS need more pairs than features, and there are {pairs} and {columns}"
        return figures, [why]
    scores = discrimination_scores(fakes, np.stack([truth[image] for image, _ in cases]))
    return figures | {"p_ids": scores.paired, "u_ids": scores.unpaired}, []


def _load(path: Path) -> NDArray[np.float64] | None:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    except (OSError, ValueError):
        return None
