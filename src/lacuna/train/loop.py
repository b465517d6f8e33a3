"""The loop: batch, turns, average, chores; everything else is a function that it calls.

Step k is a function of the weights, the seed and k: photos, crops and holes are counted, and torch's
generator is set anew for each step. A run that is stopped and resumed is therefore the run that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from lacuna.errors import Cancelled, ConfigError, DeviceOutOfMemoryError, MethodError
from lacuna.train import checkpoint, setup
from lacuna.train.budget import Budget
from lacuna.train.chores import Chores
from lacuna.train.recipe import Recipe
from lacuna.train.setup import Setup
from lacuna.train.stopping import gently
from lacuna.train.tasks import Samples

EXPLODED = 20.0
"""A loss this many times its running mean is an explosion."""
FALLS = 5
"""Fallbacks after which a run is given up."""

Told = dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    checkpoint : the last one.
    samples, steps : of the whole run.
    rate : photos a second in this session.
    broken : photos that could not be read.
    """

    checkpoint: Path
    samples: int
    steps: int
    rate: float
    broken: tuple[str, ...]


class _Diverged(Exception):  # noqa: N818 - caught in this file
    """The loss is not finite, or has exploded."""


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    resume: str = "",
    start_from: str = "",
    on_progress: Callable[[float, str], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Outcome:
    """Train until the budget is used up, Ctrl-C, or too many fallbacks; a checkpoint is left in each case.

    Parameters
    ----------
    recipe : see `lacuna.train.recipe`.
    folder : of the run: checkpoints, log and sheets.
    resume : ``"auto"`` goes on with the newest checkpoint of the folder, if there is one; or a checkpoint.
    start_from : a checkpoint whose weights a new run starts from.
    on_progress : called after each step with the share of the budget and a line.
    on_note : called with what should be read: broken photos, fallbacks.

    Raises
    ------
    ConfigError : the recipe cannot be run, the budget is too small for one step, or the checkpoint to go on
        with is of another recipe.
    ImageError : no photos.
    MaskError : masks of another size than the samples.
    WeightsError, OutputError, DeviceError
    MethodError : diverged again and again.
    Cancelled : Ctrl-C; the checkpoint is written.
    """
    budget = Budget.parse(recipe.run.budget)
    run = setup.prepare(recipe, Path(folder), on_note=on_note)
    whole = run.share * run.processes
    if budget.samples is not None and budget.samples < whole:
        raise ConfigError(f"the budget of {budget.samples} samples is too small for one step of {whole}")
    found = setup.begin(run, resume=resume, start_from=start_from)
    start = run.progress.step
    with gently() as stop:
        chores = Chores(run, budget, found, stop, on_progress)
        try:
            _until(run, chores)
        finally:
            chores.close()
            run.feed.close()
    if stop.asked:
        raise Cancelled(f"stopped; {chores.saved} is written, and --resume auto goes on from it")
    if run.progress.step == start == 0:
        raise ConfigError(f"the budget of {recipe.run.budget} is too small: it ended before the first step")
    return Outcome(
        chores.saved, run.progress.samples, run.progress.step, chores.rate(), tuple(run.photos.broken)
    )


def _until(run: Setup, chores: Chores) -> None:
    """Step until the budget is used up, falling back where the loss runs away."""
    while not chores.over():
        batches = run.feed.ahead(run.wanted, run.progress.step)
        try:
            for batch in batches:
                chores.after(_step(run, run.samples(batch)))
                if chores.over():
                    break
        except _Diverged as why:
            _fall_back(run, chores, str(why))
        finally:
            batches.close()
    chores.finish()


def _step(run: Setup, samples: Samples) -> Told:
    """Let every net whose turn it is take one step, and average the generator's weights."""
    torch.manual_seed(run.recipe.seed * 1_000_003 + run.progress.step)
    run.set_rates()
    told: Told = {}
    with _enough_memory(run):
        for turn in run.task.turns(run.progress.step):
            with run.accelerator.autocast():
                terms = run.task.losses(turn, samples)
            loss = torch.stack([term.float() for term in terms.values()]).sum()
            # One transfer, not one for each term: each waits for the device.
            values = torch.stack(
                [*(term.detach().float() for term in terms.values()), loss.detach()]
            ).tolist()
            told |= dict(zip((*terms, turn), values, strict=True))
            _check(run, turn, told[turn])
            run.optimisers[turn].zero_grad(set_to_none=True)
            run.accelerator.backward(loss)
            run.apply(turn)
    run.average_weights()
    run.progress.step += 1
    run.progress.samples += len(samples.target) * run.processes
    return told


def _check(run: Setup, turn: str, loss: float) -> None:
    """Raise when a loss is not finite or has exploded; else take it into the running mean.

    All processes decide alike, or one would wait for the others for ever.
    """
    if run.processes > 1:
        loss = float(run.accelerator.reduce(torch.tensor(loss, device=run.device), reduction="mean"))
    if not math.isfinite(loss):
        raise _Diverged(f"the loss of {turn!r} is {loss}")
    if turn != "net":
        return
    level = run.progress.level
    if level and abs(loss) > EXPLODED * max(level, 1e-3):
        raise _Diverged(f"the loss is {loss:.4g}, {abs(loss) / level:.0f} times its running mean")
    run.progress.level = 0.99 * level + 0.01 * abs(loss) if level else abs(loss)


def _fall_back(run: Setup, chores: Chores, why: str) -> None:
    """Return to the last checkpoint with half of the learning rate."""
    progress = run.progress
    falls, rate, seconds, at = progress.falls + 1, progress.rate / 2, progress.seconds, progress.step
    if falls > FALLS:
        raise MethodError(
            f"step {at}: {why}; given up after {FALLS} fallbacks. {chores.saved} is good; start from "
            "it with a lower optimiser.lr, or with optimiser.clip"
        )
    checkpoint.load(chores.saved, run, run.recipe)
    run.progress.falls, run.progress.rate, run.progress.seconds = falls, rate, seconds
    run.note(f"step {at}: {why}; back to step {run.progress.step}, learning rates × {rate:g}")


@contextmanager
def _enough_memory(run: Setup) -> Iterator[None]:
    """Turn the several ways in which torch says that memory ran out into ours."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # The CPU's allocator raises a plain RuntimeError.
        words = str(error)
        if not isinstance(error, MemoryError) and not any(w in words for w in _NO_MEMORY):
            raise
        batch = run.recipe.data.batch
        raise DeviceOutOfMemoryError(
            f"memory ran out at a batch of {batch}; try --set data.batch={max(batch // 2, 1)} in a new run "
            "that starts from this one (--start-from). The last checkpoint is whole"
        ) from error


_NO_MEMORY = ("out of memory", "allocate memory")
