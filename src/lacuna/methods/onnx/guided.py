"""`guided`: a network says what is there, and the photo's own patches say how it looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lacuna import weights
from lacuna.errors import OptionError, WeightsNotFoundError
from lacuna.methods.onnx import running
from lacuna.methods.onnx.network import open_model
from lacuna.progress import note, scaled
from lacuna.sizing import resize, shrink
from lacuna.types import Aux, Explanation, FloatImage, Hole, Illustration, OnStep

if TYPE_CHECKING:
    from lacuna.exemplar import Guide

NAME = "guided"
NETWORK = 0.15
"""The network's share of the progress bar."""
BLUR = 3.0
"""Deviation of the blur that contrast is raised around, in pixels of the network's picture."""


@dataclass(frozen=True)
class Guided:
    """Fill the hole roughly and small by an ONNX model, then with patches that resemble that.

    Any inpainting model will do, however coarse its pictures: the texture is the photo's own, at full size.
    The model sees the hole's neighbourhood at ``across`` pixels.

    Raises
    ------
    WeightsNotFoundError : no model is named, or it is not there.
    WeightsError, ConfigError : see method ``onnx``.
    OptionError : a value out of range.

    References
    ----------
    .. [1] Zhang et al., Inpainting at Modern Camera Resolution by Guided PatchMatch with Auto-Curation, ECCV
       2022, arXiv:2208.03552: the idea.
    """

    weights: str | None = field(
        default=None, metadata={"help": "an .onnx file, or a name from `lacuna weights list`; needed"}
    )
    across: int = field(
        default=64, metadata={"help": "pixels of the frame's shorter side as the network sees it, 16 to 1024"}
    )
    strength: float = field(
        default=0.5, metadata={"help": "how closely patches must follow the network's picture, 0 to 1"}
    )
    contrast: float = field(
        default=1.0, metadata={"help": "of the network's picture around its blurred self, 0.5 to 3"}
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1 … or coreml"})

    def __post_init__(self) -> None:
        for name, low, high in (("across", 16, 1024), ("strength", 0, 1), ("contrast", 0.5, 3)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"option {name!r} of method {NAME!r} is {value}; expected {low} to {high}")
        if self.weights is None:
            raise WeightsNotFoundError(
                f"method {NAME!r} needs a model: pass --option weights=FILE.onnx, or lacuna weights add NAME "
                "FILE.onnx and then --option weights=NAME"
            )
        open_model(self._path, device=self.device)  # let errors come now

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return self._fill(image, hole, aux, seed, on_step)[0]

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """See `lacuna.types.Explainable`: the picture that guided the patches."""
        fill, guide = self._fill(image, hole, aux, seed, on_step)
        if guide is None:
            return Explanation(fill, (), ("The hole is too thin for the network to see: nothing guided.",))
        height, width = guide.picture.shape[:2]
        caption = f"What the network makes of the frame, {width}×{height} pixels; patches follow it."
        return Explanation(fill, (Illustration("guide", guide.picture, caption),))

    def _fill(
        self, image: FloatImage, hole: Hole, aux: Aux, seed: int, on_step: OnStep | None
    ) -> tuple[FloatImage, Guide | None]:
        from lacuna.exemplar import fill_patches  # loads numba and OpenCV

        guide = self._guide(image, hole, scaled(on_step, 0.0, NETWORK))
        fill = fill_patches(
            image, hole, sources=aux.sources, guide=guide, seed=seed, on_step=scaled(on_step, NETWORK, 1.0)
        )
        return fill, guide

    def _guide(self, image: FloatImage, hole: Hole, on_step: OnStep | None) -> Guide | None:
        """Return the network's picture of the frame, or None where it would see no hole or nothing else."""
        from lacuna.exemplar import Guide

        model, facts, words = open_model(self._path, device=self.device)
        if facts.guessed:
            note(f"{NAME}: what {model.path.name} takes was guessed; {words}")
        colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        shown, missing, _ = shrink(colours, hole, None, min(1.0, self.across / min(hole.shape)))
        if not missing.any() or missing.all():
            note(f"{NAME}: at {missing.shape[1]}×{missing.shape[0]} pixels the network would see no "
                 f"{'known pixel' if missing.all() else 'hole'}; filled as by patchmatch")  # fmt: skip
            return None
        made, _ = running.predict(model, facts, shown, missing, on_step)
        made = np.where(missing[..., None], resize(made, missing.shape), shown)
        if self.contrast != 1:
            made = np.where(missing[..., None], firmer(made, self.contrast), shown)
        picture = made.mean(axis=2, keepdims=True) if image.shape[2] == 1 else made
        weights = tuple(self.strength * share for share in (1.0, 0.5, 0.2))
        return Guide(np.ascontiguousarray(picture, np.float32), weights)

    @cached_property
    def _path(self) -> Path:
        """The file; looked for, and its checksum compared, once."""
        return weights.find(self.weights or "")


def firmer(picture: FloatImage, contrast: float) -> FloatImage:
    """Return a picture with its differences from its neighbourhood enlarged.

    Networks that are unsure show the mean of what could be there, which is paler than any of it.
    """
    import cv2

    around = cv2.GaussianBlur(picture, (0, 0), BLUR, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(np.clip(around + contrast * (picture - around), 0, 1), np.float32)
