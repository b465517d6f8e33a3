"""From an evaluation to a folder of trials that does not say which fill is whose."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ConfigError, OptionError, OutputError
from lacuna.evaluate.folder import Run, load_run, write_text
from lacuna.evaluate.pictures import as_bytes, as_webp, window
from lacuna.evaluate.summary import Cell, Table, tables
from lacuna.image import open_image
from lacuna.masks import to_hole

TRIALS, CHECKS = 60, 4
TRUTH, GREY = "(truth)", "(grey hole)"
"""The two sides of an attention check: whoever prefers the second is not looking."""

Side = tuple[str, Cell, str]


@dataclass(frozen=True)
class Trial:
    """Two fills of one hole, side by side.

    Parameters
    ----------
    id : what the page calls it.
    left, right : methods, or `TRUTH` and `GREY` in an attention check.
    kind, image, mask : the case.
    """

    id: str
    left: str
    right: str
    kind: str
    image: str
    mask: str

    @property
    def check(self) -> bool:
        """Whether it is an attention check."""
        return TRUTH in (self.left, self.right)


def build_study(
    run: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    methods: Sequence[str] | None = None,
    trials: int = TRIALS,
    checks: int = CHECKS,
    seed: int = 0,
) -> Path:
    """Write a folder with ``index.html`` and pictures, and beside it the key that tells who is who.

    Every pair of methods gets the same number of trials (give or take one), on cases drawn at random; sides
    are random, file names say nothing. Hand out the folder, keep the key.

    Parameters
    ----------
    run : folder of an evaluation.
    output : a new folder. The key becomes ``OUTPUT.key.json``.
    methods : two or more; None takes all that filled something.
    trials : pairs to be judged by every voter. checks : attention checks among them, added.
    seed : another seed, another draw.

    Returns
    -------
    The path of the key.

    Raises
    ------
    OptionError : fewer than two methods, or numbers that make no study.
    ConfigError : not an evaluation, or one without a case that two methods filled.
    OutputError : the folder or the key exists, or cannot be written.
    """
    folder = Path(output)
    key = folder.with_name(folder.name + ".key.json")
    if trials < 1 or checks < 0 or seed < 0:
        raise OptionError(f"trials {trials}, checks {checks}, seed {seed}; expected 1, 0 and 0 or more")
    for path in (folder, key):
        if path.exists():
            raise OutputError(f"{path} exists; votes for it would be lost, so name another folder")
    source = load_run(Path(run))
    chosen = _methods(source, methods)
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = [*_draw(tables(source), chosen, trials, generator)]
    drawn += _draw_checks(drawn, checks, generator)
    name = f"{int(generator.integers(2**62)):016x}"
    try:
        (folder / "pictures").mkdir(parents=True)
        page = _write_trials(source, drawn, folder / "pictures", generator)
        _write_page(folder, name, page)
        facts = {"study": name, "run": str(source.path.resolve()), "methods": chosen, "seed": seed}
        write_text(key, json.dumps(facts | {"trials": [asdict(trial) for trial in drawn]}, indent=1))
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    return key


def _methods(run: Run, methods: Sequence[str] | None) -> list[str]:
    working = [m for m in run.header["methods"] if any(m in table.working for table in tables(run))]
    chosen = working if methods is None else list(methods)
    unknown = [m for m in chosen if m not in working]
    if unknown or len(set(chosen)) < 2 or len(set(chosen)) < len(chosen):
        raise OptionError(
            f"methods are {', '.join(chosen) or 'none'}; expected two or more, each once, of those that "
            f"filled something in {run.path}: {', '.join(working) or 'none'}"
        )
    return chosen


def _draw(
    found: Sequence[Table], methods: Sequence[str], trials: int, generator: np.random.Generator
) -> list[Trial]:
    """Go round the pairs, and through the cases of each in an order of its own."""
    decks: list[tuple[str, str, list[tuple[str, Cell]]]] = []
    for a, b in combinations(methods, 2):
        cases = [(t.kind, case) for t in found for case in sorted(set(t.filled[a]) & set(t.filled[b]))]
        if cases:
            order = generator.permutation(len(cases))
            decks.append((a, b, [cases[i] for i in order]))
    if not decks:
        raise ConfigError("no two of the methods filled the same hole, so there is nothing to compare")
    drawn: list[Trial] = []
    # A pair whose cases run out is asked about no case twice.
    for depth in range(max(len(deck) for _, _, deck in decks)):
        for a, b, deck in decks:
            if len(drawn) < trials and depth < len(deck):
                drawn.append(_trial(a, b, *deck[depth], generator))
    return drawn


def _draw_checks(drawn: Sequence[Trial], checks: int, generator: np.random.Generator) -> list[Trial]:
    picks = [drawn[int(generator.integers(len(drawn)))] for _ in range(checks)]
    return [_trial(TRUTH, GREY, t.kind, (t.image, t.mask), generator) for t in picks]


def _trial(a: str, b: str, kind: str, case: Cell, generator: np.random.Generator) -> Trial:
    left, right = (a, b) if generator.integers(2) else (b, a)
    return Trial(f"{int(generator.integers(2**62)):016x}", left, right, kind, *case)


def _write_trials(
    run: Run, drawn: Sequence[Trial], folder: Path, generator: np.random.Generator
) -> list[dict[str, str]]:
    """Write each picture once, under a name drawn at random; return the trials as the page sees them."""
    names: dict[Side, str] = {}
    page = []
    for trial in drawn:
        sides = []
        for method in (trial.left, trial.right):
            side = (method, (trial.image, trial.mask), trial.kind)
            if side not in names:
                names[side] = f"{int(generator.integers(2**62)):016x}.webp"
                (folder / names[side]).write_bytes(_picture(run, method, trial))
            sides.append(f"pictures/{names[side]}")
        page.append({"id": trial.id, "left": sides[0], "right": sides[1]})
    # Checks were drawn last; the order on the page must not give them away.
    return [page[i] for i in generator.permutation(len(page))]


def _picture(run: Run, method: str, trial: Trial) -> bytes:
    image, mask = Path(run.header["images"]) / trial.image, Path(run.header["masks"]) / trial.mask
    truth = open_image(image)
    hole, _ = to_hole(mask, truth.shape, picture=truth)
    pixels: NDArray[np.uint8] = as_bytes(truth)
    if method == GREY:
        pixels = np.where(hole[..., None], np.uint8(128), pixels)
    elif method != TRUTH:
        key = (trial.image, trial.mask, method)
        row = next(r for r in run.rows if (r["image"], r["mask"], r["method"]) == key)
        pixels = as_bytes(open_image(run.path / row["fill"]))
    return as_webp(pixels, window(hole), lossless=True)


def _write_page(folder: Path, name: str, page: Sequence[dict[str, str]]) -> None:
    template = resources.files("lacuna.study").joinpath("page.html").read_text("utf-8")
    facts = json.dumps({"study": name, "trials": page}).replace("<", "\\u003c")
    write_text(folder / "index.html", template.replace("/*STUDY*/ null", facts))
