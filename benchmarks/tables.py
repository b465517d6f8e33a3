"""What the tables of quality.py and ablations.py share: paired figures, and how a difference is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from metrics import bootstrap
from numpy.typing import NDArray
from runners import Outcome

FIGURES = {"lpips": -1, "psnr": 1, "ssim": 1}
"""Figures that are compared; the sign says whether more is better."""

Outcomes = Mapping[str, Outcome]
"""name of the picture → outcome."""

Table = dict[str, dict[str, Outcome]]
"""label → name of the picture → outcome."""


def complete(table: Mapping[str, Outcomes]) -> list[str]:
    """Return the pictures that every method filled, so that none gains by failing on a hard one."""
    filled = [{n for n, o in outcomes.items() if o.figures is not None} for outcomes in table.values()]
    return sorted(set.intersection(*filled)) if filled else []


def values(outcomes: Outcomes, names: Sequence[str], figure: str) -> NDArray[np.float64]:
    """Return a figure of each picture, (N,), in the order of the names."""
    return np.array([(outcomes[n].figures or {})[figure] for n in names], dtype=np.float64)


def median_seconds(outcomes: Outcomes, names: Sequence[str]) -> float:
    """Return the median over the pictures, NaN without any."""
    return float(np.median([outcomes[n].seconds for n in names])) if names else float("nan")


def told(differences: NDArray[np.float64], figure: str, form: str, *, interval: bool = True) -> str:
    """Return a mean difference with its 95 % interval in Markdown: **bold** if better, ~~struck~~ if worse.

    Parameters
    ----------
    differences : (N,), one or more, paired over pictures.
    figure : one of `FIGURES`.
    form : how numbers are formatted.
    interval : print it too; whether it holds zero is shown by the mark in any case.
    """
    mean, low, high = bootstrap(differences)
    text = f"{mean:{form}} [{low:{form}}, {high:{form}}]" if interval else f"{mean:{form}}"
    worst, best = sorted((FIGURES[figure] * low, FIGURES[figure] * high))
    return f"**{text}**" if worst > 0 else f"~~{text}~~" if best < 0 else text
