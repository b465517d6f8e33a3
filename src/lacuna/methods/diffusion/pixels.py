"""What `ddpm` and `repaint` share: the frame made small, drawn by the net, and brought back to full size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lacuna import weights as registry
from lacuna.devices import Precision, as_tensor, choose_device, memory_errors, torch_threads
from lacuna.errors import OptionError
from lacuna.progress import note, scaled
from lacuna.sizing import resize, shrink
from lacuna.types import Aux, Explanation, FloatImage, Hole, Illustration, OnStep

if TYPE_CHECKING:
    from lacuna.diffusion.sampling import Step
    from lacuna.exemplar import Guide
    from lacuna.methods.diffusion.sampler import Condition, Sampler

LONGEST = 3
"""A frame is seen at no more pixels than so many squares of the net's size, however long it is."""

NET = 0.9
"""The net's share of the progress bar where patches follow."""


@dataclass(frozen=True)
class PixelMethod:
    """A denoising net for pixels, and how its pictures become fills.

    The net sees the frame with its shorter side at the size that it was trained on. Where the frame is larger
    than that, patches of the photo itself restore the full resolution with the net's picture as their guide.
    Subclasses say how known pixels take part.
    """

    NAME: ClassVar[str]

    weights: str | None = field(
        default=None,
        metadata={
            "help": "a file, a folder of diffusers, or a name from `lacuna weights list`; auto: what Lacuna "
            "brings along"
        },
    )
    across: int | None = field(
        default=None,
        metadata={"help": "pixels of the frame's shorter side for the net, 16 to 1024; auto: the net's"},
    )
    strength: float = field(
        default=1.0, metadata={"help": "how closely patches must follow the net's picture, 0 to 1"}
    )
    batch: int = field(default=8, metadata={"help": "samples that are drawn at once, 1 to 256"})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1 … or mps"})
    precision: Precision = field(default="float32", metadata={"help": "of the net; steps stay float32"})
    head: int | None = field(
        default=None,
        metadata={"help": "channels of an attention head, for checkpoints that do not tell; auto: 64"},
    )
    graphs: bool = field(default=True, metadata={"help": "replay the net as one CUDA graph, on such devices"})

    def __post_init__(self) -> None:
        for name, low, high in (
            ("across", 16, 1024),
            ("strength", 0, 1),
            ("batch", 1, 256),
            ("head", 1, 4096),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(
                    f"option {name!r} of method {self.NAME!r} is {value}; expected {low} to {high}"
                )
        self.check()
        _ = self.sampler  # load once, and let errors come now

    def check(self) -> None:
        """Raise `OptionError` where numbers of steps do not fit one another."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """T, the number of times of the schedule."""
        raise NotImplementedError

    def condition(self) -> Condition:
        """Return how known pixels take part."""
        raise NotImplementedError

    def step(self) -> Step | None:
        """Return what step is taken; None is the ancestral one."""
        return None

    @cached_property
    def sampler(self) -> Sampler:
        """The net on its device."""
        from pathlib import Path

        from lacuna.methods.diffusion.sampler import Sampler
        from lacuna.nets.denoising import load

        place = choose_device(self.device)
        if self.weights is None:
            path = registry.shipped("ddpm", method=self.NAME)
        else:
            named = Path(self.weights).expanduser()
            path = named if named.is_dir() else registry.find(self.weights, method="guided-diffusion")
        model = load(path, head=self.head)
        if self.count > model.facts.steps:
            raise OptionError(
                f"option 'steps' of method {self.NAME!r} is {self.count}; this net was trained with "
                f"{model.facts.steps}"
            )
        return Sampler(model, place, self.precision, self.graphs)

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return self.fill_many(image, hole, aux=aux, seeds=[seed], on_step=on_step)[0]

    def fill_many(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seeds: Sequence[int], on_step: OnStep | None = None
    ) -> list[FloatImage]:
        """See `lacuna.types.Manifold`."""
        return self._fill_many(image, hole, seeds, on_step)[0]

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """See `lacuna.types.Explainable`: the picture that the net drew."""
        fills, samples = self._fill_many(image, hole, [seed], on_step)
        if not samples:
            return Explanation(fills[0], (), ("The hole is too thin for the net to see: patches filled it.",))
        height, width = samples[0].shape[:2]
        caption = f"What the net drew of the frame, {width}×{height} pixels, known pixels included."
        return Explanation(fills[0], (Illustration("sample", samples[0], caption),))

    def _fill_many(
        self, image: FloatImage, hole: Hole, seeds: Sequence[int], on_step: OnStep | None
    ) -> tuple[list[FloatImage], list[FloatImage]]:
        """Return the fills, and what the net drew for each: nothing where it would see no hole."""
        colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        shown = np.where(hole[..., None], np.float32(0), colours)
        scale = self._scale(hole)
        small, missing = shown, hole
        if scale < 1:
            small, missing, _ = shrink(shown, hole, None, scale)
        samples: list[FloatImage] = []
        if missing.any():
            until = NET if scale < 1 else 1.0
            samples = self._samples(small, missing, seeds, scaled(on_step, 0.0, until))
            if image.shape[2] == 1:
                samples = [sample.mean(axis=2, keepdims=True) for sample in samples]
        else:
            note(
                f"{self.NAME}: at {missing.shape[1]}×{missing.shape[0]} pixels the net would see no hole; "
                "filled as by patchmatch"
            )
        if scale == 1:
            return [np.where(hole[..., None], sample, image) for sample in samples], samples
        enlarged = bool(missing.all())
        if enlarged:
            note(f"{self.NAME}: nothing is known at the net's size; its picture was enlarged")
            fills = [np.where(hole[..., None], resize(sample, hole.shape), image) for sample in samples]
            return fills, samples
        return self._restored(image, hole, samples, seeds, scaled(on_step, NET, 1.0)), samples

    def _restored(
        self,
        image: FloatImage,
        hole: Hole,
        samples: Sequence[FloatImage],
        seeds: Sequence[int],
        on_step: OnStep | None,
    ) -> list[FloatImage]:
        """Return fills made of the photo's own patches, each guided by its sample."""
        from lacuna.exemplar import fill_patches  # loads numba and OpenCV

        fills = []
        for i, seed in enumerate(seeds):
            guide = _guide(samples[i], self.strength) if samples else None
            share = scaled(on_step, i / len(seeds), (i + 1) / len(seeds))
            fills.append(fill_patches(image, hole, guide=guide, seed=seed, on_step=share))
        return fills

    def _scale(self, hole: Hole) -> float:
        """Return 1, or by how much the frame is made smaller for the net."""
        size = self.across or self.sampler.model.facts.size
        return float(min(1.0, size / min(hole.shape), math.sqrt(LONGEST * size * size / hole.size)))

    def _samples(
        self, shown: FloatImage, missing: Hole, seeds: Sequence[int], on_step: OnStep | None
    ) -> list[FloatImage]:
        """Return what the net draws, (h, w, 3) for each seed, `batch` of them at once."""
        from lacuna.diffusion import Noise

        sampler, (height, width) = self.sampler, missing.shape
        known, hole = (
            as_tensor(array, sampler.model.multiple, sampler.place) for array in (shown, missing[..., None])
        )
        condition = None if missing.all() else self.condition()
        out: list[FloatImage] = []
        where = f"method {self.NAME!r} on {min(self.batch, len(seeds))} samples of {width}×{height}"
        with torch_threads(), memory_errors(where):
            for start in range(0, len(seeds), self.batch):
                some = seeds[start : start + self.batch]
                share = scaled(on_step, start / len(seeds), (start + len(some)) / len(seeds))
                drawn = sampler.draw(
                    2 * known - 1,
                    hole > 0.5,
                    Noise([Noise.seeded(seed, 1, sampler.place).generators[0] for seed in some]),
                    steps=self.count,
                    condition=condition,
                    step=self.step(),
                    on_step=share,
                )
                pixels = ((drawn + 1) / 2).clamp(0, 1)[..., :height, :width]
                arrays = pixels.permute(0, 2, 3, 1).cpu().numpy()  # (B, h, w, 3)
                out += [np.ascontiguousarray(array, np.float32) for array in arrays]
        return out


def _guide(picture: FloatImage, strength: float) -> Guide:
    """Return a sample as what patches follow.

    It counts as much on fine levels as on coarse ones. Where it fades out, as in `guided`, patches go back to
    what the photo suggests, and samples that differ become fills that do not.
    """
    from lacuna.exemplar import Guide

    return Guide(np.ascontiguousarray(picture, np.float32), (strength,))
