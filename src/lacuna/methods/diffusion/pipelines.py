"""Pipelines of diffusers for inpainting: where they lie, which one a folder is for, and opening it safely."""

from __future__ import annotations

import importlib.util
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.errors import MissingDependencyError, WeightsError, WeightsNotFoundError

OFFLINE = "LACUNA_OFFLINE"
"""Set to anything but 0: nothing is ever fetched."""

PIP = 'pip install "lacuna[diffusers]"'
_NEEDED = ("torch", "safetensors", "diffusers", "transformers")
_PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth", "*.pkl")
_FETCHED = ["model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.safetensors"]
_NOT_FETCHED = ["*.fp16.*", "*.non_ema.*", "*onnx*", "*openvino*", "*flax*"]
_LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
"""Libraries that parts of a pipeline may come from; anything else would be code from the folder itself."""


@dataclass(frozen=True)
class Kind:
    """What there is to know of a family of pipelines.

    Parameters
    ----------
    pipeline : the class of diffusers that fills holes with such parts.
    denoiser : name of the part that denoises.
    guidance : usual scale. size : pixels of a side that it was trained on, unless it says so.
    negative : takes a negative prompt.
    cells : its mask is shrunk to latents, so that thin strokes must be widened first.
    """

    pipeline: str
    denoiser: str
    guidance: float
    size: int
    negative: bool = True
    cells: bool = True


_SD = Kind("StableDiffusionInpaintPipeline", "unet", 7.5, 512)
_XL = Kind("StableDiffusionXLInpaintPipeline", "unet", 7.5, 1024)
_FLUX = Kind("FluxFillPipeline", "transformer", 30.0, 1024, negative=False, cells=False)

KINDS = {
    "StableDiffusionPipeline": _SD,
    "StableDiffusionImg2ImgPipeline": _SD,
    "StableDiffusionInpaintPipeline": _SD,
    "StableDiffusionXLPipeline": _XL,
    "StableDiffusionXLImg2ImgPipeline": _XL,
    "StableDiffusionXLInpaintPipeline": _XL,
    "FluxFillPipeline": _FLUX,
}
"""By the class that a folder names: plain ones are filled by putting the known latents into every step."""


def missing() -> str | None:
    """Return None when all that is needed is installed, else what to install."""
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return f"it needs {' and '.join(absent)}; {PIP}" if absent else None


def find(reference: str, *, download: bool, revision: str | None = None) -> Path:
    """Return the folder of a pipeline.

    Parameters
    ----------
    reference : a folder, or the id of a model on the hub such as ``owner/name``.
    download : fetch it if it is not in the cache.
    revision : of the model on the hub.

    Raises
    ------
    WeightsNotFoundError : no such folder; or not in the cache and not to be fetched, or not to be had.
    """
    path = Path(reference).expanduser()
    if path.is_dir():
        return path
    if path.exists() or reference.count("/") != 1 or reference.startswith((".", "/", "~")):
        raise WeightsNotFoundError(
            f"{reference} is no folder; expected a folder that diffusers wrote, or the id of a model on the "
            "hub, such as owner/name"
        )
    from huggingface_hub import snapshot_download

    offline = os.environ.get(OFFLINE, "0") not in ("", "0")
    fetch = download and not offline
    try:
        folder = snapshot_download(
            reference,
            revision=revision,
            local_files_only=not fetch,
            allow_patterns=_FETCHED,
            ignore_patterns=_NOT_FETCHED,
        )
    except Exception as error:  # the hub's client has many errors, and requests' beside them
        if fetch:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise WeightsNotFoundError(f"{reference} cannot be fetched from the hub: {reason}") from error
        why = f"{OFFLINE} is set" if offline else "nothing is fetched unless asked: --option download=true"
        raise WeightsNotFoundError(
            f"{reference} is not in the hub's cache, and {why}; or name a folder"
        ) from error
    return Path(folder)


def kind_of(folder: Path) -> Kind:
    """Return what a folder is for, having looked at every part of it.

    Raises
    ------
    WeightsNotFoundError : no ``model_index.json``.
    WeightsError : a pipeline that fills no holes, a part that brings its own code, or a pickle.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise WeightsNotFoundError(
            f"no model_index.json in {folder}; expected a folder that a pipeline of diffusers was saved to"
        )
    try:
        parts = dict(json.loads(index.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{index} cannot be read: {error}") from error
    name = parts.get("_class_name")
    if name not in KINDS:
        raise WeightsError(f"{folder} is a {name}; expected one of {', '.join(KINDS)}")
    for part, origin in parts.items():
        if not isinstance(origin, list) or not all(origin[:1]):
            continue
        if origin[0] not in _LIBRARIES:
            raise WeightsError(f"{folder}: {part} comes from {origin[0]!r}, code that is not run")
        _refuse_pickles(folder / part, str(name))
    return KINDS[str(name)]


def _refuse_pickles(folder: Path, pipeline: str) -> None:
    """Raise if a part has its weights as a pickle only."""
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    for pattern in _PICKLES:
        found = next(iter(sorted(folder.glob(pattern))), None)
        if found is not None:
            raise WeightsError(
                f"{found} is a pickle, which can run code when it is read. If you trust it, convert it once: "
                f"from diffusers import {pipeline}; {pipeline}.from_pretrained({str(folder.parent)!r}, "
                f"use_safetensors=False).save_pretrained('FOLDER')"
            )


def open_pipeline(folder: Path, kind: Kind, dtype: Any) -> Any:
    """Return the pipeline on the CPU.

    Raises
    ------
    MissingDependencyError, WeightsError
    """
    reason = missing()
    if reason is not None:
        raise MissingDependencyError(f"method 'latent' cannot run here: {reason}")
    with quiet():
        pipeline = _opened(folder, kind, dtype)
    channels = getattr(pipeline, kind.denoiser).config.in_channels
    if kind.cells and channels not in (4, 9):
        raise WeightsError(
            f"{folder}: its UNet takes {channels} channels; expected 9 (latents, mask, known latents) or 4"
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _opened(folder: Path, kind: Kind, dtype: Any) -> Any:
    import diffusers

    more: dict[str, Any] = {"add_watermarker": False} if kind is _XL else {}
    try:
        pipeline = getattr(diffusers, kind.pipeline).from_pretrained(
            str(folder), dtype=dtype, use_safetensors=True, local_files_only=True, **more
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{folder} does not open as {kind.pipeline}: {first}") from error
    return pipeline


@contextmanager
def quiet() -> Iterator[None]:
    """Keep diffusers and transformers from printing bars and hints, and leave them as they were.

    What they and numpy say to one another's authors is no news to whoever fills a hole.
    """
    from diffusers.utils import logging as first
    from transformers.utils import logging as second

    before = [(part, part.get_verbosity(), part.is_progress_bar_enabled()) for part in (first, second)]
    for part, _, _ in before:
        part.set_verbosity_error()
        part.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for part, verbosity, bar in before:
            part.set_verbosity(verbosity)
            if bar:
                part.enable_progress_bar()
