"""What is done between steps: save, show, validate, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from lacuna.train import checkpoint
from lacuna.train.budget import Budget
from lacuna.train.setup import Setup
from lacuna.train.stopping import Stop
from lacuna.train.tasks import Samples

SHOWN = 8
LOG_SECONDS = 5.0


class Chores:
    """A clock, and what is due by it. Nothing here touches what a step computes.

    Attributes
    ----------
    saved : the last checkpoint.
    """

    def __init__(
        self,
        run: Setup,
        budget: Budget,
        found: Path | None,
        stop: Stop,
        on_progress: Callable[[float, str], None] | None,
    ) -> None:
        self.run, self.budget, self.stop, self.on_progress = run, budget, stop, on_progress
        self.start = self._tick = time.monotonic()
        self._first = run.progress.samples
        self._due = {name: self.start for name in ("checkpoint", "sheet", "validate", "log")}
        self._sums: dict[str, tuple[float, int]] = {}
        self.saved = found or Path()
        if found is None:
            self.save()

    def seconds(self) -> float:
        """Return the seconds of this session."""
        return time.monotonic() - self.start

    def rate(self) -> float:
        """Return photos a second in this session."""
        return (self.run.progress.samples - self._first) / max(self.seconds(), 1e-9)

    def over(self) -> bool:
        """Say whether to end: the budget is used up (one more step would exceed samples), or Ctrl-C came."""
        over = bool(self.stop.asked)
        if self.budget.seconds is not None:
            over = over or self.seconds() >= self.budget.seconds
        elif self.budget.samples is not None:
            whole = self.run.share * self.run.processes
            over = over or self.run.progress.samples + whole > self.budget.samples
        return self._agreed(over)

    def after(self, told: dict[str, float]) -> None:
        """Do what is due after a step."""
        now = time.monotonic()
        self.run.progress.seconds += now - self._tick
        self._tick = now
        for name, value in told.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = total + value, count + 1
        if self.on_progress is not None:
            share = self.budget.share(self.seconds(), self.run.progress.samples)
            self.on_progress(share, self._line(told, share))
        settings = self.run.recipe.run
        if self._is_due("log", LOG_SECONDS):
            self._log()
        if self._is_due("checkpoint", settings.checkpoint_minutes * 60):
            self.save()
        if self._is_due("sheet", settings.sheet_minutes * 60):
            self.sheet()
        if self._is_due("validate", settings.validate_minutes * 60):
            self.validate()

    def finish(self) -> None:
        """Do everything a last time; after Ctrl-C only what must not be lost."""
        self._log()
        self.save()
        if not self.stop.asked:
            self.sheet()
            self.validate()

    def save(self) -> None:
        """Write a checkpoint, if the weights are finite: a good one is never followed by a bad one."""
        weights = [p for net in self.run.nets.values() for p in net.parameters()]
        if self.saved != Path() and not all(bool(p.isfinite().all()) for p in weights):
            return
        self.run.accelerator.wait_for_everyone()
        folder = self.run.folder / "checkpoints"
        if self.run.accelerator.scaler is not None:
            self.run.progress.scaler = self.run.accelerator.scaler.state_dict()
        if self.run.main:
            self.saved = checkpoint.save(folder, self.run, self.run.recipe, self.run.recipe.run.keep)
        else:
            self.saved = folder / f"{self.run.progress.step:09d}"
        self.run.accelerator.wait_for_everyone()

    @torch.no_grad()
    def sheet(self) -> None:
        """Write a sheet of what the averaged net does with photos that are held out."""
        if self.run.logs is None:
            return
        rows = self.run.task.rows(self.run.ema, self._validation(SHOWN))
        self.run.logs.sheet(self.run.progress.step, rows)

    @torch.no_grad()
    def validate(self) -> None:
        """Measure the averaged net on photos that are held out."""
        run = self.run
        if run.logs is None or run.held_out is None:
            return
        samples = self._validation(len(run.held_out.photos))
        values = run.task.measure(run.ema, samples)
        side = samples.target.shape[-1]
        run.logs.write("validation", run.progress.step, samples=run.progress.samples, side=side, **values)

    def close(self) -> None:
        """Close the logs."""
        if self.run.logs is not None:
            self.run.logs.close()

    def _validation(self, count: int) -> Samples:
        batches = self.run.held_out or self.run.batches
        return self.run.samples(batches.get(0, count, self.run.side(self.run.progress.samples)))

    def _log(self) -> None:
        if self.run.logs is None or not self._sums:
            return
        means = {name: round(total / count, 6) for name, (total, count) in self._sums.items()}
        self._sums = {}
        progress = self.run.progress
        lr = self.run.optimisers["net"].param_groups[0]["lr"]
        self.run.logs.write(
            "train", progress.step, samples=progress.samples, rate=round(self.rate(), 2), lr=lr, **means
        )

    def _line(self, told: dict[str, float], share: float) -> str:
        left = ""
        if share > 0:
            seconds = self.seconds() * (1 - share) / share
            left = f", {seconds / 60:.0f} min left"
        loss = told.get("net", float("nan"))
        return f"step {self.run.progress.step}, loss {loss:.4f}, {self.rate():.1f} images/s{left}"

    def _is_due(self, name: str, every: float) -> bool:
        """Say whether so many seconds went by since the last time."""
        due = every > 0 and time.monotonic() - self._due[name] >= every
        due = self._agreed(due) if name == "checkpoint" else due
        if due:
            self._due[name] = time.monotonic()
        return due

    def _agreed(self, mine: bool) -> bool:
        """Say whether any process thinks so: clocks and signals differ, and all must do the same."""
        if self.run.processes == 1:
            return mine
        opinion = torch.tensor([float(mine)], device=self.run.device)
        return bool(self.run.accelerator.reduce(opinion, reduction="sum").item() > 0)
