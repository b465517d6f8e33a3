"""From a picture and a mask to a task: what is missing, what is known, and the frames to fill it in."""

from __future__ import annotations

import operator
import time
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lacuna import registry
from lacuna.blend import feather_weight
from lacuna.errors import MaskError, OptionError
from lacuna.frame import Frame, plan
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, open_image
from lacuna.masks import Mask, as_mask, doctor, to_hole
from lacuna.masks.hole import LUMINANCE
from lacuna.progress import report
from lacuna.sizing import resize
from lacuna.types import Aux, FloatImage, Hole, OnStep

Blend = Literal["hard", "membrane"]

WHY_NOT = {"sources": "does not copy", "sketch": "follows no lines", "guide": "follows no picture"}
"""Why a method does not take a spatial input."""


@dataclass(frozen=True)
class Settings:
    """The keywords of one call, checked; `lacuna.inpaint` documents them."""

    seed: int = 0
    blend: Blend = "hard"
    feather: float = 0
    context: float = 0.5
    sources: Any = None
    dilate: int = 0
    invert: bool = False
    resize_mask: bool = False
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    on_step: OnStep | None = None
    sketch: Any = None
    guide: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0))
        if self.blend not in get_args(Blend):
            raise OptionError(f"blend is {self.blend!r}; expected {' or '.join(map(repr, get_args(Blend)))}")
        for name in ("feather", "context"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) < float("inf"):
                raise OptionError(f"{name} is {value!r}; expected a number, 0 or more")


@dataclass(frozen=True, eq=False)
class Task:
    """A picture and its hole, ready to be filled with any seed.

    Parameters
    ----------
    hole : (H, W). What is replaced.
    weight : (H, W), [0, 1]. The share of the fill in each pixel; None is 1 in the hole and 0 elsewhere.
    missing : (H, W). What a method is to fill: the hole, its feathered rim and, for methods that take no
        sources, the fully transparent pixels.
    hidden : (H, W). Fully transparent pixels that stay known to a method, because its sources leave them out;
        None is no such pixel.
    frames : where to fill, one after the other.
    aux : spatial inputs of the picture's size.
    opaque : the hole becomes opaque.
    notes : what was noticed on the way.
    seconds : spent so far.
    """

    picture: Picture
    hole: Hole
    weight: NDArray[np.float32] | None
    missing: Hole
    hidden: Hole | None
    frames: list[Frame]
    aux: Aux
    opaque: bool
    notes: tuple[str, ...]
    seconds: float

    def cut(self, frame: Frame) -> tuple[FloatImage, Hole, Aux]:
        """Return what a method gets to see of a frame: image, hole and aux, contiguous and read-only."""
        image, missing = self.picture.canon(self.hole, frame.box), frame.crop(self.missing)
        aux = frame.crop_aux(self.aux)
        if self.hidden is not None:
            image = _with_visible_colours(image, missing, frame.crop(self.hidden))
        if aux.sources is not None and np.array_equal(aux.sources, ~missing):
            aux = replace(aux, sources=None)  # nothing is forbidden here
        return image, missing, aux


def prepare(spec: registry.MethodSpec, image: Any, mask: Any, how: Settings) -> Task:
    """Open the doors, make the hole, choose the frames."""
    started = time.perf_counter()
    _check_aux(spec, how)
    report(how.on_step, 0.0, "opening")
    picture = image if isinstance(image, Picture) else open_image(image, max_pixels=how.max_pixels)
    mask = as_mask(mask)
    hole, notes = to_hole(
        mask, picture.shape, picture=picture, dilate=how.dilate, invert=how.invert, resize=how.resize_mask
    )
    hole.flags.writeable = False
    if not hole.any():
        notes = (*notes, "the mask is empty: nothing to fill, the picture is a copy")
    elif not hole.all():
        notes = (*notes, *map(str, doctor.examine(picture, hole)))
    weight = _feathered(picture, hole, how.feather or softness(mask))
    wanted = hole if weight is None else weight > 0
    hidden = None if picture.known.all() else ~(picture.known | wanted)
    unknown = wanted if hidden is None else wanted | hidden
    _check_known(spec, unknown, feathered=weight is not None)
    sources, more = _sources(spec, picture, unknown, hidden, how)
    sketch, lines = _sketch(picture, how)
    guide, likeness = _guide(picture, how)
    takes_sources = "sources" in spec.aux
    return Task(
        picture=picture,
        hole=hole,
        weight=weight,
        missing=wanted if takes_sources else unknown,
        hidden=hidden if takes_sources else None,
        frames=plan(wanted, unknown=unknown, sources=sources, context=how.context, whole=spec.whole_image),
        aux=Aux(guide=guide, sources=sources, sketch=sketch),
        opaque=isinstance(mask, Mask) and mask.takes_alpha,
        notes=(*picture.notes, *notes, *more, *lines, *likeness),
        seconds=time.perf_counter() - started,
    )


