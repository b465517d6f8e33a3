"""Nets that denoise pictures, and how they were trained: from a file, or from a folder of diffusers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from lacuna import torch_io
from lacuna.errors import MissingDependencyError, WeightsError, WeightsNotFoundError
from lacuna.nets.loading import load as load_net

KEY = "lacuna.diffusion"
"""Name of the facts in the header of a file."""

SCHEDULES = ("linear", "cosine", "scaled-linear")
SAYS = ("noise", "velocity", "clean")
PIP = 'pip install "lacuna[diffusers]"'

_FOREIGN_SCHEDULES = {"linear": "linear", "squaredcos_cap_v2": "cosine", "scaled_linear": "scaled-linear"}
_FOREIGN_SAYS = {"epsilon": "noise", "v_prediction": "velocity", "sample": "clean"}
_TENSORS = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class DiffusionFacts:
    """How a net was trained; the defaults are those of the published guided-diffusion nets.

    Parameters
    ----------
    schedule : ``linear``, ``cosine``, or ``scaled-linear`` (√β rises linearly).
    steps : of the training.
    says : what the net predicts: ``noise``, ``velocity`` or ``clean``.
    size : pixels of a side of the pictures that it was trained on.
    conditioned : the net is also given the picture (0 under the hole) and the mask (1 = missing).
    first, last : β at both ends of a linear schedule of so many steps.
    note : for people.
    """

    schedule: str = "linear"
    steps: int = 1000
    says: str = "noise"
    size: int = 256
    conditioned: bool = False
    first: float = 1e-4
    last: float = 0.02
    note: str = ""

    def __post_init__(self) -> None:
        for name, allowed in (("schedule", SCHEDULES), ("says", SAYS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(allowed)}")
        if self.steps < 1 or self.size < 1 or not 0 < self.first <= self.last < 1:
            raise ValueError(f"no net was trained so: {self}")


class Denoising(NamedTuple):
    """A net ``(x, step) → out`` in evaluation mode, its sides' least multiple, and how it was trained."""

    net: nn.Module
    multiple: int
    facts: DiffusionFacts


def load(path: str | Path, *, head: int | None = None) -> Denoising:
    """Read a net for pixels.

    Parameters
    ----------
    path : a checkpoint in guided-diffusion's layout, foreign or our own; or a folder of diffusers that holds
        a ``UNet2DModel``, or a pipeline with one.
    head : channels of an attention head, where a foreign checkpoint has not the usual 64.

    Raises
    ------
    WeightsNotFoundError : nothing there.
    WeightsError : not such a net, one that does not fit, or a pickle.
    MissingDependencyError : a folder, and diffusers is not installed.
    """
    path = Path(path)
    if path.is_dir():
        return _load_folder(path)
    _, net = load_net(path, "guided-diffusion", more={"head": head} if head else None)
    facts = _facts(torch_io.metadata(path).get(KEY), path)
    wanted = 7 if facts.conditioned else 3
    if net.config["inputs"] != wanted:  # type: ignore[index]
        raise WeightsError(
            f"{path} takes {net.config['inputs']} channels; expected {wanted}: "  # type: ignore[index]
            f"{'colours, picture and mask' if facts.conditioned else 'colours alone'}"
        )
    if net.config["classes"]:  # type: ignore[index]
        raise WeightsError(f"{path} wants to be told what the picture shows; only nets without classes fill")
    return Denoising(net, int(net.multiple), facts)  # type: ignore[arg-type]


def _facts(text: str | None, path: Path) -> DiffusionFacts:
    try:
        told = json.loads(text) if text else {}
        known = {field.name for field in fields(DiffusionFacts)}
        return DiffusionFacts(**{key: value for key, value in told.items() if key in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} does not say how its net was trained: {error}") from error


class _FolderNet(nn.Module):
    """A UNet of diffusers under our signature."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        """(B, C, H, W) and (B,) → (B, C or 2 C, H, W)."""
        return self.unet(x, step, return_dict=False)[0]  # type: ignore[no-any-return]


def _load_folder(folder: Path) -> Denoising:
    """Read a UNet from a folder: its own, or that of a pipeline, which also tells the schedule."""
    inner = folder / "unet" if (folder / "model_index.json").is_file() else folder
    config = _json(inner / "config.json")
    kind = config.get("_class_name", "no class")
    if kind != "UNet2DModel":
        raise WeightsError(f"{inner} holds a {kind!r}; expected a UNet2DModel, which paints pixels")
    tensors = inner / _TENSORS
    if not tensors.is_file():
        pickles = sorted(file.name for file in inner.glob("*.bin"))
        if pickles:
            raise WeightsError(
                f"{inner} holds {pickles[0]}, a pickle, which can run code when it is read. If you trust it: "
                f"from diffusers import UNet2DModel; UNet2DModel.from_pretrained({str(inner)!r}, "
                f"use_safetensors=False).save_pretrained({str(inner)!r})"
            )
        raise WeightsNotFoundError(f"no {_TENSORS} in {inner}")
    try:
        from diffusers import UNet2DModel
    except ImportError as error:
        raise MissingDependencyError(
            f"{folder} is a folder of diffusers, which is not installed; {PIP}"
        ) from error
    try:
        kind_of_unet: Any = UNet2DModel
        unet = kind_of_unet.from_config(config)
    except (TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{inner}/config.json does not build a UNet: {error}") from error
    torch_io.load_strict(unet, torch_io.read(tensors).state, tensors)
    net = _FolderNet(unet).eval().requires_grad_(False)
    multiple = 2 ** (len(config.get("block_out_channels", [0] * 4)) - 1)
    scheduler = folder / "scheduler" / "scheduler_config.json"
    told = _json(scheduler) if scheduler.is_file() else {}
    return Denoising(net, multiple, _facts_of(config, told, folder))


def _facts_of(config: Mapping[str, Any], told: Mapping[str, Any], folder: Path) -> DiffusionFacts:
    """Read how a foreign net was trained from its own and its scheduler's settings."""
    schedule, says = told.get("beta_schedule", "linear"), told.get("prediction_type", "epsilon")
    if schedule not in _FOREIGN_SCHEDULES or says not in _FOREIGN_SAYS:
        raise WeightsError(
            f"{folder} was trained with schedule {schedule!r}, predicting {says!r}: not known here"
        )
    side = config.get("sample_size") or 256
    return DiffusionFacts(
        schedule=_FOREIGN_SCHEDULES[schedule],
        steps=int(told.get("num_train_timesteps", 1000)),
        says=_FOREIGN_SAYS[says],
        size=int(side[0] if isinstance(side, list) else side),
        conditioned=config.get("in_channels", 3) == 7,
        first=float(told.get("beta_start", 1e-4)),
        last=float(told.get("beta_end", 0.02)),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WeightsNotFoundError(
            f"no {path.name} in {path.parent}; is it a folder that diffusers wrote?"
        ) from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
