"""`guided`: a network says what is there, and the photo's own patches say how it looks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lacuna import weights
from lacuna.errors import OptionError
from lacuna.methods.onnx import running
from lacuna.methods.onnx.network import open_model
from lacuna.progress import note, scaled
from lacuna.sizing import resize, shrink
from lacuna.types import Aux, Explanation, FloatImage, Hole, Illustration, OnStep

if TYPE_CHECKING:
    from lacuna.exemplar import Effort, Guide
    from lacuna.exemplar.consensus import Consensus

NAME = "guided"
NETWORK, AGREEING = 0.3, 0.2
"""The network's share of the progress bar, and that of further fills."""

REACH = 40.0
"""How thick the hole is as the network sees it, from rim to middle, in pixels, at most: in the middle of
thicker ones the shipped network draws what is not there.

LPIPS of 40 less that of 28 on the dev split and on 24 pieces of three other photos at 512 pixels, with
standard errors: wide −.0031 ± .0007 and −.0017 ± .0010, medium −.0007 ± .0003 and +.0007 ± .0006. With 60 on
the wide pieces −.0001 ± .0016: better on one photo, worse on another.
"""

MOST, ROUGH = 512 * 512, 192 * 256
"""Pixels that the network sees: while its detail may be kept, and where only structure is, which is from a
reduction to half on. More of them would take time for nothing."""

BLURRED = 0.3
"""Scale from which down nothing of the network's own picture is kept: enlarged so much it has no detail."""

WEIGHTS = (1.0, 0.7, 0.5)
"""How much the guide counts beside brightness, coarsest level first."""

FINE, NEAR, FAR = 1.5, 6.0, 16.0
"""Deviations, in pixels: what is finer than the first is texture; within the second it is compared; within
the third the known pixels tell how much there should be."""


class Seen(NamedTuple):
    """What the network made of the frame.

    Parameters
    ----------
    picture : (h, w, K), the frame as the network saw it, its hole filled.
    scale : of that picture, at most 1.
    """

    picture: FloatImage
    scale: float


class Parts(NamedTuple):
    """What a fill is mixed from.

    Parameters
    ----------
    patches : (H, W, K), the hole filled by patches that follow the network's picture.
    own : (H, W, K), the hole filled by the network's own picture; None where it is not to be used.
    worth : (H, W), 0 to 1, see `_worth`.
    seen : what the network made, or None where it saw no hole.
    consensus : what further fills have in common, or None where there are none.
    """

    patches: FloatImage
    own: FloatImage | None
    worth: FloatImage | None
    seen: Seen | None
    consensus: Consensus | None


