"""Restore a scan: find scratches, dust, creases and torn corners, fill them, and leave everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np

from lacuna.detect.detection import Detection, Region, check_sensitivity, region_mask
from lacuna.errors import ImageError, MaskError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, count_changed, open_image
from lacuna.inpainting import Inpainter, Result, RunOptions
from lacuna.jobs.found import Found
from lacuna.masks.shape import dilated
from lacuna.progress import report, scaled
from lacuna.types import FloatImage, Hole, OnStep

KINDS = ("scratches", "dust", "corners")
"""What is looked for; creases are found as scratches are."""

MOST = 0.5
"""More than this share of the picture is not damage: the detector is wrong, or the picture is no scan."""

FOR_THIN, FOR_THICK = "biharmonic", "patchmatch"
THIN = 3.0
"""Damage that is nowhere further from what is whole, in pixels, is filled smoothly, all else with patches.

That is for a megapixel. A large scan is softer, pixel by pixel, its scratches are wider and there are more of
them, and patches take five times as long: there the line lies at up to `WIDER` times as much, which on
12-megapixel scans takes half of the time away and no decibel.
"""
WIDER = 2.5

TOLERANCE = 1e-3
"""Of the smooth fill: an eighth of a step of 8 bits, in three quarters of the time of the method's own."""

RIM = 1
"""Pixels around what is found that are filled too: the soft edge of a scratch."""

_WORDS = {
    "scratches": ("scratch or crease", "scratches and creases"),
    "dust": ("speck of dust", "specks of dust"),
    "corners": ("torn corner", "torn corners"),
}


@dataclass(frozen=True, eq=False)
class Damage(Found):
    """The damage of a scan.

    Parameters
    ----------
    kinds : what was found of each kind, by name, without the rim that is filled too.
    """

    kinds: Mapping[str, Detection] = field(default_factory=dict)

    def fill(
        self,
        method: str | Inpainter = "auto",
        *,
        device: str = "auto",
        options: Mapping[str, Any] | None = None,
        **how: Unpack[RunOptions],
    ) -> Result:
        """Fill the damage; a fill is an invention.

        Parameters are those of `Found.fill`. ``"auto"`` takes what is thin with one method and what is not
        with another.
        """
        if not isinstance(method, Inpainter):
            method = Inpainter(method, device=device, options=options)
        if method.spec.name != "auto" or not self.hole.any():
            return method.run(self.picture, self.hole, **how)
        return _fill_apart(self.picture, self.hole, how)


def restore(
    image: Any,
    *,
    what: Sequence[str] = KINDS,
    sensitivity: float = 0.5,
    region: Region = None,
    grow: int = RIM,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    on_step: OnStep | None = None,
) -> Damage:
    """Find the damage of a scan; `Damage.fill` fills it.

    Parameters
    ----------
    image : anything that `lacuna.inpaint` takes.
    what : of ``"scratches"`` (creases too), ``"dust"`` and ``"corners"``.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like damage).
    region : bool (H, W) or box (top, left, bottom, right) to look in; None is everywhere.
    grow : pixels, 0 to 50, around the damage that are filled too.
    max_pixels : refuse larger files; None for no limit.
    on_step : progress out, cancellation in.

    Raises
    ------
    ImageError : the picture is unreadable, or fully transparent.
    OptionError : a setting out of range.
    MaskError : the region is empty or does not fit, or more than half of the picture looks damaged.

    Examples
    --------
    >>> plain = np.full((64, 64, 3), 120, dtype=np.uint8)
    >>> found = restore(plain)
    >>> found.words, bool((found.fill().image == plain).all())
    (('found no damage',), True)
    """
    kinds = _kinds(what)
    level = check_sensitivity(sensitivity)
    if isinstance(grow, bool) or not isinstance(grow, int) or not 0 <= grow <= 50:
        raise OptionError(f"grow is {grow!r}; expected a whole number of pixels, 0 to 50")
    report(on_step, 0.0, "opening")
    picture = image if isinstance(image, Picture) else open_image(image, max_pixels=max_pixels)
    inside = region_mask(region, picture.shape)
    if not picture.known.any():
        raise ImageError("the picture is fully transparent: there is nothing in it to look at")
    if not picture.known.all():
        inside = picture.known if inside is None else inside & picture.known
    found = _detections(picture.image, kinds, level, on_step)
    if inside is not None:
        found = {kind: _within(one, inside) for kind, one in found.items()}
    return Damage(
        job="restore",
        picture=picture,
        hole=_hole(found, grow, inside),
        words=(_sentence(found),),
        facts={kind: _facts(one) for kind, one in found.items()},
        kinds=found,
    )


def _kinds(what: Sequence[str]) -> tuple[str, ...]:
    unknown = [kind for kind in what if kind not in KINDS]
    if unknown or not what:
        seen = repr(unknown[0]) if unknown else "nothing"
        raise OptionError(f"the damage to look for is {seen}; expected some of {', '.join(KINDS)}")
    return tuple(dict.fromkeys(what))


