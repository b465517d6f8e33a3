"""Masks that are found in the picture: scratches, dust, borders, whatever `lacuna.detect` can find."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from lacuna.detect import DETECTORS
from lacuna.detect.detection import check_sensitivity
from lacuna.errors import MaskError
from lacuna.image import Picture
from lacuna.masks.sources import counted, needed, numbers, outside, units
from lacuna.masks.values import Drawn, Mask
from lacuna.types import Box

_FORM = re.compile(
    rf"(?P<name>{'|'.join(map(re.escape, DETECTORS))})"
    r"(?::(?P<sensitivity>[^@\s]*))?(?:@(?P<within>\S*))?"
)


@dataclass(frozen=True)
class Detected(Mask):
    """What a detector finds in the picture.

    Parameters
    ----------
    name : a key of `lacuna.detect.DETECTORS`.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like it).
    within : x, y, width, height of the box to look in; None is the whole picture.
    """

    name: str
    sensitivity: float = 0.5
    within: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.name not in DETECTORS:
            raise MaskError(f"there is no detector {self.name!r}; there are {', '.join(DETECTORS)}")
        check_sensitivity(self.sensitivity)
        for value in self.within or ():
            units(value)
        if self.within is not None and min(self.within[2:]) <= 0:
            raise MaskError(f"{self}: the box has no area; expected @x,y,width,height")

    def __str__(self) -> str:
        level = "" if self.sensitivity == 0.5 else f":{self.sensitivity:.10g}"
        box = "" if self.within is None else "@" + ",".join(f"{value:.10g}" for value in self.within)
        return f"{self.name}{level}{box}"

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        picture = needed(self, picture)
        region = picture.known.copy()
        if self.within is not None:
            inside = np.zeros_like(region)
            top, left, bottom, right = self._box(shape)
            inside[top:bottom, left:right] = True
            region &= inside
        if not region.any():
            return region, (f"{self}: every pixel there is fully transparent",)
        found = DETECTORS[self.name](
            picture.image, sensitivity=self.sensitivity, region=None if region.all() else region
        )
        share = f"{100 * found.share:.2f} % of the picture" if found.mask.any() else "nothing"
        return found.mask.copy(), (f"{self} found {share}", *found.notes)

    def _box(self, shape: tuple[int, int]) -> Box:
        x, y, width, height = self.within or (0, 0, shape[1], shape[0])
        ends = round(y), round(x), round(y + height), round(x + width)
        top, left, bottom, right = (max(end, 0) for end in ends)
        if top >= min(bottom, shape[0]) or left >= min(right, shape[1]):
            raise outside(self, shape)
        return top, left, bottom, right


def detected(
    name: str, sensitivity: float = 0.5, *, within: tuple[float, float, float, float] | None = None
) -> Mask:
    """Return what a detector finds in the picture.

    Parameters
    ----------
    name : ``"scratches"``, ``"dust"``, ``"torn-corners"``, ``"dead-pixels"``, ``"borders"`` … The keys of
        `lacuna.detect.DETECTORS` are all of them.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like it).
    within : x, y, width, height of the box to look in; None is the whole picture.

    Raises
    ------
    MaskError : no such detector, or a box without area.
    OptionError : the sensitivity is not a number from 0 to 1.

    Examples
    --------
    >>> print(detected("dust", 0.7, within=(0, 0, 200, 80)) | detected("scratches"))
    dust:0.7@0,0,200,80 + scratches
    """
    return Detected(name, sensitivity, within)


def is_named(word: str) -> bool:
    """Return whether a word names a detector."""
    return _FORM.fullmatch(word) is not None


def named(word: str) -> Mask | None:
    """Return the mask for ``name[:sensitivity][@x,y,width,height]``; None if that is no detector's name.

    Raises
    ------
    MaskError : a detector's name with something else after it.
    """
    found = _FORM.fullmatch(word)
    if found is None:
        return None
    level, within = found["sensitivity"], found["within"]
    sensitivity = 0.5
    if level is not None:
        values = numbers(level, word)
        if len(values) != 1 or not 0 <= values[0] <= 1:
            raise MaskError(
                f"{word}: a sensitivity is a number from 0 (only what is certain) to 1 (whatever looks "
                "like it)"
            )
        sensitivity = values[0]
    if within is None:
        return Detected(found["name"], sensitivity)
    x, y, width, height = counted(found["name"], within, (4,), "sensitivity@x,y,width,height")
    return Detected(found["name"], sensitivity, (x, y, width, height))
