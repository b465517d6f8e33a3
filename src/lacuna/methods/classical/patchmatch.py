"""`patchmatch`: the exemplar engine as a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lacuna.errors import OptionError
from lacuna.types import Aux, Explanation, FloatImage, Hole, Illustration, OnStep

if TYPE_CHECKING:
    from lacuna.exemplar.stage import Stage

_OFFSETS = (
    "Where the fill came from: {}. The brighter, the farther; at most {:.0f} pixels. An area of one colour "
    "is one copied piece."
)
_ORIGINS = (
    "The picture coloured by place ({}), and each filled pixel in the colour of the place of its source."
)


@dataclass(frozen=True)
class PatchMatch:
    """Fill a hole of any size with patches of the rest of the photo.

    The defaults were chosen on the ``dev`` split (see benchmarks/README.md); pictures rarely need others.

    Raises
    ------
    OptionError : a value out of range.

    References
    ----------
    .. [1] Newson, Almansa, Fradet, Gousseau & Pérez, Video Inpainting of Complex Scenes, SIAM J. Imaging Sci.
       7(4), 2014.
    """

    patch: int = field(default=5, metadata={"help": "side of a patch in pixels, odd, 3 to 21"})
    levels: int | None = field(
        default=None,
        metadata={"help": "levels of the pyramid, 1 to 12; auto goes by the thickness of the hole"},
    )
    iterations: int = field(default=6, metadata={"help": "rounds on each coarse level, 1 to 100"})
    fine_iterations: int = field(default=2, metadata={"help": "rounds on the finest level, 1 to 100"})
    texture: float = field(
        default=4.0, metadata={"help": "weight of roughness beside colour when patches are compared, 0 to 20"}
    )
    sharpness: float = field(
        default=1.0, metadata={"help": "how much the best of overlapping patches prevails, 0 to 20"}
    )
    membrane: bool = field(
        default=True, metadata={"help": "remove steps in brightness at the rim and between pieces"}
    )

    def __post_init__(self) -> None:
        if self.patch % 2 == 0:
            raise OptionError(
                f"option 'patch' of method 'patchmatch' is {self.patch}; expected an odd number"
            )
        limits = {
            "patch": (3, 21),
            "levels": (1, 12),
            "iterations": (1, 100),
            "fine_iterations": (1, 100),
            "texture": (0, 20),
            "sharpness": (0, 20),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(
                    f"option {name!r} of method 'patchmatch' is {value}; expected {low} to {high}"
                )

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return self._fill(image, hole, aux, seed, on_step, None)

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """See `lacuna.types.Explainable`: every level, and where each pixel came from."""
        from lacuna.drawing import DIRECTIONS, PLACES, offset_map, origin_map

        pictures: list[Illustration] = []
        lines: list[str] = []

        def watch(level: int, stage: Stage) -> None:
            height, width = stage.hole.shape
            caption = f"Level {level}, {width}×{height} pixels: the hole as this level left it."
            pictures.append(Illustration(f"level-{level}", stage.picture().clip(0, 1), caption))
            if level == 0:
                rows, columns = stage.sources()
                offsets, full = offset_map(rows, columns, hole, image)
                origins = origin_map(rows, columns, hole, image)
                pictures.append(Illustration("offsets", offsets, _OFFSETS.format(DIRECTIONS, full)))
                pictures.append(Illustration("origins", origins, _ORIGINS.format(PLACES)))
                y, x = np.nonzero(hole)
                half = np.median(np.hypot(rows[hole] - y, columns[hole] - x))
                lines.append(f"Half of the fill came from less than {half:.0f} pixels away.")

        fill = self._fill(image, hole, aux, seed, on_step, watch)
        if pictures:
            levels = sum(picture.name.startswith("level-") for picture in pictures)
            lines.insert(0, f"The hole was filled on {levels} levels, from coarse to fine.")
        else:
            lines.append("Nothing was copied: too little is known, and a thin plate fills the hole.")
        return Explanation(fill, tuple(pictures), tuple(lines))

    def _fill(
        self,
        image: FloatImage,
        hole: Hole,
        aux: Aux,
        seed: int,
        on_step: OnStep | None,
        watch: Callable[[int, Stage], None] | None,
    ) -> FloatImage:
        from lacuna.exemplar import Effort, Guide, Weights, fill_patches  # loads numba and OpenCV

        return fill_patches(
            image,
            hole,
            sources=aux.sources,
            guide=None if aux.guide is None else Guide(Guide.blended(aux.guide, image, hole)),
            weights=Weights(side=self.patch, texture=self.texture, sharpness=self.sharpness),
            effort=Effort(self.levels, self.iterations, self.fine_iterations, self.membrane),
            seed=seed,
            on_step=on_step,
            watch=watch,
        )
