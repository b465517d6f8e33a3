"""From a recipe to something that can take a step."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lacuna.data import Batch, Batches, Cropping, Feed, Photos, Plan, Wanted, open_source
from lacuna.errors import ConfigError, DeviceUnavailableError, MissingDependencyError
from lacuna.threads import thread_count
from lacuna.train import checkpoint
from lacuna.train.checkpoint import Trained
from lacuna.train.logs import Logs
from lacuna.train.recipe import Recipe
from lacuna.train.tasks import Samples, Task, task_of


@dataclass
class Setup(Trained):
    """Everything that the loop holds in its hands."""

    recipe: Recipe = None  # type: ignore[assignment]
    folder: Path = Path()
    task: Task = None  # type: ignore[assignment]
    photos: Photos = None  # type: ignore[assignment]
    batches: Batches = None  # type: ignore[assignment]
    feed: Feed = None  # type: ignore[assignment]
    held_out: Batches | None = None
    logs: Logs | None = None
    accelerator: Any = None
    on_note: Callable[[str], None] | None = None

    @property
    def device(self) -> torch.device:
        """Where the nets are."""
        return next(self.ema.parameters()).device

    @property
    def processes(self) -> int:
        """How many work together."""
        return int(self.accelerator.num_processes)

    @property
    def share(self) -> int:
        """Samples of one step in one process."""
        return self.recipe.data.batch

    @property
    def main(self) -> bool:
        """Only this process writes."""
        return bool(self.accelerator.is_main_process)

    def side(self, samples: int) -> int:
        """Return the side of the samples after so many of them."""
        return [side for start, side in self.recipe.data.sizes if start <= samples][-1]

    def wanted(self, step: int) -> Wanted:
        """Return this process's part of a step's batch: a function of seed and step alone."""
        whole = self.share * self.processes
        first = step * whole + self.share * int(self.accelerator.process_index)
        return Wanted(first, self.share, self.side(step * whole))

    def samples(self, batch: Batch) -> Samples:
        """Put a batch on the device, −1 … 1."""
        layout = torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        photos = torch.from_numpy(batch.photos).to(self.device).permute(0, 3, 1, 2)  # (B, 3, S, S)
        missing = torch.from_numpy(batch.holes).to(self.device)[:, None].float()  # (B, 1, S, S)
        return Samples((photos.float() / 127.5 - 1).contiguous(memory_format=layout), missing)

    def set_rates(self) -> None:
        """Enter the phase of this step and set its learning rates."""
        optimiser, progress = self.recipe.optimiser, self.progress
        rate = self.task.at(progress.samples) or optimiser.lr
        factor = progress.rate
        if optimiser.warmup:
            factor *= min((progress.samples + 1) / optimiser.warmup, 1.0)
        start, stop = optimiser.decay
        if stop > start:
            factor *= float(np.clip((stop - progress.samples) / (stop - start), 0.0, 1.0))
        for name, one in self.optimisers.items():
            for group in one.param_groups:
                group["lr"] = factor * (rate if name == "net" else optimiser.critic_lr)

    def apply(self, turn: str) -> None:
        """Step with the gradients that backward left; fp16 skips infinite ones."""
        scaler = self.accelerator.scaler
        if scaler is not None:
            scaler.unscale_(self.optimisers[turn])
        self.average_gradients(turn)
        if scaler is None:
            self.optimisers[turn].step()
        else:
            scaler.step(self.optimisers[turn])
            scaler.update()

    def average_gradients(self, turn: str) -> None:
        """Average over processes, one message for all, and clip.

        By hand rather than by a wrapper around the nets: critics run twice a step, and with gradients of
        gradients, which wrappers do not take.
        """
        gradients = [p.grad for p in self.nets[turn].parameters() if p.grad is not None]
        if self.processes > 1:
            flat = torch.cat([g.flatten() for g in gradients])
            flat = self.accelerator.reduce(flat, reduction="mean")
            for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(mean.view_as(gradient))
        if self.recipe.optimiser.clip:
            nn.utils.clip_grad_norm_(self.nets[turn].parameters(), self.recipe.optimiser.clip)

    @torch.no_grad()
    def average_weights(self) -> None:
        """Move the averaged generator towards the present one; faster early on, to forget how it began."""
        decay = min(self.recipe.optimiser.ema, (1 + self.progress.step) / (10 + self.progress.step))
        ours, theirs = self.ema.state_dict(), self.nets["net"].state_dict()
        floats = [key for key, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_([ours[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
        for key in ours.keys() - set(floats):
            ours[key].copy_(theirs[key])

    def note(self, words: str) -> None:
        """Say something that should be read."""
        if self.main and self.on_note is not None:
            self.on_note(words)
        if self.logs is not None:
            self.logs.write("note", self.progress.step, words=words)


def prepare(recipe: Recipe, folder: Path, *, on_note: Callable[[str], None] | None = None) -> Setup:
    """Make nets, optimisers and data.

    Raises
    ------
    ConfigError, ImageError, WeightsError, DeviceUnavailableError, MissingDependencyError
    """
    accelerator = _accelerator(recipe)
    torch.set_num_threads(recipe.run.threads or thread_count())
    task = task_of(recipe)
    features = getattr(task, "features", None)
    cuda = accelerator.device.type == "cuda"
    # Tensor cores want the channels last; processors are faster with them first.
    layout = torch.channels_last if cuda else torch.contiguous_format
    torch.backends.cudnn.benchmark = cuda
    for net in (*task.nets.values(), *([features] if features is not None else [])):
        net.to(accelerator.device, memory_format=layout)
    nets = {name: net.train() for name, net in task.nets.items()}
    run = Setup(
        nets=nets,
        ema=copy.deepcopy(nets["net"]).eval().requires_grad_(False),
        optimisers={name: _optimiser(recipe, name, net) for name, net in nets.items()},
        recipe=recipe,
        folder=folder,
        task=task,
        accelerator=accelerator,
        on_note=on_note,
    )
    _open_data(run)
    return run


def _accelerator(recipe: Recipe) -> Any:
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise MissingDependencyError(
            f"training needs {error.name}, which is not installed: pip install 'lacuna[train]'"
        ) from error
    device = recipe.run.device
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"run.device is {device!r}; expected auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailableError("run.device is 'cuda', and there is no CUDA device here; try 'auto'")
    AcceleratorState._reset_state()  # it remembers the precision of an earlier run in this process
    precision = {"float32": "no"}.get(recipe.precision, recipe.precision)
    if precision == "fp16" and (device == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("precision is 'fp16', which needs a GPU; expected 'float32' or 'bf16' here")
    return Accelerator(mixed_precision=precision, cpu=device == "cpu")


def _optimiser(recipe: Recipe, name: str, net: nn.Module) -> torch.optim.Optimizer:
    settings = recipe.optimiser
    rate = settings.lr if name == "net" else settings.critic_lr
    decay = settings.weight_decay if name == "net" else 0.0
    return torch.optim.AdamW(net.parameters(), rate, settings.betas, weight_decay=decay)


def _open_data(run: Setup) -> None:
    data = run.recipe.data
    if not data.path:
        raise ConfigError("data.path is empty; name a folder, zip, tar or url of photos: --data PATH")
    source = open_source(data.path)
    for _, side in data.sizes:
        multiple = getattr(run.nets["net"], "multiple", 1)
        if side % multiple:
            raise ConfigError(f"data.sizes has {side}; {run.recipe.net.kind!r} takes multiples of {multiple}")
    if data.holdout >= len(source.names):
        raise ConfigError(f"data.holdout is {data.holdout}, and {data.path} holds {len(source.names)} photos")
    count = len(source.names) - data.holdout

    def told(name: str, why: str) -> None:
        run.note(f"skipped {name}: {why}")

    plan = Plan(
        path=data.path,
        photos=(0, count),
        side=data.shrink,
        memory=data.memory * 2**20,
        masks=data.masks,
        holes=tuple(data.holes.items()),
        share=data.share,
        cropping=Cropping(data.crop, data.flip, data.tint),
        seed=run.recipe.seed,
    )
    run.batches = plan.open(told)
    run.photos = run.batches.photos
    run.feed = Feed(run.batches, plan, run.recipe.run.workers)
    if data.holdout:
        kept = dataclasses.replace(
            plan,
            photos=(count, len(source.names)),
            memory=2**28,
            cropping=Cropping((1.0, 1.0), False),
            seed=2**31,
        )
        run.held_out = kept.open(told)


def begin(run: Setup, *, resume: str, start_from: str) -> Path | None:
    """Load what is to be gone on with, open the logs, and return the checkpoint that was gone on with.

    Raises
    ------
    ConfigError : the folder holds another run, or newer checkpoints than the one to go on with.
    """
    held = checkpoint.newest(run.folder)
    source = None
    if resume == "auto":
        source = held
    elif resume:
        source = checkpoint.find(resume)
        if held is not None and held.resolve() != source.resolve():
            raise ConfigError(
                f"{run.folder} holds other checkpoints, the newest {held.name}; give another folder (-o) "
                f"to go on from {source}"
            )
    elif held is not None:
        raise ConfigError(
            f"{run.folder} holds a run already; go on with it (--resume auto) or choose another folder (-o)"
        )
    if source is not None:
        checkpoint.load(source, run, run.recipe)
        if run.accelerator.scaler is not None and run.progress.scaler:
            run.accelerator.scaler.load_state_dict(run.progress.scaler)
    elif start_from:
        checkpoint.load_weights(checkpoint.find(start_from), run, strict=False)
    if run.main:
        run.logs = Logs(run.folder)
    return source if source == held else None