@dataclass(frozen=True)
class Guided:
    """Fill the hole by a network, then with patches of the photo that resemble that, and keep some of both.

    Any inpainting model in the ONNX format will do; one is shipped. The network knows what things look like,
    patches bring the photo's own texture. They follow the network's picture, and where they end smoother than
    it is, and it no rougher than the known pixels around, its own detail is mixed in.

    Raises
    ------
    WeightsNotFoundError : the model that is named is not there.
    WeightsError, ConfigError : see method ``onnx``.
    OptionError : a value out of range.

    Notes
    -----
    With sources to copy from, only patches fill: nothing of the network's own picture is kept.

    References
    ----------
    .. [1] Zhang et al., Inpainting at Modern Camera Resolution by Guided PatchMatch with Auto-Curation, ECCV
       2022, arXiv:2208.03552: the idea of the guide.
    """

    weights: str | None = field(
        default=None,
        metadata={"help": "an .onnx file, or a name from `lacuna weights list`; the shipped one if left out"},
    )
    across: int | None = field(
        default=None,
        metadata={
            "help": "pixels of the frame's shorter side as the network sees it, 16 to 1024; left out: as "
            f"many as let the hole be {REACH:.0f} pixels from rim to middle"
        },
    )
    strength: float = field(
        default=1.0, metadata={"help": "how closely patches must follow the network's picture, 0 to 1"}
    )
    detail: float = field(
        default=0.5, metadata={"help": "largest share of the network's own picture in the fill, 0 to 1"}
    )
    least: float = field(
        default=0.0,
        metadata={"help": "smallest share of the network's own picture in the fill, 0 to `detail`"},
    )
    consensus: int = field(
        default=0,
        metadata={
            "help": "further fills, at half the size or less, that the fill's broad shapes lean to, 0 to 8; "
            "more is truer and slower"
        },
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1 … or coreml"})

    def __post_init__(self) -> None:
        for name, low, high in (
            ("across", 16, 1024),
            ("strength", 0, 1),
            ("detail", 0, 1),
            ("least", 0, self.detail),
            ("consensus", 0, 8),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"option {name!r} of method {NAME!r} is {value}; expected {low} to {high}")
        open_model(self._path, device=self.device)  # let errors come now

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return self.mixed(self.parts(image, hole, sources=aux.sources, seed=seed, on_step=on_step), hole)[0]

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """See `lacuna.types.Explainable`: what the network made, and how much of it the fill is."""
        parts = self.parts(image, hole, sources=aux.sources, seed=seed, on_step=on_step)
        fill, share = self.mixed(parts, hole)
        seen = parts.seen
        if seen is None:
            return Explanation(fill, (), ("The hole is too thin for the network to see: nothing guided.",))
        height, width = seen.picture.shape[:2]
        caption = f"What the network makes of the frame, {width}×{height} pixels; patches follow it."
        lines = (
            f"{share:.0%} of the fill is the network's own picture, the rest are patches that follow it.",
        )
        return Explanation(fill, (Illustration("guide", seen.picture, caption),), lines)

    def parts(
        self,
        image: FloatImage,
        hole: Hole,
        *,
        sources: Hole | None = None,
        unknown: Hole | None = None,
        scale: float | None = None,
        effort: Effort | None = None,
        seed: int = 0,
        on_step: OnStep | None = None,
    ) -> Parts:
        """Return what `mixed` makes a fill of, so that several mixtures cost hardly more than one.

        Parameters
        ----------
        image, hole, seed, on_step : as of `fill`.
        sources : (H, W). True where may be copied from; None is every known pixel.
        unknown : (H, W). True is hidden from the network, and is not filled; None: the hole alone is.
        scale : at which the network is shown the frame, at most 1; None is what `fill` does.
        effort : of the patches.
        """
        from lacuna.exemplar import fill_patches  # loads numba and OpenCV
        from lacuna.exemplar.consensus import agree

        hidden = hole if unknown is None else hole | unknown
        seen = self._seen(image, hidden, scale or self.scale(hidden), scaled(on_step, 0.0, NETWORK))
        guide = None if seen is None else self._guide(seen.picture)
        middle = 1.0 - AGREEING if self.consensus else 1.0
        rest = scaled(on_step, NETWORK, middle)
        fill = fill_patches(image, hole, sources=sources, guide=guide, effort=effort, seed=seed, on_step=rest)
        consensus = agree(
            image,
            hole,
            count=self.consensus,
            sources=sources,
            guide=guide,
            effort=effort,
            seed=seed,
            on_step=scaled(on_step, middle, 1.0),
        )
        bound = sources is not None and unknown is None
        if seen is None or bound or seen.scale < BLURRED:
            return Parts(fill, None, None, seen, consensus)
        own = np.where(hole[..., None], resize(seen.picture, hole.shape), image)
        return Parts(fill, own, _worth(own, fill, image, hidden), seen, consensus)

    def mixed(self, parts: Parts, hole: Hole) -> tuple[FloatImage, float]:
        """Return a fill, (H, W, K), and the mean share of the network's own picture in it, 0 to 1."""
        from lacuna.exemplar.consensus import lean

        out, mean = parts.patches, 0.0
        if parts.own is not None and parts.worth is not None:
            share = self.least + (self.detail - self.least) * parts.worth[hole]  # (missing pixels,)
            out, mean = out.copy(), float(share.mean())
            out[hole] += share[:, None] * (parts.own[hole] - out[hole])
        return (out if parts.consensus is None else lean(out, hole, parts.consensus)), mean

    def scale(self, hole: Hole) -> float:
        """Return the scale at which the network is shown a frame with this hole, at most 1."""
        return _scale(hole) if self.across is None else min(1.0, self.across / min(hole.shape))

    def _seen(self, image: FloatImage, hole: Hole, scale: float, on_step: OnStep | None) -> Seen | None:
        """Return what the network makes of the frame, or None where it would see no hole or nothing else."""
        model, facts, words = open_model(self._path, device=self.device)
        if facts.guessed:
            note(f"{NAME}: what {model.path.name} takes was guessed; {words}")
        colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        shown, missing, _ = shrink(colours, hole, None, scale)
        if not missing.any() or missing.all():
            note(f"{NAME}: at {missing.shape[1]}×{missing.shape[0]} pixels the network would see no "
                 f"{'known pixel' if missing.all() else 'hole'}; filled as by patchmatch")  # fmt: skip
            return None
        made, reduced = running.predict(model, facts, shown, missing, on_step)
        made = np.where(missing[..., None], resize(made, missing.shape), shown)
        picture = made.mean(axis=2, keepdims=True) if image.shape[2] == 1 else made
        return Seen(np.ascontiguousarray(picture, np.float32), scale * reduced)

    def _guide(self, picture: FloatImage) -> Guide:
        from lacuna.exemplar import Guide

        return Guide(picture, tuple(self.strength * share for share in WEIGHTS))

    @cached_property
    def _path(self) -> Path:
        """The file; looked for, and its checksum compared, once."""
        return weights.find(self.weights) if self.weights else weights.shipped(NAME)


def _scale(hole: Hole) -> float:
    """Return the scale at which the network is shown the frame, at most 1."""
    from lacuna.exemplar.stage import distance_to_known

    scale = min(1.0, REACH / float(distance_to_known(hole).max()), math.sqrt(MOST / hole.size))
    return scale if 2 * scale >= 1 else min(scale, math.sqrt(ROUGH / hole.size))


def _worth(own: FloatImage, fill: FloatImage, image: FloatImage, hole: Hole) -> FloatImage:
    """Return what share of the network's own picture is wanted, (H, W), 0 to 1.

    All of it where it is 1.4 times as rough as the patches, which are then too smooth, and none where it is
    no rougher, since it would only blur them. None either where it is 1.5 times as rough as the known
    pixels around: then it draws things into a clear sky.
    """
    import cv2

    def mean(values: FloatImage, deviation: float) -> FloatImage:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), deviation), np.float32)

    least = np.float32(1e-8)
    found, theirs = (np.sqrt(mean(_roughness(picture), NEAR) + least) for picture in (own, fill))
    # The fine part of a known pixel beside the hole would be that of the hole's edge.
    known = (cv2.dilate(hole.view(np.uint8), np.ones((5, 5), np.uint8)) == 0).astype(np.float32)
    around = mean(_roughness(image) * known, FAR) / np.maximum(mean(known, FAR), np.float32(1e-3))
    wanted = np.sqrt(around + least)
    worth = np.clip((found / theirs - 1) / 0.4, 0, 1) * np.clip((1.5 - found / wanted) / 0.5, 0, 1)
    return np.asarray(worth, np.float32)


def _roughness(image: FloatImage) -> FloatImage:
    """Return the squares of what is finer than `FINE`, mean over colours, (H, W)."""
    import cv2

    smooth = cv2.GaussianBlur(image, (0, 0), FINE).reshape(image.shape)
    return np.asarray(((image - smooth) ** 2).mean(axis=2), np.float32)
