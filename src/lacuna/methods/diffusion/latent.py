"""`latent`: text-guided diffusion in the latents of an autoencoder, through diffusers."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lacuna.devices import choose_device, memory_errors, torch_threads
from lacuna.errors import LacunaError, MethodError, OptionError, WeightsNotFoundError
from lacuna.methods.diffusion import pipelines
from lacuna.progress import note, report, scaled
from lacuna.sizing import mirror, resize
from lacuna.types import Aux, FloatImage, Hole, OnStep

if TYPE_CHECKING:
    from pathlib import Path

DRAWN = 0.9
"""The pipeline's share of the progress bar where patches follow."""

LIMITS = {"steps": (1, 1000), "guidance": (0, 100), "batch": (1, 64), "across": (16, 4096)}


@dataclass(frozen=True)
class Latent:
    """Fill a hole by a text-guided pipeline: Stable Diffusion 1.5, 2, XL, with 9 channels or 4; Flux Fill.

    The frame keeps its shape: it is scaled to as many pixels as the model was trained on, and mirrored
    outwards to whole latents. Known pixels are composited in pixels, never in latents.

    Raises
    ------
    WeightsNotFoundError, WeightsError : no such model, or none that fills holes, or pickles.
    OptionError : a value out of range; a negative prompt for a model that takes none.
    DeviceUnavailableError

    Notes
    -----
    Masks are shrunk to latents by the maximum over each cell, so that thin strokes do not vanish.

    References
    ----------
    .. [1] Rombach, Blattmann, Lorenz, Esser & Ommer, High-Resolution Image Synthesis with Latent Diffusion
       Models, CVPR 2022, arXiv:2112.10752.
    .. [2] Podell et al., SDXL, ICLR 2024, arXiv:2307.01952.
    """

    NAME: ClassVar[str] = "latent"

    weights: str | None = field(
        default=None,
        metadata={"help": "a folder of diffusers, or the id of a model on the hub; needed"},
    )
    prompt: str = field(default="", metadata={"help": "what to draw; may be empty"})
    negative_prompt: str = field(default="", metadata={"help": "what not to draw"})
    strength: float = field(
        default=1.0,
        metadata={"help": "above 0, at most 1: below 1 starts from the guide, or from a smooth fill"},
    )
    guidance: float | None = field(
        default=None, metadata={"help": "how closely to follow the prompt; auto: the model's usual"}
    )
    steps: int = field(default=30, metadata={"help": "1 to 1000"})
    across: int | None = field(
        default=None,
        metadata={"help": "pixels of a side of a square frame as the model sees it; auto: the model's own"},
    )
    restore: Literal["auto", "patches", "enlarge"] = field(
        default="auto",
        metadata={
            "help": "how a large frame gets its resolution back: from patches of the photo, or by enlarging; "
            "auto enlarges what a prompt asked for"
        },
    )
    batch: int = field(default=4, metadata={"help": "samples that are drawn at once"})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1 … or mps"})
    precision: Literal["auto", "float32", "bfloat16", "float16"] = field(
        default="auto", metadata={"help": "auto: bfloat16 on cuda, float32 elsewhere"}
    )
    offload: Literal["none", "model", "layers"] = field(
        default="none",
        metadata={"help": "keep on the CPU what is not at work: whole models, or single layers (slow)"},
    )
    download: bool = field(
        default=False,
        metadata={"help": f"fetch the model from the hub; never if {pipelines.OFFLINE} is set"},
    )
    revision: str | None = field(default=None, metadata={"help": "of the model on the hub"})

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise self._wrong(name, f"expected {low} to {high}")
        if not 0 < self.strength <= 1:
            raise self._wrong("strength", "expected above 0, at most 1")
        if int(self.steps * self.strength) < 1:
            raise self._wrong("strength", f"of {self.steps} steps none is left; give more steps")
        if self.weights is None:
            raise WeightsNotFoundError(
                "method 'latent' needs a model and Lacuna brings none: pass --option weights=FOLDER, or "
                "--option weights=OWNER/NAME --option download=true"
            )
        place = choose_device(self.device)
        if self.offload != "none" and place.type == "cpu":
            raise self._wrong("offload", "there is no other device here than the CPU")
        if self.negative_prompt and not self.kind.negative:
            raise self._wrong("negative_prompt", f"{self.kind.pipeline} takes no negative prompt")
        self._pipeline(self._precision)  # load once, and let errors come now

    def _wrong(self, name: str, words: str) -> OptionError:
        return OptionError(f"option {name!r} of method 'latent' is {getattr(self, name)!r}; {words}")

    @cached_property
    def folder(self) -> Path:
        """Where the model lies."""
        return pipelines.find(self.weights or "", download=self.download, revision=self.revision)

    @cached_property
    def kind(self) -> pipelines.Kind:
        """What the model is."""
        return pipelines.kind_of(self.folder)

    @cached_property
    def _opened(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _lock(self) -> threading.RLock:
        return threading.RLock()

    @property
    def _precision(self) -> str:
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if choose_device(self.device).type == "cuda" else "float32"

    def _pipeline(self, precision: str) -> Any:
        """Return the pipeline on its device; another precision is another copy."""
        if precision not in self._opened:
            import torch

            pipeline = pipelines.open_pipeline(self.folder, self.kind, getattr(torch, precision))
            place = choose_device(self.device)
            self._opened.clear()  # two copies of a large model may not fit
            with memory_errors(f"method 'latent' while loading {self.folder.name}"):
                if self.offload == "model":
                    pipeline.enable_model_cpu_offload(device=place)
                elif self.offload == "layers":
                    pipeline.enable_sequential_cpu_offload(device=place)
                else:
                    pipeline.to(place)
            self._opened[precision] = pipeline
        return self._opened[precision]

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return self.fill_many(image, hole, aux=aux, seeds=[seed], on_step=on_step)[0]

    def fill_many(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seeds: Sequence[int], on_step: OnStep | None = None
    ) -> list[FloatImage]:
        """See `lacuna.types.Manifold`."""
        start = _start(image, hole, aux.guide)
        shown = np.where(hole[..., None], start, image)
        grey = image.shape[2] == 1
        colours = np.repeat(shown, 3, axis=2) if grey else shown
        scale = self._scale(hole)
        small, missing = colours, hole
        if scale != 1:
            size = tuple(max(1, round(side * scale)) for side in hole.shape)
            small = resize(colours, (size[0], size[1]))
            missing = _shrunk(hole, size)
        patches = scale < 1 and not missing.all() and self._by_patches
        with self._lock:
            drawn = self._samples(small, missing, seeds, scaled(on_step, 0.0, DRAWN if patches else 1.0))
        if grey:
            drawn = [one.mean(axis=2, keepdims=True) for one in drawn]
        if patches:
            return _restored(image, hole, drawn, seeds, scaled(on_step, DRAWN, 1.0))
        if scale < 1:
            note(f"latent: drawn at {missing.shape[1]}×{missing.shape[0]} pixels, {scale:.0%}, and enlarged")
        return [np.where(hole[..., None], resize(one, hole.shape), image) for one in drawn]

    @property
    def _by_patches(self) -> bool:
        return self.restore == "patches" or (self.restore == "auto" and not self.prompt.strip())

    def _scale(self, hole: Hole) -> float:
        """Return by how much a frame is scaled so that it has as many pixels as the model knows."""
        side = self.across
        if side is None:
            pipeline = self._pipeline(self._precision)
            config = getattr(pipeline, self.kind.denoiser).config
            own = getattr(config, "sample_size", None)
            side = int(own) * pipeline.vae_scale_factor if isinstance(own, int) else self.kind.size
        return side / math.sqrt(hole.size)

    def _samples(
        self, image: FloatImage, hole: Hole, seeds: Sequence[int], on_step: OnStep | None
    ) -> list[FloatImage]:
        """Return what is drawn for each seed, (h, w, 3); in float32 once more if half precision breaks."""
        out: list[FloatImage] = []
        for first in range(0, len(seeds), self.batch):
            some = seeds[first : first + self.batch]
            share = scaled(on_step, first / len(seeds), (first + len(some)) / len(seeds))
            drawn, sound = self._draw(image, hole, some, share, self._precision)
            if not sound and self._precision != "float32":
                note(f"{self._precision} broke in method 'latent'; drawn again in float32")
                drawn, sound = self._draw(image, hole, some, share, "float32")
            if not sound:
                raise MethodError(
                    f"{self.folder.name} drew values that are not finite; its weights are broken"
                )
            out += drawn
        return out

    def _draw(
        self, image: FloatImage, hole: Hole, seeds: Sequence[int], on_step: OnStep | None, precision: str
    ) -> tuple[list[FloatImage], bool]:
        """Ask the pipeline once; return pictures, and whether all of their values are finite."""
        import torch

        pipeline = self._pipeline(precision)
        height, width = hole.shape
        wide, inputs = self._inputs(pipeline, image, hole)
        model = getattr(pipeline, self.kind.denoiser)
        total = max(1, int(self.steps * self.strength))
        sound = [torch.ones((), dtype=torch.bool)]

        def stepped(pipe: Any, index: int, time: Any, values: dict[str, Any]) -> dict[str, Any]:
            sound.append(values["latents"].isfinite().all())
            report(on_step, (index + 1) / total, "denoising")
            return values

        if self.kind.negative:
            inputs["negative_prompt"] = self.negative_prompt
        where = f"method 'latent' on {len(seeds)} samples of {width}×{height}"
        ticking = _ticking([model, pipeline.vae], on_step)
        with torch_threads(), memory_errors(where), ticking, torch.no_grad(), pipelines.quiet():
            try:
                made = pipeline(
                    prompt=self.prompt,
                    height=wide[0],
                    width=wide[1],
                    num_inference_steps=self.steps,
                    strength=self.strength,
                    guidance_scale=self.kind.guidance if self.guidance is None else self.guidance,
                    num_images_per_prompt=len(seeds),
                    generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                    output_type="pt",
                    callback_on_step_end=stepped,
                    **inputs,
                )
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                if isinstance(error, LacunaError):
                    raise
                raise MethodError(f"{self.kind.pipeline} of {self.folder.name} failed: {error}") from error
        if any(getattr(made, "nsfw_content_detected", None) or ()):
            raise MethodError(
                "the model's own safety checker withheld what was drawn; another seed or prompt may pass"
            )
        pictures = made.images.float().cpu()  # (B, 3, H, W), 0 … 1
        finite = bool(pictures.isfinite().all()) and all(bool(flag) for flag in sound)
        arrays = pictures[..., :height, :width].permute(0, 2, 3, 1).numpy()
        return [np.ascontiguousarray(one, np.float32).clip(0, 1) for one in arrays], finite

    def _inputs(self, pipeline: Any, image: FloatImage, hole: Hole) -> tuple[tuple[int, int], dict[str, Any]]:
        """Return the padded size, and picture, mask and masked picture as the pipeline takes them."""
        import torch

        cell = int(pipeline.vae_scale_factor)
        levels = len(getattr(getattr(pipeline, self.kind.denoiser).config, "block_out_channels", (0, 0)))
        multiple = cell * 2 ** max(levels - 1, 1)
        high, wide = (-(-side // multiple) * multiple for side in hole.shape)
        picture = torch.from_numpy(mirror(image, (high, wide)).astype(np.float32)).permute(2, 0, 1)[None]
        missing = torch.from_numpy(mirror(hole, (high, wide)).astype(np.float32))[None, None]
        inputs: dict[str, Any] = {"image": picture, "mask_image": missing}
        if self.kind.cells:
            most = torch.nn.functional.max_pool2d(missing, cell)
            inputs["mask_image"] = torch.nn.functional.interpolate(most, scale_factor=cell, mode="nearest")
            inputs["masked_image_latents"] = (2 * picture - 1) * (
                1 - missing
            )  # pixels: the pipeline encodes them
        return (high, wide), inputs


def _start(image: FloatImage, hole: Hole, guide: FloatImage | None) -> FloatImage:
    """Return what lies under the hole when drawing starts: the guide, else a smooth fill.

    It counts where strength is below 1; else no more than an autoencoder looks beyond its cell.
    """
    if guide is not None:
        return guide
    if hole.all():
        return np.full_like(image, 0.5)
    from lacuna.multigrid import fill_biharmonic

    return fill_biharmonic(image, hole).clip(0, 1)


def _shrunk(hole: Hole, size: tuple[int, ...]) -> Hole:
    """Return the hole at another size: missing wherever any of it is."""
    share = resize(hole[..., None].astype(np.float32), (size[0], size[1]))[..., 0]
    return np.asarray(share > 0.01, np.bool_)


def _restored(
    image: FloatImage, hole: Hole, drawn: Sequence[FloatImage], seeds: Sequence[int], on_step: OnStep | None
) -> list[FloatImage]:
    """Return fills made of the photo's own patches, each guided by what was drawn."""
    from lacuna.exemplar import Guide, fill_patches

    fills = []
    for i, (seed, picture) in enumerate(zip(seeds, drawn, strict=True)):
        share = scaled(on_step, i / len(seeds), (i + 1) / len(seeds))
        # As strong on fine levels as on coarse ones: the fill is to be the model's idea, not the photo's.
        guide = Guide(np.ascontiguousarray(picture, np.float32), (1.0,))
        fills.append(fill_patches(image, hole, guide=guide, seed=seed, on_step=share))
    return fills


@contextmanager
def _ticking(modules: Sequence[Any], on_step: OnStep | None) -> Iterator[None]:
    """Let every layer of some modules ask whether to stop: a step of a large model takes seconds on a CPU."""
    if on_step is None:
        yield
        return
    last = 0.0

    def watch(share: float, words: str) -> None:
        nonlocal last
        last = share
        on_step(share, words)

    handles = [
        layer.register_forward_hook(lambda *_: report(watch, last, "denoising"))
        for module in modules
        for layer in module.modules()
        if not any(layer.children())
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