def _within(found: Detection, inside: Hole) -> Detection:
    return Detection(found.mask & inside, found.confidence * inside, found.notes)


def _detections(
    canon: FloatImage, kinds: Sequence[str], level: float, on_step: OnStep | None
) -> dict[str, Detection]:
    """Run the net once for scratches and dust, and look for torn corners."""
    from lacuna.detect import find_torn_corners
    from lacuna.detect.dust import dust_in
    from lacuna.detect.network import DUST, SCRATCHES, damage_maps
    from lacuna.detect.scratches import scratches_in

    found: dict[str, Detection] = {}
    if "scratches" in kinds or "dust" in kinds:
        maps = damage_maps(canon, on_step)
        if "scratches" in kinds:
            found["scratches"] = scratches_in(maps[SCRATCHES], level)
        if "dust" in kinds:
            found["dust"] = dust_in(maps[DUST], level)
    if "corners" in kinds:
        corners = find_torn_corners(canon, sensitivity=level)
        if corners.mask.any():  # a torn edge is a bright line too; it is one thing
            found = {kind: _within(one, ~corners.mask) for kind, one in found.items()}
        found["corners"] = corners
    return found


def _hole(found: Mapping[str, Detection], grow: int, inside: Hole | None) -> Hole:
    """Return all damage with its rim.

    Raises
    ------
    MaskError : it is nearly everything.
    """
    every = np.logical_or.reduce([one.mask for one in found.values()])
    share = float(every.mean())
    if share > MOST:
        raise MaskError(
            f"{100 * share:.0f} % of the picture looks damaged, which is more than can be restored "
            f"({100 * MOST:.0f} %); lower the sensitivity, give a region, or draw a mask for lacuna inpaint"
        )
    hole = dilated(every, grow)
    return hole if inside is None else hole & inside


def _sentence(found: Mapping[str, Detection]) -> str:
    parts = []
    for kind, one in found.items():
        if pieces := one.pieces:
            parts.append(f"{pieces:,} {_WORDS[kind][pieces > 1]} ({100 * one.share:.2f} % of the picture)")
    return f"found {', '.join(parts)}" if parts else "found no damage"


def _facts(found: Detection) -> dict[str, Any]:
    return {"pieces": found.pieces, "pixels": int(found.mask.sum()), "share": round(found.share, 6)}


def _fill_apart(picture: Picture, hole: Hole, how: RunOptions) -> Result:
    """Fill all of a hole smoothly, and then what is thick of it with patches."""
    thick = _thick(hole)
    on_step, until = how.get("on_step"), 0.5 if thick.any() else 1.0
    first: RunOptions = {**how, "on_step": scaled(on_step, 0.0, until)}
    # Everything is filled smoothly first, so that no damage is left to look at when patches are compared.
    result = smooth = Inpainter(FOR_THIN, options={"tolerance": TOLERANCE}).run(picture, hole, **first)
    if thick.any():
        then: RunOptions = {**how, "sources": ~hole, "on_step": scaled(on_step, until, 1.0)}
        result = Inpainter(FOR_THICK).run(smooth.picture, thick, **then)
    return replace(
        result,
        hole=smooth.hole,
        method="auto",
        options={},
        seconds=smooth.seconds + (result.seconds if thick.any() else 0.0),
        changed_outside=count_changed(picture, result.picture, hole),
        notes=(*smooth.notes, _who_filled(float(thick.sum() / hole.sum()))),
        original=picture,
    )


def _who_filled(share: float) -> str:
    """Return which method filled how much, for the share that patches filled; no method that filled nothing.

    Examples
    --------
    >>> _who_filled(0.0)
    'auto filled it with biharmonic'
    >>> _who_filled(0.94)
    'auto filled 6 % of it with biharmonic and 94 % with patchmatch'
    >>> _who_filled(0.001)
    'auto filled more than 99 % of it with biharmonic and less than 1 % with patchmatch'
    """
    if share in (0.0, 1.0):
        return f"auto filled it with {FOR_THICK if share else FOR_THIN}"
    return f"auto filled {_percent(1 - share)} of it with {FOR_THIN} and {_percent(share)} with {FOR_THICK}"


def _percent(share: float) -> str:
    """Return a share that is neither nothing nor all as it may be read: never as 0 % or 100 %."""
    rounded = round(100 * share)
    return {0: "less than 1 %", 100: "more than 99 %"}.get(rounded, f"{rounded} %")


def _thick(hole: Hole) -> Hole:
    """Return the parts of a hole that are not thin."""
    import cv2

    thin = THIN * min(max((hole.size / 1e6) ** 0.5, 1.0), WIDER)
    deep = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > thin
    return hole & dilated(deep, round(thin) + 1)
