"""Folders of Stable Diffusion as diffusers writes them: read the parts, write the UNet back.

Everything is local and safetensors; the hub is never asked.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lacuna import torch_io
from lacuna.diffusion import Schedule, cosine
from lacuna.diffusion.denoisers import Says
from lacuna.errors import (
    ConfigError,
    MissingDependencyError,
    OutputError,
    WeightsError,
    WeightsNotFoundError,
)

INDEX = "model_index.json"
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
CLASS = "StableDiffusionInpaintPipeline"

_SAYS: dict[str, Says] = {"epsilon": "noise", "v_prediction": "velocity", "sample": "clean"}
_PICKLES = ("*.bin", "*.pt", "*.ckpt")
_HOW = {"local_files_only": True, "use_safetensors": True}


class Around(nn.Module):
    """What is around the UNet and stays as it is: the autoencoder, and the words.

    Parameters
    ----------
    vae : AutoencoderKL. words : (1, L, D), what the text encoder says of them.

    Attributes
    ----------
    factor : pixels of a picture for one latent, along each side.
    """

    words: Tensor

    def __init__(self, vae: Any, words: Tensor) -> None:
        super().__init__()
        self.vae = vae
        self.register_buffer("words", words)
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self._scale = float(vae.config.scaling_factor)

    def encode(self, image: Tensor) -> Tensor:
        """(B, 3, H, W), −1 … 1 → (B, 4, H/8, W/8)."""
        return self.vae.encode(image).latent_dist.mode() * self._scale  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        """(B, 4, H/8, W/8) → (B, 3, H, W), about −1 … 1."""
        return self.vae.decode(latents / self._scale).sample  # type: ignore[no-any-return]


def load(folder: Path, prompt: str) -> tuple[Any, Around]:
    """Read the UNet in float32, and what is around it.

    Raises
    ------
    ConfigError : not Stable Diffusion 1 or 2.
    WeightsNotFoundError : no such folder, or a part is missing.
    WeightsError : a part has no safetensors or is damaged.
    MissingDependencyError : diffusers or transformers is not installed.
    """
    try:
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingDependencyError(
            f"latent inpainting needs {error.name}, which is not installed: "
            "pip install 'lacuna[train,diffusers]'"
        ) from error
    _check_parts(folder)
    quiet: Any = logging
    quiet.disable_progress_bar()
    net: Any = _part(UNet2DConditionModel, folder, "unet")
    if net.config.addition_embed_type is not None or net.config.encoder_hid_dim_type is not None:
        raise ConfigError(
            f"the UNet in {folder} wants more than words (SDXL and others); expected Stable Diffusion 1 or 2"
        )
    vae = _part(AutoencoderKL, folder, "vae").requires_grad_(False).eval()
    tokenizer = _part(CLIPTokenizer, folder, "tokenizer")
    encoder = _part(CLIPTextModel, folder, "text_encoder").eval()
    tokens = tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        words = encoder(tokens.input_ids)[0].float()
    return net, Around(vae, words)


def schedule_of(folder: Path) -> tuple[Schedule, Says]:
    """Return the schedule that the folder's UNet was trained with, and what it predicts.

    Raises
    ------
    ConfigError : one that we do not have.
    """
    told = _json(folder / "scheduler" / "scheduler_config.json")
    kind, steps = told.get("beta_schedule", "linear"), int(told.get("num_train_timesteps", 1000))
    low, high = float(told.get("beta_start", 1e-4)), float(told.get("beta_end", 0.02))
    says = _SAYS.get(told.get("prediction_type", "epsilon"))
    if says is None or told.get("rescale_betas_zero_snr"):
        raise ConfigError(
            f"the scheduler in {folder} has prediction_type {told.get('prediction_type')!r} and "
            f"rescale_betas_zero_snr {bool(told.get('rescale_betas_zero_snr'))}; expected one of "
            f"{', '.join(_SAYS)}, and false"
        )
    if kind == "squaredcos_cap_v2":
        return cosine(steps), says
    if kind == "scaled_linear":
        beta = np.linspace(low**0.5, high**0.5, steps) ** 2
    elif kind == "linear":
        beta = np.linspace(low, high, steps)
    else:
        raise ConfigError(f"the scheduler in {folder} has beta_schedule {kind!r}, which Lacuna does not have")
    return Schedule(np.cumprod(1 - beta), np.arange(steps)), says


def write(base: Path, weights: Path, target: Path, *, half: bool) -> None:
    """Write a folder that fills holes: the base's, with a UNet that was trained from it.

    Parameters
    ----------
    weights : safetensors that a run wrote.
    target : a folder that is not there yet.
    half : store the UNet in half precision.

    Raises
    ------
    OutputError : it is there, or cannot be written.
    WeightsError, WeightsNotFoundError : as `load`.
    """
    from diffusers import UNet2DConditionModel

    _check_parts(base)
    state, config = torch_io.read(weights)
    kind: Any = UNet2DConditionModel
    net = kind.from_config(config)
    torch_io.load_strict(net, state, weights)
    if target.exists():
        raise OutputError(f"{target} exists already; name a folder that does not")
    beside = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for part in sorted(base.iterdir()):  # what the five parts are not, such as a safety checker, too
            if part.is_dir() and part.name != "unet":
                shutil.copytree(part, beside / part.name, ignore=shutil.ignore_patterns(*_PICKLES))
        index = {**_json(base / INDEX), "_class_name": CLASS}
        (beside / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
        (net.half() if half else net).save_pretrained(beside / "unet", safe_serialization=True)
        beside.replace(target)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error


def _check_parts(folder: Path) -> None:
    if not folder.is_dir():
        raise WeightsNotFoundError(f"diffusion.base is {folder}, and there is no such folder")
    if not (folder / INDEX).is_file():
        raise WeightsNotFoundError(
            f"{folder} holds no {INDEX}; expected a folder of Stable Diffusion as diffusers writes it"
        )
    for part in PARTS:
        if not (folder / part).is_dir():
            raise WeightsNotFoundError(f"{folder} holds no {part}/; expected {', '.join(PARTS)}")
        held = {path.suffix for path in (folder / part).iterdir()}
        if held & {pattern[1:] for pattern in _PICKLES} and ".safetensors" not in held:
            raise WeightsError(
                f"{folder / part} holds pickled weights, which can run code and are not read; convert them: "
                "load the pipeline where you trust it, and save_pretrained(FOLDER, safe_serialization=True)"
            )


def _part(kind: Any, folder: Path, part: str) -> Any:
    how = _HOW if hasattr(kind, "parameters") else {"local_files_only": True}
    try:
        return kind.from_pretrained(str(folder / part), **how)
    except Exception as error:  # what a damaged folder makes the two libraries raise is not listed anywhere
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{folder / part} cannot be read: {reason}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
