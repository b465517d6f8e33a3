"""Checkpoints: one folder, no pickles, whole or not at all.

::

    runs/NAME/checkpoints/000001200/
      net.safetensors  ema.safetensors  critic.safetensors     weights; shape of the net in the header
      optimiser.safetensors                                     moments
      state.json                                                recipe, counters, rates: the rest

Random numbers need no state beyond the seed and the counters: every step derives its own from them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from lacuna import torch_io
from lacuna.errors import ConfigError, OutputError, WeightsError, WeightsNotFoundError
from lacuna.train import recipe as recipes
from lacuna.train.recipe import Recipe

FORMAT = 1
_STATE, _MOMENTS = "state.json", "optimiser.safetensors"


@dataclass
class Progress:
    """Where a run stands; with the seed this is the whole random state.

    Parameters
    ----------
    step : steps done.
    samples : photos seen, over all processes.
    seconds : of training, over all sessions.
    rate : factor on the learning rates; halved by each fall back.
    falls : fallbacks so far.
    level : running mean of the generator's loss; what an exploding one is compared with.
    scaler : of the loss, under fp16.
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    rate: float = 1.0
    falls: int = 0
    level: float = 0.0
    scaler: dict[str, Any] = field(default_factory=dict)


@dataclass
class Trained:
    """Everything that a step changes."""

    nets: dict[str, nn.Module]
    ema: nn.Module
    optimisers: dict[str, torch.optim.Optimizer]
    progress: Progress = field(default_factory=Progress)


def save(folder: Path, trained: Trained, recipe: Recipe, keep: int) -> Path:
    """Write a checkpoint and remove the oldest beyond ``keep``.

    Parameters
    ----------
    folder : of all checkpoints of the run.

    Raises
    ------
    OutputError : it cannot be written; what was there before is untouched.
    """
    final = folder / f"{trained.progress.step:09d}"
    beside = folder / f".{final.name}.part"
    if final.exists():  # the same step: the same weights
        return final
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        for name, data in _files(trained, recipe).items():
            _write(beside / name, data)
        beside.rename(final)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise OutputError(
            f"the checkpoint {final} cannot be written: {error.strerror or error}; those before it are kept"
        ) from error
    for old in _all(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def _files(trained: Trained, recipe: Recipe) -> dict[str, bytes]:
    nets = {**trained.nets, "ema": trained.ema}
    files = {
        f"{name}.safetensors": torch_io.dump(net, getattr(net, "facts", {})) for name, net in nets.items()
    }
    moments: dict[str, Tensor] = {}
    groups: dict[str, Any] = {}
    for name, optimiser in trained.optimisers.items():
        state = optimiser.state_dict()
        groups[name] = state["param_groups"]
        for index, entries in state["state"].items():
            for key, value in entries.items():
                moments[f"{name}/{index}/{key}"] = torch.as_tensor(value).detach().cpu().contiguous()
    files[_MOMENTS] = to_bytes(moments)
    state = {
        "format": FORMAT,
        "progress": vars(trained.progress),
        "recipe": recipes.as_dict(recipe),
        "nets": {name: getattr(net, "config", {}) for name, net in trained.nets.items()},
        "optimisers": groups,
        "torch": torch.__version__,
    }
    files[_STATE] = json.dumps(state, indent=1).encode()
    return files


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _all(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(path for path in found if path.name.isdigit() and (path / _STATE).is_file())


def newest(folder: Path) -> Path | None:
    """Return the newest checkpoint in a run's folder, or None."""
    return next(reversed(_all(folder / "checkpoints")), None)


def find(where: str | Path) -> Path:
    """Return the newest checkpoint of a run, or the checkpoint that is named itself.

    Parameters
    ----------
    where : a run's folder, its ``checkpoints``, or one of them.

    Raises
    ------
    WeightsNotFoundError : there is none.
    """
    where = Path(where)
    if (where / _STATE).is_file():
        return where
    found = _all(where / "checkpoints") or _all(where)
    if not found:
        raise WeightsNotFoundError(
            f"no checkpoint in {where}; expected the folder of a run or of one checkpoint"
        )
    return found[-1]


def read_state(path: Path) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe of a checkpoint and the rest of its state.

    Raises
    ------
    WeightsError : damaged, or of a newer Lacuna.
    """
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if state["format"] != FORMAT:
            raise WeightsError(f"{path} has format {state['format']}; this Lacuna reads {FORMAT}")
        return recipes.parse(state["recipe"]), state
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is no complete checkpoint: {error}") from error


def load(path: Path, trained: Trained, recipe: Recipe) -> None:
    """Put a checkpoint into nets and optimisers, to go on exactly where it was written.

    Raises
    ------
    ConfigError : it is of another recipe; the differing keys are named.
    WeightsError : damaged, or it does not fit.
    """
    theirs, state = read_state(path)
    differing = recipes.differences(recipe, theirs)
    if differing:
        raise ConfigError(
            f"{path} was trained with another recipe; different: {', '.join(differing)}. Use the same one, "
            "or start anew from its weights: --start-from CHECKPOINT"
        )
    load_weights(path, trained, strict=True)
    moments = _moments(path)
    try:
        for name, optimiser in trained.optimisers.items():
            _load_moments(optimiser, state["optimisers"][name], moments.get(name, {}))
        trained.progress = Progress(**state["progress"])
    except (KeyError, ValueError, TypeError) as error:
        raise WeightsError(f"the optimiser's state in {path} does not fit: {error}") from error


def load_weights(path: Path, trained: Trained, *, strict: bool) -> None:
    """Put a checkpoint's weights into the nets.

    Parameters
    ----------
    strict : every net must be there; otherwise a critic that is not there stays fresh.
    """
    for name, net in {**trained.nets, "ema": trained.ema}.items():
        file = path / f"{name}.safetensors"
        if file.is_file() or strict or name in ("net", "ema"):
            torch_io.load_strict(net, torch_io.read(file).state, file)


def _moments(path: Path) -> dict[str, dict[int, dict[str, Tensor]]]:
    try:
        loaded = load_file(path / _MOMENTS)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path / _MOMENTS} cannot be read: {error}") from error
    out: dict[str, dict[int, dict[str, Tensor]]] = {}
    for key, value in loaded.items():
        name, index, entry = key.split("/")
        out.setdefault(name, {}).setdefault(int(index), {})[entry] = value
    return out


def _load_moments(
    optimiser: torch.optim.Optimizer, groups: list[dict[str, Any]], moments: Mapping[int, dict[str, Tensor]]
) -> None:
    for group in groups:
        if "betas" in group:
            group["betas"] = tuple(group["betas"])  # JSON has no tuples
    optimiser.load_state_dict({"state": dict(moments), "param_groups": groups})
    for parameter, entries in optimiser.state.items():
        for key, value in entries.items():
            if value.shape == parameter.shape:
                # Laid out as the weights are: sums over another layout may round otherwise.
                entries[key] = torch.empty_like(parameter).copy_(value)