def _check_aux(spec: registry.MethodSpec, how: Settings) -> None:
    """Raise if something was given that the method would not look at."""
    for name, why in WHY_NOT.items():
        if getattr(how, name) is not None and name not in spec.aux:
            able = ", ".join(other.name for other in registry.list_methods() if name in other.aux)
            raise OptionError(f"method {spec.name!r} {why} and takes no {name}; methods that do: {able}")


def whole_number(name: str, value: Any, least: int) -> int:
    """Return a whole number, or raise `OptionError`; numpy's integers are welcome, True is not one."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise OptionError(f"{name} is {value!r}; expected a whole number of {least} or more")
    return number


def softness(mask: Any) -> float:
    """Return over how many pixels a mask itself wants the fill to fade out; 0 for most."""
    mask = as_mask(mask)
    return mask.softness if isinstance(mask, Mask) else 0.0


def _feathered(picture: Picture, hole: Hole, radius: float) -> NDArray[np.float32] | None:
    if radius <= 0 or not hole.any():
        return None
    weight = feather_weight(hole, radius)
    weight[~picture.known & ~hole] = 0  # a colour that nobody sees is still not ours to change
    return weight


def _check_known(spec: registry.MethodSpec, unknown: Hole, *, feathered: bool) -> None:
    if spec.from_nothing or not unknown.all():
        return
    height, width = unknown.shape
    together = " (hole, feathered rim and transparent pixels together)" if feathered else ""
    raise MaskError(
        f"the mask leaves nothing known of the {width}×{height} picture{together}; method {spec.name!r} "
        "needs at least one pixel that is neither missing nor fully transparent"
    )


def _sources(
    spec: registry.MethodSpec, picture: Picture, unknown: Hole, hidden: Hole | None, how: Settings
) -> tuple[Hole | None, tuple[str, ...]]:
    """Return where a method may copy from (None: every known pixel), and what was noticed."""
    if how.sources is None:
        return (~unknown if hidden is not None and "sources" in spec.aux else None), ()
    height, width = unknown.shape
    marked, notes = to_hole(how.sources, (height, width), picture=picture, resize=how.resize_mask)
    allowed = marked & ~unknown
    if not allowed.any():
        raise MaskError(
            "sources leaves nothing to copy from: every pixel that it marks is missing or fully transparent"
        )
    return allowed, tuple(f"sources: {note}" for note in notes)


def _sketch(picture: Picture, how: Settings) -> tuple[FloatImage | None, tuple[str, ...]]:
    """Return (H, W, 1), 1 on the lines to follow, and what was noticed."""
    if how.sketch is None:
        return None, ()
    lines, notes = to_hole(how.sketch, picture.shape, picture=picture, resize=how.resize_mask)
    sketch = lines[..., None].astype(np.float32)
    sketch.flags.writeable = False
    return sketch, tuple(f"sketch: {note}" for note in notes)


def _guide(picture: Picture, how: Settings) -> tuple[FloatImage | None, tuple[str, ...]]:
    """Return the guide, (H, W, C) in [0, 1] with the picture's channels, and what was done to it."""
    if how.guide is None:
        return None, ()
    given = how.guide if isinstance(how.guide, Picture) else open_image(how.guide, max_pixels=how.max_pixels)
    guide, notes = given.image, [f"guide: {note}" for note in given.notes]
    channels = picture.colour.shape[2]
    if guide.shape[2] != channels:
        guide = np.repeat(guide, 3, axis=2) if channels == 3 else (guide @ LUMINANCE)[..., None]
        notes.append(f"guide: converted to {'colour' if channels == 3 else 'grey'}, as the picture is")
    if guide.shape[:2] != picture.shape:
        (height, width), (old_height, old_width) = picture.shape, guide.shape[:2]
        guide = resize(guide, (height, width))
        notes.append(f"guide: resized from {old_width}×{old_height} to {width}×{height}")
    guide = np.ascontiguousarray(guide, np.float32)
    guide.flags.writeable = False
    return guide, tuple(notes)


def _with_visible_colours(image: FloatImage, missing: Hole, hidden: Hole) -> FloatImage:
    """Give fully transparent pixels the colour of the nearest pixel that can be seen.

    What an editor leaves under transparency (often black) would pull a fill that has to meet it.
    """
    import cv2  # slow to import, and wanted only here

    blind = (missing | hidden).astype(np.uint8)
    if not hidden.any() or blind.all():
        return image
    _, nearest = cv2.distanceTransformWithLabels(
        blind, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    seen = blind == 0
    colours = np.zeros((int(nearest.max()) + 1, image.shape[2]), dtype=np.float32)
    colours[nearest[seen]] = image[seen]
    out = image.copy()
    out[hidden] = colours[nearest[hidden]]
    out.flags.writeable = False
    return out
